"""Two byte streams whose protocol is not known yet, kept until somebody takes them over, or nobody wants them."""

from __future__ import annotations

from typing import Final, NamedTuple

from analyzer.dissector.layer import EVERYTHING, Layer

HELD_LIMIT: Final = 262_144  # bytes kept of both sides; beyond it nobody seems to want them
# Many small pieces cost more than their bytes.
_PIECE_BYTES: Final = 64


class _Piece(NamedTuple):
    """What came: bytes; or, without any, so many missing ones and why, or how a side closed."""

    side: int
    data: bytes
    lost: int
    text: str
    at_ns: int
    packet: int


class Undecided:
    """Passes everything on to `inner`. Until there is one it keeps what comes, in order, up to `HELD_LIMIT` bytes; once
    `dropped`, bytes are only counted."""

    __slots__ = ("_begin", "_broken", "_held", "_size", "bytes", "dropped", "inner")

    def __init__(self) -> None:
        self.inner: Layer | None = None
        self.bytes = [0, 0]  # per side, lost ones included
        self.dropped = False
        self._size = 0
        self._held: list[_Piece] = []
        self._begin = [b"", b""]
        self._broken = [False, False]

    @property
    def open(self) -> bool:
        """Whether it is still to be decided whose bytes these are."""
        return self.inner is None and not self.dropped

    def pending(self, side: int) -> bytes:
        """What is held of a side, up to its first gap: enough to tell what it is."""
        return self._begin[side]

    def take(self, inner: Layer) -> None:
        """`inner` is what takes over; it is fed all that was held."""
        self.inner = inner
        held = self._held
        self._forget()
        for side, data, lost, text, at_ns, packet in held:
            if data:
                inner.feed(side, data, at_ns, packet)
            elif lost:
                inner.gap(side, lost, text, packet)
            else:
                inner.close(side, text, at_ns, packet)

    def drop(self) -> None:
        """Nobody takes over: bytes are counted from now on."""
        self.dropped = True
        self._forget()

    def cut(self, side: int, length: int) -> None:
        """The first bytes held of a side are not part of what is to be decided. No more than `pending` has."""
        self._begin[side] = self._begin[side][length:]
        held, self._held = self._held, []
        for piece in held:
            if piece.side == side and length and piece.data:
                rest = piece.data[length:]
                length -= len(piece.data) - len(rest)
                if not rest:
                    continue
                piece = piece._replace(data=rest)
            self._held.append(piece)

    def turn(self) -> None:
        """What was taken for the one side's is the other's. Only while nothing is decided."""
        for pair in (self.bytes, self._begin, self._broken):
            pair.reverse()
        self._held = [piece._replace(side=1 - piece.side) for piece in self._held]

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        self.bytes[side] += len(data)
        if self.inner is not None:
            self.inner.feed(side, data, at_ns, packet)
        elif not self.dropped and len(data):
            self._hold(_Piece(side, bytes(data), 0, "", at_ns, packet))

    def skippable(self, side: int) -> int:
        if self.inner is not None:
            return self.inner.skippable(side)
        return EVERYTHING if self.dropped else 0

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        self.bytes[side] += length
        if self.inner is not None:
            self.inner.skip(side, length, at_ns, packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        self.bytes[side] += length
        if self.inner is not None:
            self.inner.gap(side, length, cause, packet)
        elif not self.dropped and length > 0:
            self._hold(_Piece(side, b"", length, cause, 0, packet))

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        if self.inner is not None:
            self.inner.close(side, how, at_ns, packet)
        elif not self.dropped:
            self._hold(_Piece(side, b"", 0, how, at_ns, packet))

    def _hold(self, piece: _Piece) -> None:
        self._size += len(piece.data) + _PIECE_BYTES
        if self._size > HELD_LIMIT:
            self.drop()
            return
        self._held.append(piece)
        if piece.lost:
            self._broken[piece.side] = True
        elif piece.data and not self._broken[piece.side]:
            self._begin[piece.side] += piece.data

    def _forget(self) -> None:
        self._held = []
        self._begin = [b"", b""]
        self._size = 0
