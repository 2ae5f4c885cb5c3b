"""Puts real frames into tunnels as routers and switches do: the kernel here knows VXLAN only.

What each function returns makes, of a frame on its way, what a mirror port in front of the tunnel's end shows: `Tag` in
`forwarding.py`. The inner packets stay as they were sent. The tunnel's ends are 192.0.2.1 and 192.0.2.2 (RFC 5737),
the client's side first.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable

from forwarding import Frame, Tag, checksum

ENDS = ("192.0.2.1", "192.0.2.2")
ENDS6 = ("2001:db8:ffff::1", "2001:db8:ffff::2")
_MACS = (bytes.fromhex("020000000101"), bytes.fromhex("020000000102"))

IPV4, IPV6, ETHERNET, MPLS = 0x0800, 0x86DD, 0x6558, 0x8847
Payload = Callable[[Frame], bytes]


def whole(frame: Frame) -> bytes:
    """The frame itself is what is carried."""
    return frame.data


def packet(frame: Frame) -> bytes:
    """The IP packet in it is."""
    return frame.data[14:]


def on_ethernet(protocol: int, payload: Payload) -> Tag:
    """A frame between the tunnel's ends."""

    def tag(frame: Frame) -> bytes:
        source, destination = _ends(frame, _MACS)
        return destination + source + struct.pack("!H", protocol) + payload(frame)

    return tag


def in_ipv4(protocol: int, payload: Payload, ends: tuple[str, str] = ENDS) -> Payload:
    """RFC 791."""

    def wrapped(frame: Frame) -> bytes:
        inner = payload(frame)
        source, destination = (ipaddress.ip_address(end).packed for end in _ends(frame, ends))
        header = bytearray(
            struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(inner), 0, 0, 64, protocol, 0, source, destination)
        )
        header[10:12] = checksum(header)
        return bytes(header) + inner

    return wrapped


def in_ipv6(protocol: int, payload: Payload) -> Payload:
    """RFC 8200."""

    def wrapped(frame: Frame) -> bytes:
        inner = payload(frame)
        source, destination = (ipaddress.ip_address(end).packed for end in _ends(frame, ENDS6))
        return struct.pack("!IHBB16s16s", 6 << 28, len(inner), protocol, 64, source, destination) + inner

    return wrapped


def in_udp(port: int, payload: Payload, source_port: int | None = None) -> Payload:
    """RFC 768, without checksum; the source port spreads flows, as VXLAN and Geneve do."""

    def wrapped(frame: Frame) -> bytes:
        inner = payload(frame)
        source = source_port or 49152 | (frame.source_port ^ frame.destination_port) & 0x3FFF
        return struct.pack("!HHHH", source, port, 8 + len(inner), 0) + inner

    return wrapped


def vxlan(network: int, payload: Payload = whole) -> Payload:
    """RFC 7348 §5."""
    return lambda frame: struct.pack("!II", 8 << 24, network << 8) + payload(frame)


def geneve(network: int, options: bytes = b"", payload: Payload = whole) -> Payload:
    """RFC 8926 §3.4."""
    return lambda frame: struct.pack("!BBHI", len(options) // 4, 0, ETHERNET, network << 8) + options + payload(frame)


class Gre:
    """RFC 2784 and RFC 2890. Sequence numbers count per sender."""

    def __init__(
        self, protocol: int, payload: Payload, *, key: int | None = None, sequence: bool = False, check: bool = False
    ):
        self.protocol, self.payload, self.key, self.sequence, self.check = protocol, payload, key, sequence, check
        self._next = {"client": 0, "server": 0}

    def __call__(self, frame: Frame) -> bytes:
        flags = self.check << 15 | (self.key is not None) << 13 | self.sequence << 12
        header = struct.pack("!HH", flags, self.protocol) + (bytes(4) if self.check else b"")
        if self.key is not None:
            header += struct.pack("!I", self.key)
        if self.sequence:
            header += struct.pack("!I", self._next[frame.sender])
            self._next[frame.sender] += 1
        data = header + self.payload(frame)
        if self.check:
            data = data[:4] + checksum(data + bytes(len(data) % 2)) + data[6:]
        return data


def erspan_2(session: int) -> Payload:
    """draft-foschiano-erspan §4.2: version 1, VLAN 1, the session, port index 7."""
    return lambda frame: struct.pack("!HHI", 1 << 12 | 1, session, 7) + frame.data


def erspan_3(session: int) -> Payload:
    """§4.3: version 2, a time stamp, and a platform's own header."""
    return lambda frame: struct.pack("!HHIHHQ", 2 << 12 | 1, session, 1_000, 0, 1, 0) + frame.data


def gtp_u(endpoints: tuple[int, int], extensions: bytes = b"", payload: Payload = packet) -> Payload:
    """3GPP TS 29.281 §5: user data, for the receiver's endpoint; `extensions` begins with the type of the first."""

    def wrapped(frame: Frame) -> bytes:
        endpoint = endpoints[frame.sender == "client"]
        rest = (b"\0\0\0" + extensions if extensions else b"") + payload(frame)
        return struct.pack("!BBHI", 0x34 if extensions else 0x30, 255, len(rest), endpoint) + rest

    return wrapped


def labelled(*labels: int, payload: Payload = packet, control_word: bool = False) -> Payload:
    """RFC 3032 §2.1; the last label is the bottom of the stack. `control_word`: RFC 4385 §3."""

    def wrapped(frame: Frame) -> bytes:
        stack = [label << 12 | (place == len(labels) - 1) << 8 | 64 for place, label in enumerate(labels)]
        return struct.pack(f"!{len(stack)}I", *stack) + (bytes(4) if control_word else b"") + payload(frame)

    return wrapped


def pppoe(session: int, payload: Payload = packet) -> Payload:
    """RFC 2516 §4 and RFC 1661 §2."""

    def wrapped(frame: Frame) -> bytes:
        inner = payload(frame)
        protocol = 0x0021 if inner[0] >> 4 == 4 else 0x0057
        return struct.pack("!BBHHH", 0x11, 0, session, len(inner) + 2, protocol) + inner

    return wrapped


def _ends(frame: Frame, ends: tuple) -> tuple:
    return ends if frame.sender == "client" else ends[::-1]
