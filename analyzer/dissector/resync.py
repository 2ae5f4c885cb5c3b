"""Bytes of one side in which something is looked for by its content, where the framing was lost or the capture began
in the middle of a connection. What protocols look for is in their own `resync.py`.
"""

from __future__ import annotations

from collections import deque

Piece = tuple[bytes, int, int]  # bytes, their time and packet


class Searched:
    """Takes the bytes of one side and remembers when which came, until what is looked for begins in them."""

    __slots__ = ("_buffer", "_marks", "dropped")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._marks: deque[tuple[int, int, int]] = deque()  # where a piece begins, counted with `dropped`; time, packet
        self.dropped = 0  # bytes that went by

    @property
    def held(self) -> int:
        return len(self._buffer)

    def restart(self) -> None:
        """What comes next does not follow what came before."""
        self.dropped += len(self._buffer)
        self._buffer.clear()
        self._marks.clear()

    def _add(self, piece: bytes, at_ns: int, packet: int) -> None:
        self._marks.append((self.dropped + len(self._buffer), at_ns, packet))
        self._buffer += piece

    def _drop(self, count: int) -> None:
        if not count:
            return
        self.dropped += count
        del self._buffer[:count]
        marks = self._marks
        while len(marks) > 1 and marks[1][0] <= self.dropped:
            marks.popleft()

    def _found(self) -> list[Piece]:
        """All that is held, in the pieces in which it came."""
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
