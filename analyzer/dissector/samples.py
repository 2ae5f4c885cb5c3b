"""Segments of connections, kept as columns so that they can be drawn: a time–sequence plot needs them one by one.

There is no Python object per packet, and what is kept is bounded. Of a connection with many segments one in n
plain ones is kept; what tells of trouble (retransmissions, SYN, FIN, RST, closed windows) is kept as long as it can be,
and how much was left out is told.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.dissector import layout
from analyzer.dissector.packets import PacketTable

MOST_CONNECTIONS: Final = 200_000  # the first ones; of later ones nothing is kept
MOST_SEGMENTS: Final = 1_000_000  # together; some 50 MB
MOST_OF_A_CONNECTION: Final = 4_000

_FEWEST_OF_A_CONNECTION: Final = 64
_SPECIAL: Final = layout.FLAG_SYN | layout.FLAG_FIN | layout.FLAG_RST
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio
_SHIFT: Final = np.uint64(24)
_NEVER: Final = 1 << 30  # a stride that keeps nothing more

COLUMNS: Final[dict[str, type[np.generic]]] = {
    "connection": np.int32,
    "lot": np.int64,  # drawn for the segment: those whose lot a stride divides are kept
    "number": np.int64,  # of the packet
    "time_ns": np.int64,  # since 1970 UTC
    "sender": np.int8,  # as in the packet table
    "offset": np.int64,  # of its first byte in its side's stream: the SYN is 0
    "ack": np.int64,  # how much of the peer's stream it acknowledges; -1: nothing
    "payload": np.int32,  # bytes
    "window": np.int32,  # as in the header, not scaled
    "flags": np.int16,
    "note": np.int8,  # layout.NOTE_
}


class Segments(NamedTuple):
    """What was kept of a connection: columns of equal length, in the order of the capture. `side`: 0 client, 1 server.
    `seen`: how many segments there were; `every`: one in `every` plain ones is kept, and one in
    `every_special` of the others."""

    number: npt.NDArray[np.int64]
    time_ns: npt.NDArray[np.int64]
    side: npt.NDArray[np.int8]
    offset: npt.NDArray[np.int64]
    ack: npt.NDArray[np.int64]
    payload: npt.NDArray[np.int32]
    window: npt.NDArray[np.int32]
    flags: npt.NDArray[np.int16]
    note: npt.NDArray[np.int8]
    seen: int
    every: int
    every_special: int


class Samples:
    """Takes packet tables and keeps segments. `orient` is told of finished connections, `of` gives their segments
    after `finish`."""

    def __init__(self, most: int = MOST_SEGMENTS, most_of_a_connection: int = MOST_OF_A_CONNECTION):
        self._most, self._most_each = most, most_of_a_connection
        self._parts: list[dict[str, npt.NDArray[Any]]] = []
        self._held = 0
        self._seen = np.zeros(1024, np.int64)  # by connection
        # By connection: of plain segments and of special ones, one in n is kept.
        self._stride, self._special = np.ones(1024, np.int32), np.ones(1024, np.int32)
        self._swapped = np.zeros(1024, np.int8)  # by connection: the sender of the first packet is the server
        self._all: dict[str, npt.NDArray[Any]] = {}
        self._begins = np.zeros(1, np.int64)

    def take(self, table: PacketTable) -> None:
        """The segments of a chunk."""
        n = table.count
        ids = table.connection[:n]
        at = np.flatnonzero((table.kind[:n] == layout.KIND_TCP) & (ids >= 0) & (ids < MOST_CONNECTIONS))
        # A segment that came after its connection had been reported is not part of it, and has no place in the row.
        at = at[table.row[at] >= 0]
        if not len(at):
            return
        ids = ids[at]
        self._grow(int(ids.max()) + 1)
        lots = self._lots(ids)
        part = {
            "connection": ids, "lot": lots, "number": table.number[at], "time_ns": table.time_ns[at],
            "sender": table.sender[at], "offset": table.stream_offset[at], "ack": table.ack_offset[at],
            "payload": table.payload[at], "window": table.window[at], "flags": table.flags[at], "note": table.note[at],
        }  # fmt: skip
        kept = self._kept(part)
        self._parts.append({name: part[name][kept].astype(dtype) for name, dtype in COLUMNS.items()})
        self._held += int(np.count_nonzero(kept))
        if self._held > 2 * self._most:
            self._thin()

    def orient(self, rows: npt.NDArray[np.int64]) -> None:
        """Who is who is known for certain when a connection is finished."""
        ids = rows[:, layout.ID]
        known = ids < MOST_CONNECTIONS
        if known.any():
            ids = ids[known]
            self._grow(int(ids.max()) + 1)
            self._swapped[ids] = (rows[known, layout.FLAGS] & layout.SWAPPED) != 0

    def finish(self) -> None:
        """The capture is over."""
        self._thin()
        if self._parts:
            (kept,) = self._parts
            order = np.lexsort((kept["number"], kept["connection"]))
            self._all = {name: column[order] for name, column in kept.items()}
            self._parts = []
        else:
            self._all = {name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()}
        self._begins = np.searchsorted(self._all["connection"], np.arange(len(self._seen) + 1))

    def of(self, connection: int) -> Segments | None:
        """What was kept of a connection; None if nothing was."""
        if not 0 <= connection < len(self._seen):
            return None
        begin, end = self._begins[connection], self._begins[connection + 1]
        if begin == end:
            return None
        part = {name: column[begin:end] for name, column in self._all.items()}
        side = part["sender"] ^ self._swapped[connection]
        return Segments(
            part["number"],
            part["time_ns"],
            side,
            part["offset"],
            part["ack"],
            part["payload"],
            part["window"],
            part["flags"],
            part["note"],
            seen=int(self._seen[connection]),
            every=int(self._stride[connection]),
            every_special=int(self._special[connection]),
        )

    def _grow(self, count: int) -> None:
        if count > len(self._seen):
            more = min(max(count, 2 * len(self._seen)), MOST_CONNECTIONS) - len(self._seen)
            self._seen = np.concatenate([self._seen, np.zeros(more, np.int64)])
            self._stride = np.concatenate([self._stride, np.ones(more, np.int32)])
            self._special = np.concatenate([self._special, np.ones(more, np.int32)])
            self._swapped = np.concatenate([self._swapped, np.zeros(more, np.int8)])

    def _lots(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Of each segment a number that follows from its place among its connection's and looks drawn by lot: traffic
        has rhythms, and every second segment may well be alike."""
        order = np.argsort(ids, kind="stable")
        in_order = ids[order]
        begins = np.flatnonzero(np.diff(in_order, prepend=-1))
        lengths = np.diff(begins, append=len(ids))
        ordinals = np.empty(len(ids), np.int64)
        ordinals[order] = np.arange(len(ids)) - np.repeat(begins, lengths) + self._seen[in_order]
        self._seen[in_order[begins]] += lengths
        return (ordinals.astype(np.uint64) * _SPREAD >> _SHIFT).astype(np.int64)

    def _kept(self, part: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
        noted = (part["note"] != layout.NOTE_NONE) & (part["note"] != layout.NOTE_COPY)
        special = noted | (part["flags"] & _SPECIAL != 0) | (part["window"] == 0)
        strides = np.where(special, self._special[part["connection"]], self._stride[part["connection"]])
        kept: npt.NDArray[np.bool_] = (part["lot"] % strides == 0) & (strides < _NEVER)
        return kept

    def _thin(self) -> None:
        """Keeps fewer of the connections that have the most, until all together are few enough."""
        if not self._parts:
            return
        together = {name: np.concatenate([part[name] for part in self._parts]) for name in COLUMNS}
        most = self._most_each
        while True:
            ids = together["connection"]
            counts = np.bincount(ids, minlength=1)
            many = np.flatnonzero(counts > most)
            if len(many):
                together = self._halve(together, counts, many)
            elif len(ids) <= self._most:
                break
            elif most > _FEWEST_OF_A_CONNECTION:
                most //= 2
            else:  # so many connections that even few of each are too many: the last ones are not drawn
                beyond = int(ids[np.argsort(ids, kind="stable")[self._most]])
                self._stride[beyond:] = self._special[beyond:] = _NEVER
                together = {name: column[ids < beyond] for name, column in together.items()}
                break
        self._parts = [together]
        self._held = len(together["connection"])

    def _halve(
        self, together: dict[str, npt.NDArray[Any]], counts: npt.NDArray[np.intp], many: npt.NDArray[np.intp]
    ) -> dict[str, npt.NDArray[Any]]:
        """Of each of these connections half as many plain segments; where that changes little, half as many others."""
        self._stride[many] *= 2
        kept = self._kept(together)
        ids = together["connection"]
        after = np.bincount(ids[kept], minlength=len(counts))
        stubborn = many[after[many] * 8 > counts[many] * 7]
        if len(stubborn):
            self._special[stubborn] *= 2
            kept = self._kept(together)
        return {name: column[kept] for name, column in together.items()}
