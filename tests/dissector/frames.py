"""Frames for the packet stage, without a capture file around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.capture.frames import Frames
from analyzer.dissector.packets import PacketTable
from analyzer.dissector.reader import PacketReader

CLIENT, SERVER = "10.0.0.1", "10.0.0.2"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8::2"
ETHERNET = bytes(12)


def frames(
    packets: list[bytes], link_type: int = 1, originals: list[int] | None = None, times: list[int] | None = None,
    first_number: int = 1,
) -> Frames:  # fmt: skip
    """Packets of one link type as a chunk; `originals`: lengths on the wire, else those captured."""
    lengths = np.array([len(packet) for packet in packets], np.int64)
    count = len(packets)
    return Frames(
        memoryview(bytearray(b"".join(packets) or b"\0")),
        first_number,
        count,
        np.cumsum(lengths) - lengths,
        lengths,
        np.array(originals, np.int64) if originals else lengths,
        np.array(times if times else range(count), np.int64),
        np.full(count, link_type, np.int32),
        np.zeros(count, np.int32),
    )


def read(packet: bytes, link_type: int = 1, original: int | None = None) -> dict[str, Any]:
    """The row that the header reader makes of one frame."""
    table = PacketTable()
    PacketReader().read(frames([packet], link_type, None if original is None else [original]), table)
    return {name: column[0].item() for name, column in table.columns().items()}
