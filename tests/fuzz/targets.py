"""What is fuzzed: each target takes any bytes. The only permitted outcome is that it returns: with a report, with typed
faults in it, or because the input was refused with an `AnalyzerError`. `SEEDS` has for each target bytes to begin with.
"""

from __future__ import annotations

import functools
import gzip
import io
import lzma
from collections.abc import Callable, Iterator

import msgspec

import analyzer
from analyzer.dissector.http1 import connection as http1
from analyzer.dissector.http2 import connection as http2
from analyzer.dissector.http2.header_blocks import HeaderDecoder
from analyzer.dissector.layer import Layer
from analyzer.dissector.tls import connection as tls
from analyzer.dissector.tls.reading import read
from analyzer.dissector.tls.secrets import Secrets
from analyzer.errors import AnalyzerError
from analyzer.flows.library import SCOPES, parse_page
from analyzer.flows.matcher import Automaton
from tests.capture.builders import Packet, Stuttering, pcap
from tests.cases import CAPTURES, CASES, ROOT, capture_of, keys_of
from tests.conversations import Conversation, ip, tcp
from tests.conversations import capture_of as spoken
from tests.dissector import wrappers

MOST_SEED = 8192  # bytes: small seeds are changed and read faster
MOST_INPUT = 1 << 16
LINKS = (1, 101, 0, 113, 276, 228, 229, 12, *wrappers.OTHER_LINKS)


def report(source: object, **options: object) -> bytes:
    """What the program says of a capture, or why it cannot be read."""
    try:
        with analyzer.analyze(source, **options) as analysis:  # type: ignore[arg-type]
            lines = sorted(b"".join(analysis.lines()).splitlines())
            return b"\n".join([*lines, msgspec.json.encode(analysis.totals)])
    except AnalyzerError as error:
        return str(error).encode()


def capture(data: bytes) -> None:
    """A file: pcap, pcapng, or one of these compressed."""
    report(io.BytesIO(data), checksums="count", headers=True, secrets=True, keys=_keys())


def pipe(data: bytes) -> None:
    """A capture that comes in pieces of any size is the same capture. The first bytes are the sizes."""
    sizes, content = data[:4] or b"\0", data[4:]
    whole = report(io.BytesIO(content))
    if b'"connections":' not in whole:
        return
    pieces, at = [], 0
    while at < len(content):
        end = at + 1 + 8 * sizes[len(pieces) % len(sizes)]
        pieces.append(content[at:end])
        at = end
    chunk_bytes = 1024 + 64 * (sum(sizes) % 64)
    assert report(Stuttering(*pieces), chunk_bytes=chunk_bytes) == whole, "the report depends on how the capture comes"


def frames(data: bytes) -> None:
    """Frames of a link type, which is the first byte; a byte of length before each."""
    if not data:
        return
    packets, at = [], 1
    while at < len(data):
        end = at + 1 + 4 * data[at]
        packets.append(Packet(data[at + 1 : end], len(packets) * 1000, 4 * data[at]))
        at = end
    report(io.BytesIO(pcap(*packets, link_type=LINKS[data[0] % len(LINKS)])), checksums="verify", vlan_key=True)


def segments(data: bytes) -> None:
    """TCP segments of one connection, 8 bytes and a payload each."""
    packets, at, now = [], 0, 0
    while at + 8 <= len(data):
        sender, flags, window, length = data[at], data[at + 1], data[at + 2], data[at + 3] % 64
        sequence = int.from_bytes(data[at + 4 : at + 6], "big") - (1 << 15) & 0xFFFFFFFF
        acknowledgement = int.from_bytes(data[at + 6 : at + 8], "big") - (1 << 15) & 0xFFFFFFFF
        payload = data[at + 8 : at + 8 + length]
        at += 8 + length
        now += (sender >> 1) ** 4 * 1000
        ends = (("10.0.0.1", "10.0.0.2"), (40000, 80)) if sender & 1 else (("10.0.0.2", "10.0.0.1"), (80, 40000))
        segment = tcp(*ends[1], sequence, acknowledgement, flags, window=window * 257, payload=payload)
        packets.append(Packet(ip(*ends[0], 6, segment), now))
    source = pcap(*packets, link_type=101)
    report(io.BytesIO(source), max_connections=3)
    report(io.BytesIO(source), linger_ns=0, tcp_only=True)


def streams(data: bytes) -> None:
    """What two sides say to each other, whoever has to find out which protocol that is."""
    talk = Conversation(server_port=(80, 443, 25, 1080)[len(data) % 4])
    talk.say("C SYN", "S SYN-ACK", "C ACK")
    for side, piece in _turns(data):
        if isinstance(piece, bytes) and piece:
            talk.data = {"said": piece}
            talk.say(f"{'CS'[side]} DATA said")
        elif piece == "gap":
            talk.say(f"{'CS'[side]} DATA 9 lost")
    talk.say("C FIN", "S FIN", "C ACK")
    report(io.BytesIO(spoken(talk)), headers=True)


def _turns(data: bytes) -> Iterator[tuple[int, bytes | str]]:
    """(side, bytes or "gap" or "fin"), each told by two bytes: the side, and how much follows."""
    at = 0
    while at + 2 <= len(data):
        side, length = data[at] & 1, data[at + 1] | (data[at] >> 1 & 7) << 8
        at += 2
        if data[at - 2] >= 0xFE:
            yield side, "gap"
        elif data[at - 2] >= 0xFC:
            yield side, "fin"
        else:
            yield side, data[at : at + length]
            at += length


