"""Finds the next record by its content, where the framing was lost or the capture began in the middle of a connection.

RFC 8446 §5.1: type 20 to 24, major version 3, a length. A header right where the search begins is believed; one found
later only if another one stands where it says the next record begins.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

PLAUSIBLE: Final = re.compile(rb"[\x14-\x18]\x03[\x00-\x04]")
_LONGEST: Final = (1 << 14) + 2048  # RFC 5246 §6.2.3
_LENGTHS: Final = {20: (1, 1024), 21: (2, 1024)}  # more than these types have, encrypted with padding or not

Piece = tuple[bytes, int, int]  # bytes, their time and packet


class Resync:
    """Takes the bytes of one side until a record begins in them. What it finds does not depend on how they were cut."""

    __slots__ = ("_buffer", "_fresh", "_marks", "dropped")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._marks: deque[tuple[int, int, int]] = deque()  # where a piece begins, counted with `dropped`; time, packet
        self._fresh = True  # nothing has been dropped since the search began or began again
        self.dropped = 0  # bytes that went by

    @property
    def held(self) -> int:
        return len(self._buffer)

    def restart(self) -> None:
        """What comes next does not follow what came before."""
        self.dropped += len(self._buffer)
        self._buffer.clear()
        self._marks.clear()
        self._fresh = True

    def feed(self, piece: bytes, at_ns: int, packet: int) -> list[Piece] | None:
        """The bytes from the start of a record on, if there is one."""
        self._marks.append((self.dropped + len(self._buffer), at_ns, packet))
        buffer = self._buffer
        buffer += piece
        begin = 0
        while True:
            found = PLAUSIBLE.search(buffer, begin)
            if found is None:
                # The last bytes may be the beginning of a header.
                self._drop(max(begin, len(buffer) - 2))
                return None
            begin = found.start()
            if begin:
                self._fresh = False
            begins = self._begins(begin)
            if begins is not False:
                self._drop(begin)
                return self._found() if begins else None
            begin += 1

    def _begins(self, at: int) -> bool | None:
        """Whether a record begins there; None: not yet known."""
        buffer = self._buffer
        if len(buffer) < at + 5:
            return None
        length = buffer[at + 3] << 8 | buffer[at + 4]
        least, most = _LENGTHS.get(buffer[at], (0, _LONGEST))
        if not least <= length <= most:
            return False
        if self._fresh:
            return True
        after = at + 5 + length
        if len(buffer) < after + 5:
            return None
        return PLAUSIBLE.match(buffer, after) is not None and (buffer[after + 3] << 8 | buffer[after + 4]) <= _LONGEST

    def _drop(self, count: int) -> None:
        if not count:
            return
        self._fresh = False
        self.dropped += count
        del self._buffer[:count]
        marks = self._marks
        while len(marks) > 1 and marks[1][0] <= self.dropped:
            marks.popleft()

    def _found(self) -> list[Piece]:
        begins = [max(0, begin - self.dropped) for begin, _, _ in self._marks]
        ends = [*begins[1:], len(self._buffer)]
        pieces = [
            (bytes(self._buffer[begin:end]), at_ns, packet)
            for begin, end, (_, at_ns, packet) in zip(begins, ends, self._marks, strict=True)
            if end > begin
        ]
        self._buffer.clear()
        self._marks.clear()
        return pieces
