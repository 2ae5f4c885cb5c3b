"""Rewrites a real recording into a pcap format that this machine cannot record: other byte orders, other link types.

Only the file header, the record headers and the link headers change; packets and times stay as they were recorded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

ETHERNET, NULL, LOOP = 1, 0, 108


def rewrite(
    path: Path,
    *,
    byte_order: str = "<",
    link_type: int = ETHERNET,
    packet: Callable[[bytes], bytes] = lambda data: data,
) -> None:
    """Rewrite a little-endian pcap file with microseconds.

    `packet` makes the new bytes of each packet; b"" leaves it out.
    """
    data = path.read_bytes()
    magic, major, minor, zone, accuracy, snaplen, _ = struct.unpack_from("<IHHiIII", data)
    if magic != 0xA1B2C3D4:
        raise ValueError(f"{path} is not a little-endian pcap file with microseconds")
    out = [struct.pack(f"{byte_order}IHHiIII", magic, major, minor, zone, accuracy, snaplen, link_type)]
    at = 24
    while at < len(data):
        seconds, micros, length, original = struct.unpack_from("<IIII", data, at)
        old = data[at + 16 : at + 16 + length]
        new = packet(old)
        if new:
            header = (seconds, micros, len(new), original + len(new) - len(old))
            out.append(struct.pack(f"{byte_order}IIII", *header) + new)
        at += 16 + length
    path.write_bytes(b"".join(out))


def frames_of(path: Path) -> list[bytes]:
    """The packets of such a file."""
    data = path.read_bytes()
    frames, at = [], 24
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return frames


def family_header(byte_order: str, ipv6_family: int) -> Callable[[bytes], bytes]:
    """Ethernet header out, a BSD address family in: 2 is IPv4 everywhere, IPv6 is 24, 28 or 30 depending on the BSD."""

    def packet(data: bytes) -> bytes:
        return struct.pack(f"{byte_order}I", 2 if data[14] >> 4 == 4 else ipv6_family) + data[14:]

    return packet
