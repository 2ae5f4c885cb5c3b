"""Captures as bytes, and what a reader said of them, so that a test is one conversation."""

from __future__ import annotations

import dataclasses
import io
import os
import struct
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from analyzer.capture.source import Capture, Interface, Secrets, open_capture

MICRO, NANO, PATCHED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


class Packet(NamedTuple):
    data: bytes
    at_ns: int = 0
    original: int | None = None

    @property
    def on_wire(self) -> int:
        return len(self.data) if self.original is None else self.original


def pcap_header(order: str = "<", magic: int = MICRO, version: tuple[int, int] = (2, 4), snaplen: int = 65535,
                link_type: int = 1) -> bytes:  # fmt: skip
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snaplen, link_type)


def pcap_record(packet: Packet, order: str = "<", magic: int = MICRO) -> bytes:
    seconds, ns = divmod(packet.at_ns, 10**9)
    fraction = ns if magic == NANO else ns // 1000
    fields = struct.pack(order + "IIII", seconds, fraction, len(packet.data), packet.on_wire)
    return fields + (b"patched!" if magic == PATCHED else b"") + packet.data


def pcap(*packets: Packet, order: str = "<", magic: int = MICRO, snaplen: int = 65535, link_type: int = 1) -> bytes:
    records = (pcap_record(packet, order, magic) for packet in packets)
    return pcap_header(order, magic, snaplen=snaplen, link_type=link_type) + b"".join(records)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + padded(value)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    length = struct.pack(order + "I", 12 + len(padded(body)))
    return struct.pack(order + "I", kind) + length + padded(body) + length


def section(order: str = "<", version: tuple[int, int] = (1, 0), options: bytes = b"", length: int = -1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, length) + options, order)


def interface(order: str = "<", link_type: int = 1, snaplen: int = 0, name: str | None = None,
              resolution: int | None = None, offset_s: int | None = None, options: bytes = b"") -> bytes:  # fmt: skip
    known = b""
    if name is not None:
        known += option(2, name.encode(), order)
    if resolution is not None:
        known += option(9, bytes([resolution]), order)
    if offset_s is not None:
        known += option(14, struct.pack(order + "q", offset_s), order)
    return block(1, struct.pack(order + "HHI", link_type, 0, snaplen) + known + options, order)


def enhanced(data: bytes, ticks: int = 0, owner: int = 0, original: int | None = None, order: str = "<",
             options: bytes = b"") -> bytes:  # fmt: skip
    on_wire = len(data) if original is None else original
    fields = struct.pack(order + "IIIII", owner, ticks >> 32, ticks & 0xFFFFFFFF, len(data), on_wire)
    return block(6, fields + padded(data) + options, order)


def obsolete(data: bytes, ticks: int = 0, owner: int = 0, original: int | None = None, order: str = "<") -> bytes:
    on_wire = len(data) if original is None else original
    fields = struct.pack(order + "HHIIII", owner, 7, ticks >> 32, ticks & 0xFFFFFFFF, len(data), on_wire)
    return block(2, fields + data, order)


def simple(data: bytes, original: int | None = None, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(data) if original is None else original) + data, order)


def statistics(owner: int = 0, order: str = "<", **counts: int) -> bytes:
    codes = {"ifrecv": 4, "ifdrop": 5, "filteraccept": 6, "osdrop": 7}
    options = b"".join(option(codes[name], struct.pack(order + "Q", count), order) for name, count in counts.items())
    return block(5, struct.pack(order + "III", owner, 0, 0) + options + option(0, b"", order), order)


def secrets(data: bytes, kind: int = 0x544C534B, order: str = "<") -> bytes:
    return block(10, struct.pack(order + "II", kind, len(data)) + data, order)


class Frame(NamedTuple):
    """One row of `Frames`, with the bytes it points to."""

    number: int
    time_ns: int
    data: bytes
    original: int
    link_type: int
    interface: int


@dataclasses.dataclass
class Seen:
    """All that a capture said; equal if the chunking made no difference."""

    frames: list[Frame]
    warnings: list[str]
    interfaces: list[Interface]
    secrets: list[Secrets]

    @property
    def data(self) -> list[bytes]:
        return [frame.data for frame in self.frames]

    @property
    def times(self) -> list[int]:
        return [frame.time_ns for frame in self.frames]


def rows(capture: Capture) -> Iterable[list[Frame]]:
    """The frames chunk by chunk, copied out of the reused arrays."""
    for chunk in capture:
        columns = (chunk.offset, chunk.captured, chunk.time_ns, chunk.original, chunk.link_type, chunk.interface)
        assert all(column.shape == (chunk.count,) for column in columns)
        yield [
            Frame(chunk.first_number + row, time_ns, bytes(chunk.data[at : at + size]), original, link_type, owner)
            for row, (at, size, time_ns, original, link_type, owner) in enumerate(
                zip(*(column.tolist() for column in columns), strict=True)
            )
        ]


def seen(capture: Capture) -> Seen:
    frames = [frame for chunk in rows(capture) for frame in chunk]
    assert capture.packets == len(frames)
    for damage in capture.warnings:
        assert f"byte offset {damage.offset}" in damage.message
        assert "\n" not in damage.message
    return Seen(frames, [str(damage) for damage in capture.warnings], capture.interfaces, capture.secrets)


class Stuttering(io.RawIOBase):
    """A file whose reads are what the test says: bytes that arrive, or an error that is raised."""

    def __init__(self, *script: bytes | BaseException):
        self.script = list(script)

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:
        if not self.script:
            return 0
        step = self.script.pop(0)
        if not isinstance(step, bytes):
            raise step
        if len(step) > len(room):
            self.script.insert(0, step[len(room) :])
            step = step[: len(room)]
        room[: len(step)] = step
        return len(step)


def read(data: bytes, chunk_bytes: int = 1 << 20) -> Seen:
    with open_capture(io.BytesIO(data), chunk_bytes=chunk_bytes) as capture:
        return seen(capture)


def read_through_pipe(data: bytes, sizes: Sequence[int], chunk_bytes: int) -> Seen:
    """Writes `data` into a pipe in pieces of these sizes, over and over, while the other end is read."""
    output, into = os.pipe()

    def write() -> None:
        with open(into, "wb", buffering=0) as file:
            at = turn = 0
            while at < len(data):
                try:
                    at += file.write(data[at : at + sizes[turn % len(sizes)]])
                except BrokenPipeError:  # the reader has seen enough
                    return
                turn += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with open(output, "rb", buffering=0) as file, open_capture(file, chunk_bytes=chunk_bytes) as capture:
            return seen(capture)
    finally:
        writer.join()
