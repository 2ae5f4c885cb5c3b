"""SOCKS 4, 4a and 5 (RFC 1928, RFC 1929): a client asks a proxy to connect it somewhere, and if it does, the rest of
the connection is another protocol's.

https://www.openssh.com/txt/socks4.protocol and socks4a.protocol describe the older versions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final

from analyzer.dissector.handover import Handover
from analyzer.dissector.layer import EVERYTHING, Layer
from analyzer.dissector.probing import Probe
from analyzer.model import Fault

STEPS: Final[tuple[str, ...]] = ()  # a prelude, and no steps of any flow
ATTRIBUTES: Final[Mapping[str, str]] = {}

CLIENT, SERVER = 0, 1
LONGEST_TEXT: Final = 512  # bytes of a user id or a host name of SOCKS 4, which end only with a zero
HELD_LIMIT: Final = 65_536  # bytes of a client that does not wait for the proxy's choice of method

COMMANDS: Final = {1: "CONNECT", 2: "BIND", 3: "UDP ASSOCIATE", 0xF0: "RESOLVE", 0xF1: "RESOLVE_PTR"}  # last two: Tor
METHODS: Final = {0: "none", 1: "GSSAPI", 2: "username/password", 3: "CHAP", 5: "CRAM", 6: "TLS", 0xFF: "no acceptable"}
# RFC 1928 §6
REFUSALS: Final = {
    1: "general failure", 2: "not allowed", 3: "network unreachable", 4: "host unreachable", 5: "connection refused",
    6: "TTL expired", 7: "command not supported", 8: "address type not supported",
    91: "rejected or failed", 92: "no identd", 93: "another user id",
}  # fmt: skip

_NO_ACCEPTABLE: Final = 0xFF
_GRANTED_4: Final = 90
_ADDRESS_BYTES: Final = {1: 4, 4: 16}  # of the address types IPv4 and IPv6; 3 is a name

# What a side's next bytes are.
_GREETING, _WAITING, _PASSWORD, _REQUEST, _METHOD, _PASSWORD_REPLY, _REPLY, _HANDED = range(8)


def probe(side: int, data: bytes | memoryview, *, anywhere: bool = False) -> Probe:
    """Whether a side begins with SOCKS. MATCH: the client's whole first message, for its first byte alone says little,
    and the proxy's answers could be many a protocol's."""
    first = bytes(data[: 2 * LONGEST_TEXT])
    if not first:
        return Probe.NEED_MORE
    if side == SERVER:
        return _probe_server(first)
    if first[0] == 5:
        return _probe_greeting(first)
    return _probe_request_4(first) if first[0] == 4 else Probe.NO_MATCH


def _probe_server(first: bytes) -> Probe:
    if first[0] == 5:
        possible = len(first) == 1 or _is_method(first[1]) or first[1] == _NO_ACCEPTABLE
    else:
        possible = first[0] == 0 and (len(first) == 1 or 90 <= first[1] <= 93)
    return Probe.NEED_MORE if possible and len(first) <= LONGEST_TEXT else Probe.NO_MATCH


def _is_method(method: int) -> bool:
    """RFC 1928 §3: those IANA has assigned, and the private ones."""
    return method <= 9 or 0x80 <= method < _NO_ACCEPTABLE


def _probe_greeting(first: bytes) -> Probe:
    if len(first) == 1:
        return Probe.NEED_MORE
    methods, behind = first[2 : 2 + first[1]], first[2 + first[1] :]
    if not first[1] or not all(map(_is_method, methods)) or len(set(methods)) < len(methods):
        return Probe.NO_MATCH
    if len(methods) < first[1]:
        return Probe.NEED_MORE
    return Probe.NO_MATCH if behind and behind[0] not in (1, 5) else Probe.MATCH


def _probe_request_4(first: bytes) -> Probe:
    if len(first) > 1 and first[1] not in (1, 2):
        return Probe.NO_MATCH
    if len(first) < 9:
        return Probe.NEED_MORE
    texts = first[8:].split(b"\0", 2)
    wanted = 2 if _is_4a(first) else 1
    if not any(first[2:4]) or not any(first[4:8]) or not all(_is_text(text) for text in texts[:wanted]):
        return Probe.NO_MATCH
    if len(texts) <= wanted:
        return Probe.NEED_MORE
    return Probe.MATCH if wanted == 1 or texts[1] else Probe.NO_MATCH


def _is_4a(request: bytes | bytearray) -> bool:
    return request[4:7] == bytes(3) and request[7] != 0


def _is_text(text: bytes) -> bool:
    return len(text) <= LONGEST_TEXT and all(0x20 < byte < 0x7F for byte in text)


class _Side:
    __slots__ = ("buffer", "closed", "state")

    def __init__(self, state: int):
        self.state = state
        self.buffer = bytearray()
        self.closed = False


class Dissector(Layer):
    """One connection with a proxy. Passwords are never kept."""

    protocol: Final = "socks"

    def __init__(self) -> None:
        self.version: int | None = None  # 4 or 5; 4a is 4 with a name
        self.methods: list[int] = []  # of authentication, as offered
        self.method: int | None = None  # as chosen
        self.command: str | None = None
        self.target: str | None = None  # "example.test:443"
        self.refused: str | None = None  # by the proxy, why
        self.not_followed: str | None = None  # why nothing more can be said
        self.handover: Handover | None = None
        self.faults: list[Fault] = []
        self._sides = (_Side(_GREETING), _Side(_METHOD))
        # Clients need not wait: what follows the request is kept until the proxy has answered.
        self._behind: Handover | None = None
        self._held: list[tuple[bytes, int, int]] = []
        self._held_bytes = 0
        self._bound = False  # the first of BIND's two replies has come
        self._over = False
        self._now = (0, 0)  # time and packet

    # Input

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        s = self._sides[side]
        if s.closed or self._over or not len(data):
            return
        if s.state == _HANDED and self._behind is not None:
            self._behind.feed(side, data, at_ns, packet)
            return
        if s.state == _WAITING:
            self._hold(bytes(data), at_ns, packet)
            return
        self._now = at_ns, packet
        # A byte more than any message has need not be copied twice.
        s.buffer += data
        while s.buffer and not self._over and s.state not in (_HANDED, _WAITING):
            used = _READERS[s.state](self, s.buffer)
            if not used:
                break
            del s.buffer[:used]
        rest = bytes(s.buffer)
        if rest and s.state in (_HANDED, _WAITING) and not self._over:
            s.buffer.clear()
            self.feed(side, rest, at_ns, packet)

    def skippable(self, side: int) -> int:
        s = self._sides[side]
        if self._over or s.closed:
            return EVERYTHING
        return self._behind.skippable(side) if s.state == _HANDED and self._behind is not None else 0

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        s = self._sides[side]
        if self._over or s.closed or length <= 0:
            return
        if s.state == _HANDED and self._behind is not None:
            self._behind.skip(side, length, at_ns, packet)
        else:
            self.gap(side, length, "not looked at", packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        s = self._sides[side]
        if self._over or s.closed or length <= 0:
            return
        if s.state == _HANDED and self._behind is not None:
            self._behind.gap(side, length, cause, packet)
        else:
            self._end(f"{length} bytes of the negotiation are missing: {cause}", packet, fault=True)

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        for number, s in enumerate(self._sides):
            if s.closed or (number != side and how != "rst"):
                continue
            s.closed = True
            if s.buffer and how != "end" and not self._over:
                self.faults.append(Fault(packet, "socks", "the connection ended inside a message of the negotiation"))
            s.buffer.clear()
            if self._behind is not None and not self._over:
                self._behind.close(number, how, at_ns, packet)

    # What the client says: each reader takes a message from the buffer's start and returns its length, 0 if it is not
    # complete.

    def _greeting(self, data: bytearray) -> int:
        """RFC 1928 §3; SOCKS 4 has none and begins with the request."""
        if data[0] == 4:
            self.version = 4
            return self._request_4(data)
        if data[0] != 5:
            return self._end(f"version {data[0]} instead of 4 or 5", self._now[1], fault=True)
        if len(data) < 2 or len(data) < 2 + data[1]:
            return 0
        length = 2 + data[1]
        self.version = 5
        self.methods = list(data[2:length])
        self._sides[CLIENT].state = _WAITING
        if self.method is not None:  # the answer was captured before the question
            self._chosen()
        return length

    def _password(self, data: bytearray) -> int:
        """RFC 1929 §2. Neither name nor password is looked at."""
        if len(data) < 2 or len(data) < 3 + data[1]:
            return 0
        length = 3 + data[1] + data[2 + data[1]]
        if len(data) < length:
            return 0
        if data[0] != 1:
            self._fault(f"version {data[0]} of the username/password negotiation instead of 1 (RFC 1929 §2)")
        self._sides[CLIENT].state = _REQUEST
        return length

    def _request(self, data: bytearray) -> int:
        """RFC 1928 §4"""
        if data[0] != 5:
            return self._end(f"a request of version {data[0]} (RFC 1928 §4)", self._now[1], fault=True)
        read = self._address(data)
        if read is None:
            return 0
        length, target = read
        if data[2]:
            self._fault("a reserved byte that is not zero (RFC 1928 §4)")
        self._asked(data[1], target)
        return length

    def _request_4(self, data: bytearray) -> int:
        if len(data) < 9:
            return 0
        end = data.find(0, 8)
        host = str(ipaddress.IPv4Address(bytes(data[4:8])))
        if end >= 0 and _is_4a(data):
            begin, end = end + 1, data.find(0, end + 1)
            host = _text(data[begin:end])
        if end < 0 or end > 2 * LONGEST_TEXT:
            if len(data) > 2 * LONGEST_TEXT:
                return self._end(f"a user id or a name of more than {LONGEST_TEXT} bytes", self._now[1], fault=True)
            return 0
        self._asked(data[1], f"{host}:{int.from_bytes(data[2:4], 'big')}")
        return end + 1

    def _asked(self, command: int, target: str) -> None:
        self.command = COMMANDS.get(command, f"command {command}")
        self.target = target
        self._sides[CLIENT].state = _HANDED
        name = f"SOCKS{self.version} {'BIND ' if command == 2 else ''}{target}"
        if self._behind is None:
            self._behind = Handover("socks", name, *self._now)
            return
        self._behind.target = name  # granted before it was asked for: the capture turned them around
        self._granted()

    # What the proxy says

    def _method(self, data: bytearray) -> int:
        if self._of_version_4(data):
            return self._reply_4(data)
        if len(data) < 2:
            return 0
        if data[0] != 5:
            return self._end(f"an answer of version {data[0]} (RFC 1928 §3)", self._now[1], fault=True)
        self.method = data[1]
        if self.version == 5:
            self._chosen()
        # The client's greeting comes next if the capture turned them around.
        self._sides[SERVER].state = _PASSWORD_REPLY if self.method == 2 else _REPLY
        return 2

    def _chosen(self) -> None:
        method = self.method
        if method == _NO_ACCEPTABLE:
            self._refuse("no acceptable method of authentication")
        elif method in (0, 2):
            if method not in self.methods:
                self._fault("the proxy chose a method that was not offered (RFC 1928 §3)")
            client = self._sides[CLIENT]
            client.state = _PASSWORD if method == 2 else _REQUEST
            held, self._held = self._held, []
            now = self._now
            for data, at_ns, packet in held:
                self.feed(CLIENT, data, at_ns, packet)
            self._now = now
        else:
            name = METHODS.get(method or 0, f"method {method}")
            self._end(f"what follows authentication by {name} is not known here", self._now[1], fault=False)

    def _password_reply(self, data: bytearray) -> int:
        """RFC 1929 §2"""
        if len(data) < 2:
            return 0
        if data[1]:
            self._refuse("wrong username or password")
        self._sides[SERVER].state = _REPLY
        return 2

    def _reply(self, data: bytearray) -> int:
        """RFC 1928 §6"""
        if self._of_version_4(data):
            return self._reply_4(data)
        if len(data) < 2:
            return 0
        if data[0] != 5:
            return self._end(f"a reply of version {data[0]} (RFC 1928 §6)", self._now[1], fault=True)
        if data[1]:
            self._refuse(REFUSALS.get(data[1], f"code {data[1]}"))
            return 2
        read = self._address(data)
        if read is None:
            return 0
        self._granted()
        return read[0]

    def _of_version_4(self, data: bytearray) -> bool:
        """Of an answer. The client's side may not have been captured before it."""
        return self.version == 4 or (self.version is None and self.method is None and data[0] == 0)

    def _reply_4(self, data: bytearray) -> int:
        if len(data) < 8:
            return 0
        if data[0] not in (0, 4):  # 4 is wrong, and common
            self._fault(f"a reply of version {data[0]} instead of 0")
        if data[1] != _GRANTED_4:
            self._refuse(REFUSALS.get(data[1], f"code {data[1]}"))
        else:
            self._granted()
        return 8

    def _granted(self) -> None:
        """RFC 1928 §4, §6: with BIND there are two replies, the second when somebody has connected to the proxy."""
        if self.command == "BIND" and not self._bound:
            self._bound = True
            return
        if self.command not in ("CONNECT", "BIND", None):
            kind = "the connection carries nothing after it (RFC 1928 §7)"
            self._end(f"{self.command}: {kind}", self._now[1], fault=False)
            return
        self._sides[SERVER].state = _HANDED
        if self._behind is None:
            self._behind = Handover("socks", None, *self._now)
        self._behind.at_ns, self._behind.packet = self._now
        if self.command is not None:
            self.handover = self._behind

    # Ends

    def _address(self, data: bytearray) -> tuple[int, str] | None:
        """Of a request or a reply, RFC 1928 §5: the message's length, and host:port. None: not complete, or wrong."""
        if len(data) < 5:
            return None
        size = _ADDRESS_BYTES.get(data[3])
        if data[3] == 3:
            begin, end = 5, 5 + data[4]
        elif size is not None:
            begin, end = 4, 4 + size
        else:
            self._end(f"address type {data[3]} (RFC 1928 §5)", self._now[1], fault=True)
            return None
        if len(data) < end + 2:
            return None
        host = _text(data[begin:end]) if data[3] == 3 else str(ipaddress.ip_address(bytes(data[begin:end])))
        host = f"[{host}]" if size == 16 else host
        return end + 2, f"{host}:{int.from_bytes(data[end : end + 2], 'big')}"

    def _hold(self, data: bytes, at_ns: int, packet: int) -> None:
        self._held_bytes += len(data) + 64
        if self._held_bytes > HELD_LIMIT:
            self._end(f"more than {HELD_LIMIT} bytes without waiting for the proxy", packet, fault=True)
        else:
            self._held.append((data, at_ns, packet))

    def _refuse(self, why: str) -> None:
        self.refused = why
        self._end(f"the proxy refused: {why}", self._now[1], fault=False)

    def _fault(self, message: str) -> None:
        self.faults.append(Fault(self._now[1], "socks", message))

    def _end(self, why: str, packet: int, *, fault: bool) -> int:
        """Nothing more can be said of this connection."""
        if fault:
            self.faults.append(Fault(packet, "socks", why))
        self.not_followed = why
        self._over = True
        self._held.clear()
        if self._behind is not None:
            self._behind.drop()
        for s in self._sides:
            s.buffer.clear()
        return 0


def _text(data: bytearray) -> str:
    return bytes(data).decode("ascii", "backslashreplace")


_READERS: Final = {
    _GREETING: Dissector._greeting,
    _PASSWORD: Dissector._password,
    _REQUEST: Dissector._request,
    _METHOD: Dissector._method,
    _PASSWORD_REPLY: Dissector._password_reply,
    _REPLY: Dissector._reply,
}
