"""Exchanges the Ethernet headers of a real recording for those of another link layer; for `conversion.rewrite`."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from pathlib import Path

from conversion import frames_of

PPP, CISCO_HDLC, WIRELESS, PRISM, RADIOTAP, PPI = 9, 104, 105, 119, 127, 192
ACCESS_POINT = bytes.fromhex("020000000200")
Packet = Callable[[bytes], bytes]


def ppp(data: bytes) -> bytes:
    """RFC 1662 §3.1."""
    return b"\xff\x03" + struct.pack("!H", 0x0021 if data[14] >> 4 == 4 else 0x0057) + data[14:]


def cisco_hdlc(data: bytes) -> bytes:
    """RFC 1547 §4.3.1."""
    return b"\x0f\0" + data[12:]


def llc_snap(data: bytes) -> bytes:
    """IEEE 802.3 with a length, then RFC 1042."""
    return data[:12] + struct.pack("!H", len(data) - 14 + 8) + _snap(data)


def _snap(data: bytes) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + data[12:]


def wireless(*, quality: bool = False, bridged: bool = False, protected: bool = False) -> Packet:
    """IEEE 802.11 §9.3.2: from a station to its access point, or from it; `bridged`: between two of those."""
    sequence = itertools.count()

    def packet(data: bytes) -> bytes:
        return wireless_header(data, next(sequence), quality, bridged, protected) + _snap(data)

    return packet


def wireless_header(
    data: bytes, sequence: int, quality: bool = False, bridged: bool = False, protected: bool = False,
    aggregate: bool = False,
) -> bytes:  # fmt: skip
    """`data`: the Ethernet frame that it is for. The lower address is the station's."""
    destination, source = data[:6], data[6:12]
    upward = source < destination
    flags = 3 if bridged else 1 if upward else 2
    addresses = ACCESS_POINT + (source + destination if upward else destination + source)
    if not bridged and not upward:
        addresses = destination + ACCESS_POINT + source
    if bridged:
        addresses = ACCESS_POINT[:5] + b"\1" + ACCESS_POINT + destination
    header = struct.pack("<BBH", 0x88 if quality else 0x08, flags | protected << 6, 0) + addresses
    header += struct.pack("<H", (sequence & 0xFFF) << 4)
    if bridged:
        header += source
    if quality:
        header += struct.pack("<H", aggregate << 7)
    return header + (bytes([1, 0, 0, 0x20, 0, 0, 0, 0]) if protected else b"")  # CCMP, §12.5.3.2


def radiotap(packet: Packet) -> Packet:
    """https://www.radiotap.org: TSFT, flags (with a check sequence at the end), rate, channel."""

    def wrapped(data: bytes) -> bytes:
        header = struct.pack("<BBHIQBBHH", 0, 0, 22, 0x0F, 1_000_000, 0x10, 12, 2412, 0x00A0)
        return header + packet(data) + b"\xff\xff\xff\xff"

    return wrapped


def prism(packet: Packet) -> Packet:
    """144 bytes of what the card said."""
    return lambda data: struct.pack("<II16s", 0x44, 144, b"wlan0") + bytes(120) + packet(data)


def ppi(packet: Packet) -> Packet:
    """A header without fields that names the link type of IEEE 802.11."""
    return lambda data: struct.pack("<BBHI", 0, 0, 8, WIRELESS) + packet(data)


def aggregates(path: Path) -> Packet:
    """A-MSDUs, §9.3.2.2: what one side sends in a row goes in one frame, three packets at most."""
    frames = frames_of(path)
    last, run = set(), 0
    for place, data in enumerate(frames):
        run += 1
        if place + 1 == len(frames) or frames[place + 1][6:12] != data[6:12] or run == 3:
            last.add(place)
            run = 0
    places, sequence, waiting = itertools.count(), itertools.count(), []

    def packet(data: bytes) -> bytes:
        waiting.append(data)
        if next(places) not in last:
            return b""
        parts = []
        for one in waiting:
            subframe = one[:12] + struct.pack("!H", len(one) - 14 + 8) + _snap(one)
            parts.append(subframe + bytes(-len(subframe) % 4))
        waiting.clear()
        return wireless_header(data, next(sequence), quality=True, aggregate=True) + b"".join(parts)

    return packet
