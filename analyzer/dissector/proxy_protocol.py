"""The PROXY protocol, versions 1 and 2: a header by which a proxy tells a server who the client is, before anything
else on the connection (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).

Only the client's side has one, and only once. Whoever reads the connection calls `probe` and `parse` on its first bytes
and hands on what lies behind the header's `length`.
"""

from __future__ import annotations

import ipaddress
from typing import Final

import msgspec

from analyzer.dissector.probing import Probe
from analyzer.model import Endpoint

V1_LONGEST: Final = 107  # bytes with CRLF, §2.1
V2_FIXED: Final = 16  # §2.2
LONGEST: Final = V2_FIXED + 65535

_V1: Final = b"PROXY "
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
# Address bytes by family: TCP/UDP over IPv4, over IPv6; Unix addresses are not shown.
_ADDRESS_BYTES: Final = {1: 4, 2: 16}
_TRANSPORTS: Final = {0: "unspecified", 1: "stream", 2: "datagram"}


class Header(msgspec.Struct, frozen=True, gc=False):
    """What a proxy said. No endpoints: LOCAL, UNKNOWN, or addresses that are not IP."""

    version: int
    command: str  # "PROXY" or "LOCAL"
    transport: str  # "stream", "datagram" or "unspecified"
    source: Endpoint | None
    destination: Endpoint | None
    length: int  # bytes, this header's own
    options: tuple[tuple[int, int], ...] = ()  # version 2: type and bytes of each TLV, §2.2.1
    fault: str | None = None


def probe(data: bytes | memoryview) -> Probe:
    """Whether a connection's first bytes from its client are a PROXY protocol header. MATCH: all of it is there."""
    first = bytes(data[:LONGEST])
    if first.startswith(_V2):
        if len(first) < V2_FIXED:
            return Probe.NEED_MORE
        if first[12] >> 4 != 2 or first[12] & 0x0F > 1:
            return Probe.NO_MATCH
        return Probe.MATCH if len(first) >= V2_FIXED + int.from_bytes(first[14:16], "big") else Probe.NEED_MORE
    if first.startswith(_V1):
        end = first.find(b"\r\n", 0, V1_LONGEST)
        if end >= 0:
            return Probe.NO_MATCH if _parse_v1(first[:end]) is None else Probe.MATCH
        return Probe.NEED_MORE if len(first) < V1_LONGEST else Probe.NO_MATCH
    begins = _V1.startswith(first) or _V2.startswith(first)
    return Probe.NEED_MORE if begins else Probe.NO_MATCH


def parse(data: bytes | memoryview) -> Header | None:
    """The header at the start of `data`; None unless `probe` says MATCH."""
    if probe(data) is not Probe.MATCH:
        return None
    first = bytes(data[:LONGEST])
    return _parse_v2(first) if first.startswith(_V2) else _parse_v1(first[: first.index(b"\r\n")])


def _parse_v1(line: bytes) -> Header | None:
    """§2.1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`"""
    length = len(line) + 2
    words = line.split(b" ")
    if words[1:2] == [b"UNKNOWN"]:
        return Header(1, "PROXY", "unspecified", None, None, length)
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        return None
    version = 4 if words[1] == b"TCP4" else 6
    source, destination = _endpoint(words[2], words[4], version), _endpoint(words[3], words[5], version)
    if source is None or destination is None:
        return None
    return Header(1, "PROXY", "stream", source, destination, length)


def _endpoint(address: bytes, port: bytes, version: int) -> Endpoint | None:
    if not port.isdigit() or len(port) > 5 or int(port) > 65535:
        return None
    try:
        parsed = ipaddress.ip_address(address.decode("ascii"))
    except ValueError:
        return None
    return Endpoint(str(parsed), int(port)) if parsed.version == version else None


def _parse_v2(data: bytes) -> Header:
    """§2.2"""
    command = "PROXY" if data[12] & 0x0F else "LOCAL"
    family, transport = data[13] >> 4, _TRANSPORTS.get(data[13] & 0x0F, "unspecified")
    body = data[V2_FIXED : V2_FIXED + int.from_bytes(data[14:16], "big")]
    length = V2_FIXED + len(body)
    size = _ADDRESS_BYTES.get(family)
    addresses = 216 if family == 3 else 0 if size is None else 2 * size + 4
    if len(body) < addresses:
        return Header(2, command, transport, None, None, length, (), "addresses longer than their header (PROXY §2.2)")
    options, fault = _options(body[addresses:])
    if size is None or command == "LOCAL":
        return Header(2, command, transport, None, None, length, options, fault)
    ends = []
    for at, port_at in ((0, 2 * size), (size, 2 * size + 2)):
        address = ipaddress.ip_address(body[at : at + size])
        ends.append(Endpoint(str(address), int.from_bytes(body[port_at : port_at + 2], "big")))
    return Header(2, command, transport, ends[0], ends[1], length, options, fault)


def _options(data: bytes) -> tuple[tuple[tuple[int, int], ...], str | None]:
    found, at = [], 0
    while at + 3 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        if at + 3 + size > len(data):
            break
        found.append((data[at], size))
        at += 3 + size
    return tuple(found), "a TLV longer than its header (PROXY §2.2.1)" if at < len(data) else None
