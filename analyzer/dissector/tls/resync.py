"""Finds the next record by its content, where the framing was lost or the capture began in the middle of a connection.

RFC 8446 §5.1: type 20 to 24, major version 3, a length. A header right where the search begins is believed; one found
later only if another one stands where it says the next record begins.
"""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.resync import Piece as Piece
from analyzer.dissector.resync import Searched

PLAUSIBLE: Final = re.compile(rb"[\x14-\x18]\x03[\x00-\x04]")
_LONGEST: Final = (1 << 14) + 2048  # RFC 5246 §6.2.3
_LENGTHS: Final = {20: (1, 1024), 21: (2, 1024)}  # more than these types have, encrypted with padding or not


class Resync(Searched):
    """Takes the bytes of one side until a record begins in them. What it finds does not depend on how they were cut."""

    __slots__ = ("_fresh",)

    def __init__(self) -> None:
        super().__init__()
        self._fresh = True  # nothing has been dropped since the search began or began again

    def restart(self) -> None:
        super().restart()
        self._fresh = True

    def feed(self, piece: bytes, at_ns: int, packet: int) -> list[Piece] | None:
        """The bytes from the start of a record on, if there is one."""
        self._add(piece, at_ns, packet)
        buffer = self._buffer
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
        self._fresh = self._fresh and not count
        super()._drop(count)
