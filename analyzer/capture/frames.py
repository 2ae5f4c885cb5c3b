"""What every source of packets hands on: chunks of captured frames, as columns over one buffer."""

from __future__ import annotations

import msgspec
import numpy as np

# Bytes per chunk. Large enough that Python's cost per chunk vanishes, small enough to stay in the processor's cache.
CHUNK_BYTES = 1 << 20


class Frames(msgspec.Struct, eq=False):
    """Some captured frames, in capture order. Valid until the next chunk is asked for: the arrays are reused.

    `data` holds the bytes; all columns have shape (count,). `offset` and `captured` always lie inside `data`
    (the reader has checked), `original` is the length on the wire and is never trusted as an index.
    """

    data: memoryview  # uint8
    first_number: int  # packet number of the first frame, as Wireshark counts: from 1, per capture
    count: int
    offset: np.ndarray  # int64, index into `data`
    captured: np.ndarray  # int64, bytes present
    original: np.ndarray  # int64, bytes on the wire
    time_ns: np.ndarray  # int64, nanoseconds since 1970 UTC
    link_type: np.ndarray  # int32, LINKTYPE_ number, https://www.tcpdump.org/linktypes.html
    interface: np.ndarray  # int32, index into `Capture.interfaces`