def _play(dissector: Layer, data: bytes) -> None:
    for packet, (side, piece) in enumerate(_turns(data), 1):
        if piece == "gap":
            dissector.gap(side, packet * 7, "lost-in-capture", packet)
        elif piece == "fin":
            dissector.close(side, "fin", packet, packet)
        elif piece:
            most = dissector.skippable(side)
            assert most >= 0
            if most and packet % 3 == 0:
                dissector.skip(side, min(most, len(piece)), packet, packet)
            else:
                dissector.feed(side, piece, packet, packet)
    for side in (0, 1):
        dissector.close(side, "end", 1 << 20, 1 << 20)


def http1_streams(data: bytes) -> None:
    _play(http1.Dissector(True, bool(len(data) & 1)), data)


def http2_streams(data: bytes) -> None:
    _play(http2.Dissector(keep_fields=True, midstream=bool(len(data) & 1)), data)


def tls_streams(data: bytes) -> None:
    _play(tls.Dissector(midstream=bool(len(data) & 1)), data)


def hpack(data: bytes) -> None:
    """Field blocks; a byte of length before each, and some are lost."""
    decoder, at = HeaderDecoder(known=bool(len(data) & 1)), 0
    while at < len(data):
        block = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        if not block:
            decoder.forget()
            continue
        for name, value in decoder.decode(block).fields:
            for text in (name, value):
                if text is not None:
                    decoder.text(text)


def certificate(data: bytes) -> None:
    read(data)


def key_log(data: bytes) -> None:
    secrets = Secrets()
    secrets.add_keylog(data, source="pcapng", name="a test")


def page(data: bytes) -> None:
    """A flow page."""
    try:
        found = parse_page(data.decode("utf-8", "replace"), "page.md")
    except AnalyzerError:
        return
    vocabulary = SCOPES[found.scope]
    if not vocabulary.whole:
        try:
            Automaton(found.scope, (found,), vocabulary.steps, tabled=vocabulary.compiled)
        except AnalyzerError:
            return


@functools.cache
def _keys() -> tuple[str, ...]:
    return keys_of("tls/tls13") if "tls/tls13" in CASES else ()


def _captures() -> list[bytes]:
    found = (capture_of(case).read_bytes() for case in sorted(CASES))
    return [content for content in found if len(content) <= MOST_SEED]


def _archives() -> list[bytes]:
    return [pack(content) for content in _captures()[::20] for pack in (gzip.compress, lzma.compress)]


def _said(*protocols: str) -> list[bytes]:
    """The payloads of recorded captures, as `_turns` reads them."""
    found = []
    for case in sorted(CASES):
        path = capture_of(case)
        if case.startswith(protocols) and path.stat().st_size <= 4 * MOST_SEED:
            found.append(b"".join(_payloads(path.read_bytes())))
    return [seed[:MOST_SEED] for seed in found if seed]


def _payloads(content: bytes) -> Iterator[bytes]:
    from analyzer.capture.source import open_capture
    from analyzer.dissector.packets import PacketTable
    from analyzer.dissector.reader import PacketReader

    reader, table = PacketReader(), PacketTable()
    with open_capture(io.BytesIO(content)) as chunks:
        for chunk in chunks:
            reader.read(chunk, table)
            for port, at, length in zip(table.source_port, table.payload_offset, table.payload_captured, strict=True):
                if length > 0 and at >= 0:
                    said = bytes(table.data[at : at + min(length, 2047)])
                    yield bytes([(port < 32768) | len(said) >> 8 << 1, len(said) & 255]) + said


def _frames() -> list[bytes]:
    found = []
    for place, link in enumerate(LINKS):
        for content in (wrappers.V4, wrappers.V6, wrappers.FRAME, wrappers.SNAP):
            content += bytes(-len(content) % 4)
            found.append(bytes([place, len(content) // 4]) + content)
        del link
    return found


def _segments() -> list[bytes]:
    begin = bytes([1, 2, 9, 0, 128, 0, 0, 0, 0, 18, 9, 0, 128, 0, 128, 1, 1, 16, 9, 0, 128, 1, 128, 1])
    say = bytes([1, 24, 9, 5, 128, 1, 128, 1]) + b"GET /"
    return [begin + say + say, begin + bytes([1, 17, 9, 0, 128, 1, 128, 1, 0, 17, 9, 0, 128, 1, 128, 2]), begin * 2]


def _pages() -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / "analyzer" / "flows").rglob("*.md"))]


def _logs() -> list[bytes]:
    return [path.read_bytes()[:MOST_SEED] for path in sorted(CAPTURES.rglob("*.keys"))[:10]] or [
        b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96 + b"\n"
    ]


def _certificates() -> list[bytes]:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificates

    found = []
    for path in sorted(CAPTURES.rglob("*.pem")):
        content = path.read_bytes()
        if b"BEGIN CERTIFICATE" in content:
            found += [one.public_bytes(Encoding.DER) for one in load_pem_x509_certificates(content)]
    return found or [b"0\x80"]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "capture": capture, "pipe": pipe, "frames": frames, "segments": segments, "streams": streams,
    "http1": http1_streams, "http2": http2_streams, "tls": tls_streams, "hpack": hpack, "certificate": certificate,
    "key-log": key_log, "page": page,
}  # fmt: skip
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "capture": lambda: _captures() + _archives(),
    "pipe": lambda: [b"\7\0\xff\x40" + content for content in _captures()[::3]],
    "frames": _frames, "segments": _segments, "streams": lambda: _said("http1", "tls", "http2", "tunnels"),
    "http1": lambda: _said("http1"), "http2": lambda: _said("http2"), "tls": lambda: _said("tls"),
    "hpack": lambda: [b"\6\x82\x86\x84\x41\1a\5\xbe\xbf\xc0\x82\x3f\0\3\x40\1a\1b\1\xbe", b"\1\x3f\0\4\x20\x40\0\0"],
    "certificate": _certificates, "key-log": _logs, "page": _pages,
}  # fmt: skip
