"""Several captures as one, in the order of time: rotated files, or one file per interface."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from analyzer.capture.base import MAX_ROWS, Capture, Columns, Damage
from analyzer.capture.frames import CHUNK_BYTES, Frames
from analyzer.capture.source import STANDARD_INPUT, open_capture
from analyzer.capture.window import Readable
from analyzer.errors import InputError, UsageError

Source = str | os.PathLike[str] | Readable

# The chunks of files that are read at the same time, because they overlap in time, have together at most the first
# number of bytes, and each at least the second.
MAX_CHUNKS_BYTES = 64 << 20
LEAST_CHUNK_BYTES = 64 << 10

NAMED = 3  # parts that the name of the whole names

_BEFORE_ALL = -(1 << 63)


def merged_name(names: Sequence[str]) -> str:
    """What several captures are called together: `a.pcap + b.pcap`, and of more than three how many are left out."""
    more = len(names) - NAMED
    return " + ".join((*names[:NAMED], *([f"{more:,} more"] if more > 0 else [])))


class _Part:
    """One of the captures. Rows `at` and later of its chunk are not merged yet.

    `keys`, shape (count,): when each row is due, in nanoseconds since 1970. That is the latest time in the file so far:
    a packet that is older than one before it follows that one at once, since of all next packets it is the oldest.
    """

    def __init__(self, source: Source, rank: int):
        self.source, self.rank = source, rank
        self.name = ""
        self.size: int | None = None
        self.capture: Capture | None = None
        self.chunk_bytes = 0  # of its capture
        self.frames: Frames | None = None
        self.keys: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.at = 0
        self.begins = _BEFORE_ALL  # when its first packet is due
        self.read = 0  # bytes, when it is closed
        # Handed on to the whole so far, and the places there of its interfaces, shape (interfaces,).
        self.secrets = self.warnings = 0
        self.places: npt.NDArray[np.int32] = np.zeros(0, np.int32)

    # Of several packets that are due at the same time, the one of the last file comes first.

    @property
    def first(self) -> tuple[int, int]:
        return self.begins, -self.rank

    @property
    def last(self) -> tuple[int, int]:
        return int(self.keys[-1]), -self.rank

    def rows_until(self, limit: tuple[int, int]) -> int:
        """How many rows are due up to `limit`, which is included."""
        side = "right" if -self.rank <= limit[1] else "left"
        return int(np.searchsorted(self.keys[self.at :], limit[0], side))  # type: ignore[call-overload]

    def open(self, chunk_bytes: int) -> Capture:
        self.chunk_bytes = chunk_bytes
        self.capture = open_capture(self.source, chunk_bytes=chunk_bytes)
        self.name, self.size = self.capture.name, self.capture.size
        return self.capture

    @property
    def position(self) -> int:
        return self.capture.position if self.capture else self.read

    def close(self) -> None:
        self.read = self.position
        if self.capture:
            self.capture.close()
        self.capture = self.frames = None


class MergedCapture(Capture):
    """Captures as one; also iterates over `Frames`.

    Packets are numbered from 1 in the order in which Wireshark's mergecap writes them: always the file is chosen whose
    next packet is the oldest, of several the last one. A file is open only while its time has come, and once before, to
    see when that is and which secrets it holds before its first packet: these are known from the start. Raises
    InputError if one of the sources cannot be read.
    """

    format: ClassVar[str] = "merged"

    def __init__(self, sources: Sequence[Source], chunk_bytes: int = CHUNK_BYTES) -> None:
        if not sources:
            raise UsageError("there is nothing to merge: name two or more captures")
        super().__init__("", None)
        self._chunk_bytes = chunk_bytes
        self._parts = [_Part(source, rank) for rank, source in enumerate(sources)]
        self._waiting: list[_Part] = []  # files whose time has not come, the next one last
        self._empty: list[_Part] = []  # open; the next chunk is to be read
        self._active: list[_Part] = []  # open; there are rows
        self._room = memoryview(bytearray())
        self._batch: Frames | None = None  # merged; rows `_at` and later are not delivered yet
        self._at = 0
        self._ended = False
        try:
            for part in self._parts:
                self._begin(part)
        except BaseException:
            self.close()
            raise
        self._waiting.sort(key=lambda part: part.first, reverse=True)
        self.name = merged_name([part.name for part in self._parts])
        sizes = [part.size for part in self._parts]
        self.size = None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def position(self) -> int:
        return sum(part.position for part in self._parts)

    def close(self) -> None:
        self._ended = True
        for part in self._parts:
            part.close()

    def __next__(self) -> Frames:
        while self._batch is None:
            if self._ended:
                raise StopIteration
            if not self._refill():
                return Frames(self._room, self.packets + 1, 0, *Columns(0).arrays)
            self._wake()
            if self._active:
                self._batch, self._at = self._merge(min(part.last for part in self._active)), 0
            elif not self._empty:
                self._ended = True
        batch, rows = self._batch, slice(self._at, min(self._at + MAX_ROWS, self._batch.count))
        self._at = rows.stop
        if self._at == batch.count:
            self._batch = None
        frames = Frames(batch.data, self.packets + 1, rows.stop - rows.start, *_columns(batch, rows))
        self.packets += frames.count
        return frames

    def _begin(self, part: _Part) -> None:
        if not _can_be_opened_again(part.source):
            part.open(min(self._chunk_bytes, max(MAX_CHUNKS_BYTES // len(self._parts), LEAST_CHUNK_BYTES)))
            self._empty.append(part)
            return
        with part.open(min(self._chunk_bytes, LEAST_CHUNK_BYTES)) as capture:
            frames = next(capture, None)
            if frames is not None:
                part.begins = int(frames.time_ns[0])
            self.secrets += capture.secrets
            part.secrets = len(capture.secrets)
        part.capture = None
        self._waiting.append(part)

    def _wake(self) -> None:
        """Opens the files that have packets which are due before those that are at hand end."""
        while self._waiting:
            if self._active and self._waiting[-1].first > min(part.last for part in self._active):
                return
            part = self._waiting.pop()
            # Nobody knows how many more files there will be at the same time: each has an eighth of what is left.
            left = MAX_CHUNKS_BYTES - sum(one.chunk_bytes for one in (*self._active, *self._empty))
            try:
                part.open(min(self._chunk_bytes, max(left // 8, LEAST_CHUNK_BYTES)))
            except InputError as error:  # it could be read a moment ago
                self.warnings.append(Damage(0, str(error)))
            else:
                self._read(part)

    def _refill(self) -> bool:
        """Reads until there are rows of every open file. False if only pipes are left, and nothing came of them."""
        while self._empty:
            self._empty = [part for part in self._empty if not self._read(part)]
            if self._empty and not self._active and not self._waiting:
                return False
        return True

    def _read(self, part: _Part) -> bool:
        """Reads the next chunk of a part, or closes it at its end; false if it is a pipe, and quiet."""
        capture = part.capture
        assert capture is not None
        frames = next(capture, None)
        self._hear(part, capture)
        if frames is None:
            part.close()
            return True
        if not frames.count:
            return False
        latest = part.keys[-1:]  # of the chunk before
        part.keys = np.maximum.accumulate(np.concatenate((latest, frames.time_ns)))[len(latest) :]
        part.frames, part.at = frames, 0
        self._active.append(part)
        return True

    def _hear(self, part: _Part, capture: Capture) -> None:
        """Takes over what a part has said besides packets."""
        self.secrets += capture.secrets[part.secrets :]
        part.secrets = max(part.secrets, len(capture.secrets))
        news = capture.warnings[part.warnings :]
        self.warnings += [Damage(damage.offset, f"{part.name}: {damage.message}") for damage in news]
        part.warnings += len(news)
        interfaces = capture.interfaces[len(part.places) :]
        places = np.arange(len(self.interfaces), len(self.interfaces) + len(interfaces), dtype=np.int32)
        part.places = np.concatenate((part.places, places))
        self.interfaces += interfaces

    def _merge(self, limit: tuple[int, int]) -> Frames:
        """The rows that are due up to `limit`, in order. One part has no rows left then."""
        pieces: list[tuple[memoryview, list[np.ndarray]]] = []  # the bytes with the packets, and columns
        keys: list[npt.NDArray[np.int64]] = []
        for part in sorted(self._active, key=lambda part: -part.rank):
            frames, count = part.frames, part.rows_until(limit)
            if frames is None or not count:
                continue
            rows = slice(part.at, part.at + count)
            part.at += count
            keys.append(part.keys[rows])
            columns = _columns(frames, rows)
            columns[-1] = part.places[columns[-1]]
            pieces.append((frames.data, columns))
            if part.at == frames.count:
                self._active.remove(part)
                self._empty.append(part)
        if len(pieces) == 1:  # as always where files do not overlap
            ((data, columns),) = pieces
            return Frames(data, 1, len(columns[0]), *columns)
        data = self._gather(pieces)
        order = np.argsort(np.concatenate(keys), kind="stable")
        merged = (np.concatenate(parts)[order] for parts in zip(*(columns for _, columns in pieces), strict=True))
        return Frames(data, 1, len(order), *merged)

    def _gather(self, pieces: list[tuple[memoryview, list[np.ndarray]]]) -> memoryview:
        """Copies what the columns point to into one buffer, and makes them point there."""
        spans = []
        for _, (offset, captured, *_) in pieces:
            spans.append((int(offset[0]), int(offset[-1] + captured[-1])))
        wanted = sum(end - start for start, end in spans)
        if wanted > len(self._room):
            self._room = memoryview(bytearray(wanted))
        at = 0
        for (data, columns), (start, end) in zip(pieces, spans, strict=True):
            self._room[at : at + end - start] = data[start:end]
            columns[0] = columns[0] + (at - start)
            at += end - start
        return self._room


def _columns(frames: Frames, rows: slice) -> list[np.ndarray]:
    """Those of `Frames`, in its order."""
    columns = (frames.offset, frames.captured, frames.original, frames.time_ns, frames.link_type, frames.interface)
    return [column[rows] for column in columns]


def _can_be_opened_again(source: Source) -> bool:
    if source == STANDARD_INPUT or not isinstance(source, str | os.PathLike):
        return False
    try:
        return stat.S_ISREG(os.stat(source).st_mode)
    except (OSError, ValueError):  # opening it tells what is wrong
        return False
