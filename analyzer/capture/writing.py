"""Writing pcapng, and adding TLS secrets to it. Source: draft-ietf-opsawg-pcapng; sections below are its sections."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analyzer.capture import packing
from analyzer.capture.base import TLS_KEY_LOG, Capture
from analyzer.capture.frames import Frames
from analyzer.capture.pcapng import (
    INTERFACE,
    ORDERS,
    PACKETS,
    SECRETS,
    SECTION_HEADER,
    SECTION_HEADER_BYTES,
    STATISTICS,
)
from analyzer.capture.window import Readable

ENHANCED_PACKET: Final = 6
NANOSECONDS: Final = 9  # if_tsresol: 10**-9 s
_UNKNOWN_LENGTH: Final = (1 << 64) - 1
_PIECE_BYTES: Final = 1 << 20


class PcapngWriter:
    """Writes one section, in little-endian order, times in nanoseconds."""

    def __init__(self, write: Callable[[Any], object]):
        """`write` takes bytes, and for `frames` a memoryview that is reused."""
        self._write = write
        self._room = memoryview(bytearray())  # for `frames`, kept
        program = _option(4, b"analyzer") + _option(0, b"")
        self._block(SECTION_HEADER, struct.pack("<IHHQ", 0x1A2B3C4D, 1, 0, _UNKNOWN_LENGTH) + program)

    def interface(self, link_type: int, snaplen: int, name: str | None = None) -> None:
        """§4.2. Packets name interfaces by the order in which they were written, from 0. `link_type`: LINKTYPE_."""
        options = _option(2, name.encode()) if name else b""
        options += _option(9, bytes([NANOSECONDS])) + _option(0, b"")
        self._block(INTERFACE, struct.pack("<HHI", link_type & 0xFFFF, 0, snaplen) + options)

    def secrets(self, key_log: bytes) -> None:
        """§4.7. Before the packets that they decrypt."""
        self._write(secrets_block(key_log, "<"))

    def packet(self, interface: int, time_ns: int, data: bytes | memoryview, original: int) -> None:
        """§4.3. `original`: bytes on the wire; `time_ns`: since 1970 UTC, 0 if before."""
        ticks = max(0, time_ns)
        head = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), original)
        self._block(ENHANCED_PACKET, head + bytes(data) + bytes(-len(data) % 4))

    def frames(self, frames: Frames, options: npt.NDArray[np.uint8] | None = None) -> None:
        """All packets of a chunk, in one write. Their interfaces are those written so far.

        `options`, shape (count, bytes): of each block, with their end (§3.5).
        """
        tails = np.empty((frames.count, 0), np.uint8) if options is None else options
        heads = np.empty((frames.count, packing.HEAD_BYTES // 4), "<u4")
        lengths = 32 + tails.shape[1] + frames.captured + (-frames.captured & 3)
        ticks = np.maximum(frames.time_ns, 0)
        columns = (ENHANCED_PACKET, lengths, frames.interface, ticks >> 32, ticks & 0xFFFFFFFF, frames.captured)
        for at, column in enumerate(columns):
            heads[:, at] = column
        heads[:, len(columns)] = frames.original & 0xFFFFFFFF
        size = int(lengths.sum())
        if len(self._room) < size:
            self._room = memoryview(bytearray(size))
        octets = heads.view(np.uint8).data
        packing.pack(frames.data, frames.offset.data, frames.captured.data, octets, tails.data, self._room)
        self._write(self._room[:size])

    def statistics(self, interface: int, time_ns: int, received: int, dropped: int) -> None:
        """§4.6. `received`: packets that passed the filter, dropped ones among them; `dropped` by the system."""
        head = struct.pack("<III", interface, time_ns >> 32, time_ns & 0xFFFFFFFF)
        counts = _option(4, struct.pack("<Q", received)) + _option(7, struct.pack("<Q", dropped)) + _option(0, b"")
        self._block(STATISTICS, head + counts)

    def ended(self, interface: int, time_ns: int) -> None:
        """§4.6. When the capture ended, nanoseconds since 1970 UTC: until then there was no other packet."""
        when = struct.pack("<II", time_ns >> 32, time_ns & 0xFFFFFFFF)
        self._block(STATISTICS, struct.pack("<I", interface) + when + _option(3, when) + _option(0, b""))

    def _block(self, kind: int, body: bytes) -> None:
        self._write(_block(kind, body, "<"))


def _block(kind: int, body: bytes, order: str) -> bytes:
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def numbered_comments(
    numbers: npt.NDArray[np.int64], before: bytes, after: bytes
) -> Iterator[tuple[slice, npt.NDArray[np.uint8]]]:
    """Options for `PcapngWriter.frames`: a comment (§3.5) per packet, its number between two texts in UTF-8.

    `numbers` ascend. In runs of numbers with as many digits, each with its part of `numbers`, so that all rows of an
    array have one length.
    """
    begin = 0
    while begin < len(numbers):
        digits = len(str(numbers[begin]))
        end = begin + int(np.searchsorted(numbers[begin:], 10**digits))
        template = _option(1, before + bytes(digits) + after) + _option(0, b"")
        options = np.tile(np.frombuffer(template, np.uint8), (end - begin, 1))
        for place in range(digits):
            column = 4 + len(before) + digits - 1 - place
            options[:, column] = 48 + numbers[begin:end] // 10**place % 10
        yield slice(begin, end), options
        begin = end


def secrets_block(key_log: bytes, order: str) -> bytes:
    """A decryption secrets block (§4.7). `order`: "<" or ">", that of its section."""
    body = struct.pack(order + "II", TLS_KEY_LOG, len(key_log)) + key_log + bytes(-len(key_log) % 4)
    return _block(SECRETS, body, order)


def copy_frames(capture: Capture, writer: PcapngWriter) -> int:
    """Copies all packets of a capture; how many. Interfaces are written before their first packet."""
    written = packets = 0
    for frames in capture:
        for interface in capture.interfaces[written:]:
            writer.interface(interface.link_type, interface.snaplen, interface.name)
        written = max(written, len(capture.interfaces))
        if frames.count:
            writer.frames(frames)
        packets += frames.count
    return packets


def copy_pcapng(source: Readable, write: Callable[[bytes], object], key_log: bytes) -> None:
    """Copies a pcapng file block by block, as it is, with a secrets block before its first packet. What is damaged is
    copied as it is."""
    order = "<"
    while head := source.read(8):
        if head[:4] == SECTION_HEADER_BYTES:
            head += source.read(4)
            order = ORDERS.get(head[8:12], order)
        if len(head) < 8:
            write(head)
            return
        kind, length = struct.unpack_from(order + "II", head)
        if kind in PACKETS:
            write(secrets_block(key_log, order) + head)
            break
        write(head)
        _copy(source, write, max(0, length - len(head)))
    while piece := source.read(_PIECE_BYTES):
        write(piece)


def _copy(source: Readable, write: Callable[[bytes], object], count: int) -> None:
    while count and (piece := source.read(min(count, _PIECE_BYTES))):
        write(piece)
        count -= len(piece)
