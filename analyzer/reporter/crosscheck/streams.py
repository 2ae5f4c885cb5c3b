"""What tshark says, collected per TCP stream, in the words of the report."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import itertools
from collections.abc import Iterator
from typing import Final

from analyzer.dissector import registries
from analyzer.dissector.tls.handshake import MESSAGE_STEPS
from analyzer.dissector.tls.hellos import version_name
from analyzer.errors import InputError
from analyzer.reporter.crosscheck.tshark import Fields

MOST_FACTS: Final = 20_000  # kept per stream
MOST_LAYERS: Final = 16  # streams inside each other that one packet may begin

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_HEADERS, _PUSH_PROMISE, _CONTINUATION = 1, 5, 9  # RFC 9113 §6
_BEGIN_BLOCKS, _END_BLOCKS = (_HEADERS, _PUSH_PROMISE), (_HEADERS, _PUSH_PROMISE, _CONTINUATION)
_END_HEADERS: Final = 0x4
_RST_STREAM, _GOAWAY = 3, 7
_HELLOS: Final = (1, 2)
_HELLO_RETRY: Final = (  # the random of a ServerHello that is one, RFC 8446 §4.1.3
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)

# What is looked through here, as Wireshark calls it.
_READ: Final = frozenset(
    (
        "eth", "eth_maybefcs", "eth_withfcs", "eth_withoutfcs", "ethertype", "vlan", "ieee8021ad", "ieee8021ah",
        "vntag", "cfp", "llc", "sll", "sll2", "raw", "null", "ppp", "chdlc", "fr", "fddi", "tr", "nflog", "pflog",
        "enc", "prism", "radiotap", "ppi", "wlan_radio", "wlan", "wlan_aggregate", "data", "mpls", "pwethheuristic",
        "pwethcw",
        "pwethnocw", "pppoes", "gre", "pptp", "l2tp", "erspan", "etherip", "udp", "vxlan", "geneve", "gtp", "teredo",
        "ip", "ipv6",
    )
)  # fmt: skip
_INNER: Final = ("tls", "http", "http2")

Address = tuple[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """Something seen in a packet. `source`: who sent it. `stream`: of HTTP/2."""

    kind: str  # SYN, SYN-ACK, FIN, RST, handshake, version, cipher, server name, …
    source: Address
    packet: int
    value: str = ""
    stream: int | None = None


@dataclasses.dataclass(slots=True)
class Stream:
    """A TCP stream as tshark counts them. `packets`: by sender."""

    number: int
    ends: frozenset[Address]
    first_packet: int
    last_packet: int
    packets: dict[Address, int]
    facts: list[Fact] = dataclasses.field(default_factory=list)
    below: str | None = None  # what carries its IP packets, if that is not read here: a link layer, a tunnel
    carriers: set[str] = dataclasses.field(default_factory=set)  # protocols that TLS or HTTP ran in
    hidden: int = 0  # lower numbers that no connection here has: inside SOCKS, or on what is not read
    fragments: list[int] = dataclasses.field(default_factory=list)  # packets put together from IP fragments
    unclear: list[int] = dataclasses.field(
        default_factory=list
    )  # packets whose HTTP/2 fields tshark did not decompress
    promised: int = 0  # by an HTTP/2 push whose field block has not ended
    complete: bool = True  # all facts are kept


class Streams:
    """The streams of one capture, as its packets come, until they are taken."""

    def __init__(self) -> None:
        self._open: dict[int, Stream] = {}
        self._between: dict[frozenset[Address], list[Stream]] = {}
        self._taken = bytearray()  # by number
        self._read = 0  # how many there were of those that are read here
        self.packet = 0  # the last one

    def add(self, fields: Fields) -> None:
        """One packet. Those of a stream that was taken come too late to be compared. Raises InputError for what no
        tshark says."""
        try:
            self._add(fields)
        except (ValueError, LookupError) as error:
            what = f"packet {self.packet}: {type(error).__name__}: {error}"
            raise InputError(f"tshark described a packet in a way that is not understood ({what})") from error

    def _add(self, fields: Fields) -> None:
        packet = int(fields["frame.number"][0])
        if packet <= self.packet:
            raise ValueError(f"after it comes packet {packet}")
        self.packet = packet
        if "tcp.stream" not in fields:
            return
        number = int(fields["tcp.stream"][-1])
        if not 0 <= number <= MOST_LAYERS * packet:
            raise ValueError(f"there cannot be so many streams: {number}")
        if number < len(self._taken) and self._taken[number]:
            return
        source, target = _ends(fields)
        stream = self._open.get(number)
        if stream is None:
            ends = frozenset((source, target))
            stream = self._open[number] = Stream(number, ends, self.packet, self.packet, {})
            stream.below = _below(fields["frame.protocols"][0].split(":"))
            stream.hidden = number - self._read  # tshark gives numbers in order
            self._read += stream.below is None
            self._between.setdefault(ends, []).append(stream)
        stream.last_packet = self.packet
        # A frame may have several segments of it: IEEE 802.11-2020 §9.3.2.2, A-MSDU.
        stream.packets[source] = stream.packets.get(source, 0) + fields["tcp.stream"].count(fields["tcp.stream"][-1])
        stream.carriers.update(_carriers(fields["frame.protocols"][0].split(":")))
        if "ip.fragment.count" in fields or "ipv6.fragment.count" in fields:
            stream.fragments.append(self.packet)
        for fact in _facts(fields, self.packet, source, stream):
            if len(stream.facts) >= MOST_FACTS:
                stream.complete = False
                break
            stream.facts.append(fact)

    def take(self, ends: frozenset[Address], first_packet: int, last_packet: int) -> Stream | None:
        """The stream between these ends that has most of the packets of a connection. It is given once."""

        def overlap(one: Stream) -> int:
            return min(one.last_packet, last_packet) - max(one.first_packet, first_packet)

        best = max(self._between.get(ends, ()), key=overlap, default=None)
        if best is None or overlap(best) < 0:
            return None
        self._between[ends].remove(best)
        if not self._between[ends]:
            del self._between[ends]
        del self._open[best.number]
        if best.number >= len(self._taken):
            self._taken.extend(bytes(best.number + 1 - len(self._taken)))
        self._taken[best.number] = 1
        return best

    def rest(self) -> list[Stream]:
        """Those that nobody took."""
        return list(self._open.values())


def _below(protocols: list[str]) -> str | None:
    """Of the protocols that lead to TCP the first one that is not read here."""
    before = protocols[: protocols.index("tcp")]
    return next((one for one in before if one not in _READ and not one.startswith("ipv6.")), None)


def _carriers(protocols: list[str]) -> Iterator[str]:
    """Between TCP and TLS or HTTP."""
    inside = protocols[protocols.index("tcp") + 1 :]
    for at, one in enumerate(inside):
        if one in _INNER:
            yield from inside[:at]
            return


def _ends(fields: Fields) -> tuple[Address, Address]:
    family = "ip" if "ip.src" in fields else "ipv6"
    if "ip.src" in fields and "ipv6.src" in fields:
        protocols = fields["frame.protocols"][0]
        family = "ip" if protocols.rfind(":ip:") > protocols.rfind(":ipv6") else "ipv6"
    found = []
    for side, port in (("src", "srcport"), ("dst", "dstport")):
        address = fields.get(f"{family}.{side}", ["?"])[-1]
        found.append((_canonical(address), int(fields[f"tcp.{port}"][-1])))
    return found[0], found[1]


@functools.lru_cache(4096)
def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _facts(fields: Fields, packet: int, source: Address, stream: Stream) -> Iterator[Fact]:
    yield from _tcp(fields, packet, source)
    if "tls.handshake.type" in fields or "tls.alert_message.desc" in fields:
        yield from _tls(fields, packet, source)
    if "http.request.method" in fields or "http.response.code" in fields:
        yield from _http1(fields, packet, source)
    if "http2.type" in fields:
        yield from _http2(fields, packet, source, stream)
    for opcode in fields.get("websocket.opcode", ()):
        yield Fact("websocket", source, packet, opcode)


def _tcp(fields: Fields, packet: int, source: Address) -> Iterator[Fact]:
    flags = int(fields.get("tcp.flags", ["0"])[-1], 16)  # none: the header was cut off
    # Copies of a packet have the same identification and numbers (RFC 791 §3.1). IPv6 has none.
    parts = (fields.get(name, ["0"])[-1] for name in ("ip.id", "tcp.seq_raw", "tcp.ack_raw"))
    identity = " ".join(parts)
    if flags & SYN:
        yield Fact("SYN-ACK" if flags & ACK else "SYN", source, packet, identity)
    if flags & FIN:
        yield Fact("FIN", source, packet, identity)
    if flags & RST:
        yield Fact("RST", source, packet, identity)
    if "tcp.analysis.lost_segment" in fields:
        yield Fact("lost", source, packet)


def _tls(fields: Fields, packet: int, source: Address) -> Iterator[Fact]:
    types = [int(value) for value in fields.get("tls.handshake.type", ()) if value]
    randoms = iter(fields.get("tls.handshake.random", ()))
    for code in types:
        called = MESSAGE_STEPS.get(code) or registries.name("handshake-types", code)
        if code in _HELLOS and next(randoms, "").replace(":", "") == _HELLO_RETRY:
            called = "HelloRetryRequest"
        yield Fact("handshake", source, packet, called)
    if types.count(1):
        for name in fields.get("tls.handshake.extensions_server_name", ()):
            yield Fact("server name", source, packet, name)
    if types.count(2):
        for suite in fields.get("tls.handshake.ciphersuite", ()):
            yield Fact("cipher suite", source, packet, registries.name("cipher-suites", int(suite, 16)))
        versions = fields.get("tls.handshake.extensions.supported_version") or fields.get("tls.handshake.version", [])
        for version in versions[:1]:
            yield Fact("version", source, packet, version_name(int(version, 16)))
    if (types.count(2) or types.count(8)) and not types.count(1):
        for name in fields.get("tls.handshake.extensions_alpn_str", ()):
            yield Fact("alpn", source, packet, name)
    for description in fields.get("tls.alert_message.desc", ()):
        yield Fact("alert", source, packet, registries.name("alerts", int(description)))


def _http1(fields: Fields, packet: int, source: Address) -> Iterator[Fact]:
    targets = fields.get("http.request.uri", [])
    methods = fields.get("http.request.method", [])
    if len(targets) == len(methods):
        for method, target in zip(methods, targets, strict=True):
            yield Fact("request", source, packet, f"{method} {target}")
    else:
        for method in methods:
            yield Fact("request", source, packet, method)
    for code in fields.get("http.response.code", ()):
        yield Fact("response", source, packet, code)


def _http2(fields: Fields, packet: int, source: Address, stream: Stream) -> Iterator[Fact]:
    types = [int(code) for code in fields["http2.type"]]
    flags = [int(value, 16) for value in fields.get("http2.flags", ())]
    streams = [int(number) for number in fields.get("http2.streamid", ())]
    if not len(types) == len(flags) == len(streams):
        stream.unclear.append(packet)
        return
    errors = {
        _RST_STREAM: iter(fields.get("http2.rst_stream.error", ())),
        _GOAWAY: iter(fields.get("http2.goaway.error", ())),
    }
    for code, number in zip(types, streams, strict=True):
        error = next(errors[code], None) if code in errors else None
        value = registries.name("http2-frame-types", code)
        if error is not None:
            value += f" {registries.name('http2-error-codes', int(error, 0))}"
        yield Fact("frame", source, packet, value, number)
    # A decompressed field block is shown in the frame that ended it. A pushed request belongs to the promised stream.
    promised = iter(fields.get("http2.push_promise.promised_stream_id", ()))
    ends = []
    for kind, flag, number in zip(types, flags, streams, strict=True):
        if kind == _PUSH_PROMISE:
            stream.promised = int(next(promised, 0))
        if kind in _END_BLOCKS and flag & _END_HEADERS:
            ends.append(stream.promised or number)
            stream.promised = 0
    counts = [int(count) for count in fields.get("http2.header.count", ())]
    if len(counts) != len(ends):
        stream.unclear.append(packet)
        return
    # A size update of the table is counted, too, and has neither name nor value.
    kinds = iter(fields.get("http2.header.repr", ()))
    pairs = iter(zip(fields.get("http2.header.name", ()), fields.get("http2.header.value", ()), strict=False))
    for number, count in zip(ends, counts, strict=True):
        named = sum("Size Update" not in kind for kind in itertools.islice(kinds, count))
        block = {name: value for name, value in itertools.islice(pairs, named) if name.startswith(":")}
        if ":method" in block:
            value = f"{block[':method']} {block.get(':path', block.get(':authority', ''))}"
            yield Fact("request", source, packet, value, number)
        if ":status" in block:
            yield Fact("response", source, packet, block[":status"], number)
