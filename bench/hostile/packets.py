"""Large hostile captures, written in little time: packets are rows of NumPy arrays wherever they have one length."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

CLIENT, SERVER = 0x0A000001, 0x0A000002
SYN, ACK, SYN_ACK, PUSH_ACK = 2, 16, 18, 24
MOST_PAYLOAD = 1400  # bytes of a segment that is filled
BATCH = 1 << 17

# A record of a pcap file with link type 101, raw IP: fields as they lie there.
RECORD = np.dtype([
    ("seconds", "<u4"), ("microseconds", "<u4"), ("captured", "<u4"), ("original", "<u4"),
    ("version", "u1"), ("service", "u1"), ("length", ">u2"), ("identification", ">u2"), ("fragment", ">u2"),
    ("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("source", ">u4"), ("destination", ">u4"),
])  # fmt: skip
SEGMENT = np.dtype([
    *((name, RECORD.fields[name][0]) for name in RECORD.names),
    ("source_port", ">u2"), ("destination_port", ">u2"), ("sequence", ">u4"), ("acknowledgement", ">u4"),
    ("data_offset", "u1"), ("flags", "u1"), ("window", ">u2"), ("tcp_checksum", ">u2"), ("urgent", ">u2"),
])  # fmt: skip
FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)


def rows(count: int, payload: int = 0, segment: np.dtype = SEGMENT) -> np.ndarray:
    """So many TCP segments (or IP packets) with `payload` zero bytes each, a microsecond between them."""
    kind = np.dtype([*((name, segment.fields[name][0]) for name in segment.names), ("payload", "u1", (payload,))])
    made = np.zeros(count, kind)
    length = kind.itemsize - 16
    made["captured"] = made["original"] = made["length"] = length
    made["version"], made["ttl"], made["protocol"] = 0x45, 64, 6
    made["source"], made["destination"] = CLIENT, SERVER
    if segment is SEGMENT:
        made["source_port"], made["destination_port"] = 40000, 80
        made["data_offset"], made["flags"], made["window"] = 0x50, ACK, 65535
    return made


def stamped(made: np.ndarray, first: int) -> bytes:
    """The records, of which the first is the capture's number `first`."""
    ticks = np.arange(first, first + len(made), dtype=np.uint64)
    made["seconds"], made["microseconds"] = 1_600_000_000 + ticks // 1_000_000, ticks % 1_000_000
    return made.tobytes()


def batches(count: int) -> Iterator[tuple[int, int]]:
    """(first, how many) of each batch of `count` things."""
    for first in range(0, count, BATCH):
        yield first, min(BATCH, count - first)


class Talk:
    """One connection, written segment by segment; a side is 0, the client, or 1, the server."""

    def __init__(self, out: BinaryIO, port: int = 80):
        self._out, self._port = out, port
        self.sent = [1, 1]  # next sequence number of each side
        self._tick = 0
        out.write(FILE_HEADER)
        self.segment(0, flags=SYN, at=0)
        self.segment(1, flags=SYN_ACK, at=0)
        self.segment(0)

    def segment(self, side: int, payload: bytes = b"", flags: int = ACK, at: int | None = None) -> None:
        """One segment, whose bytes begin at offset `at` of its side (None: where the last one ended)."""
        begin = self.sent[side] if at is None else at
        acknowledgement = self.sent[1 - side] if flags & ACK else 0
        ends = (CLIENT, SERVER, 40000, self._port) if side == 0 else (SERVER, CLIENT, self._port, 40000)
        length = 40 + len(payload)
        seconds, microseconds = divmod(self._tick, 1_000_000)
        self._tick += 1
        self._out.write(
            struct.pack("<IIII", 1_600_000_000 + seconds, microseconds, length, length)
            + struct.pack(">BBHHHBBHII", 0x45, 0, length, self._tick & 0xFFFF, 0, 64, 6, 0, *ends[:2])
            + struct.pack(">HHIIBBHHH", *ends[2:], begin & 0xFFFFFFFF, acknowledgement & 0xFFFFFFFF, 0x50, flags,
                          65535, 0, 0)
            + payload
        )  # fmt: skip
        self.sent[side] = max(self.sent[side], begin + len(payload))

    def say(self, side: int, data: bytes, size: int = MOST_PAYLOAD) -> None:
        """Bytes in segments of at most `size`."""
        for at in range(0, len(data), size):
            self.segment(side, data[at : at + size], PUSH_ACK)

    def stream(self, side: int, pieces: Iterable[bytes], size: int = MOST_PAYLOAD) -> None:
        """Pieces, packed into segments of `size` whatever their own lengths are."""
        held = bytearray()
        for piece in pieces:
            held += piece
            if len(held) >= BATCH:
                whole = len(held) - len(held) % size
                self._filled(side, held[:whole], size)
                del held[:whole]
        self.say(side, bytes(held), size)

    def _filled(self, side: int, data: bytearray, size: int) -> None:
        """Segments of one size, many at once."""
        made = rows(len(data) // size, size)
        made["payload"] = np.frombuffer(bytes(data), np.uint8).reshape(-1, size)
        begins = self.sent[side] + size * np.arange(len(made), dtype=np.int64)
        made["sequence"] = begins & 0xFFFFFFFF
        made["acknowledgement"] = self.sent[1 - side] & 0xFFFFFFFF
        if side:
            made["source"], made["destination"] = SERVER, CLIENT
        made["source_port"], made["destination_port"] = (self._port, 40000) if side else (40000, self._port)
        made["identification"] = np.arange(self._tick, self._tick + len(made)) & 0xFFFF  # else they look like copies
        self._out.write(stamped(made, self._tick))
        self._tick += len(made)
        self.sent[side] += len(data)
