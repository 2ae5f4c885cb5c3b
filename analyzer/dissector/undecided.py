# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Two byte streams whose protocol is not known yet, kept until somebody takes them over, or nobody wants them.

Pure-Python mode, types in `undecided.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.layer import EVERYTHING

if cython.compiled:
    from cython.cimports.analyzer.dissector.layer import Layer
else:
    from analyzer.dissector.layer import Layer

COMPILED = cython.compiled

HELD_LIMIT = 262_144  # bytes kept of both sides; beyond it nobody seems to want them
# Many small pieces cost more than their bytes.
_PIECE_BYTES = 64
# Where something may begin anywhere, so much is looked through again with every piece; more when it is four times as
# much as the last time.
_MOST_LOOKED_AT_OFTEN = 8192


@cython.no_gc
@cython.cclass
class Undecided(Layer):
    """Passes everything on to `inner`. Until there is one it keeps what comes, in order, up to `HELD_LIMIT` bytes; once
    `dropped`, bytes are only counted."""

    def __init__(self) -> None:
        self.inner = None
        self.dropped = False
        self._client_bytes = 0
        self._server_bytes = 0
        self._size = 0
        self._looked_at = 0
        # What came: side, bytes, how many are missing, why or how the side closed, time, packet.
        self._held = None
        self._client_begin = b""
        self._server_begin = b""
        self._client_broken = False
        self._server_broken = False

    @property
    def bytes(self) -> list[int]:
        """Per side, lost ones included."""
        return [self._client_bytes, self._server_bytes]

    @property
    def open(self) -> bool:
        """Whether it is still to be decided whose bytes these are."""
        return self.inner is None and not self.dropped

    @cython.ccall
    def pending(self, side: cython.int):
        """What is held of a side, up to its first gap: enough to tell what it is."""
        return self._server_begin if side else self._client_begin

    @cython.ccall
    def grown(self) -> cython.bint:
        """Whether so much has come since this was last asked that another look through all of it is worth its time."""
        if self._size > _MOST_LOOKED_AT_OFTEN and self._size < 4 * self._looked_at:
            return False
        self._looked_at = self._size
        return True

    @cython.ccall
    def take(self, inner: Layer) -> cython.void:
        """`inner` is what takes over; it is fed all that was held."""
        held: list = self._held or []
        self.inner = inner
        self._forget()
        for side, data, lost, text, at_ns, packet in held:
            if data:
                inner.feed(side, data, at_ns, packet)
            elif lost:
                inner.gap(side, lost, text, packet)
            else:
                inner.close(side, text, at_ns, packet)

    @cython.ccall
    def drop(self) -> cython.void:
        """Nobody takes over: bytes are counted from now on."""
        self.dropped = True
        self._forget()

    def cut(self, side, length) -> None:
        """The first bytes held of a side are not part of what is to be decided. No more than `pending` has."""
        if side:
            self._server_begin = self._server_begin[length:]
        else:
            self._client_begin = self._client_begin[length:]
        held, self._held = self._held or [], []
        for of, data, *rest in held:
            if of == side and length and data:
                kept = data[length:]
                length -= len(data) - len(kept)
                if not kept:
                    continue
                data = kept
            self._held.append((of, data, *rest))

    @cython.ccall
    def turn(self) -> cython.void:
        """What was taken for the one side's is the other's. Only while nothing is decided."""
        self._client_bytes, self._server_bytes = self._server_bytes, self._client_bytes
        self._client_begin, self._server_begin = self._server_begin, self._client_begin
        self._client_broken, self._server_broken = self._server_broken, self._client_broken
        if self._held is not None:
            self._held = [(1 - side, *rest) for side, *rest in self._held]

    @cython.ccall
    def feed(self, side: cython.int, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        self._count(side, len(data))
        if self.inner is not None:
            self.inner.feed(side, data, at_ns, packet)
        elif not self.dropped and len(data):
            self._hold(side, bytes(data), 0, "", at_ns, packet)

    @cython.ccall
    def skippable(self, side: cython.int) -> cython.longlong:
        if self.inner is not None:
            return self.inner.skippable(side)
        return EVERYTHING if self.dropped else 0

    @cython.ccall
    def skip(
        self, side: cython.int, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        self._count(side, length)
        if self.inner is not None:
            self.inner.skip(side, length, at_ns, packet)

    @cython.ccall
    def gap(self, side: cython.int, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        self._count(side, length)
        if self.inner is not None:
            self.inner.gap(side, length, cause, packet)
        elif not self.dropped and length > 0:
            self._hold(side, b"", length, cause, 0, packet)

    @cython.ccall
    def close(self, side: cython.int, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        if self.inner is not None:
            self.inner.close(side, how, at_ns, packet)
        elif not self.dropped:
            self._hold(side, b"", 0, how, at_ns, packet)

    @cython.cfunc
    def _count(self, side: cython.int, length: cython.longlong) -> cython.void:
        if side:
            self._server_bytes += length
        else:
            self._client_bytes += length

    @cython.cfunc
    def _hold(
        self, side: cython.int, data, lost: cython.longlong, text: str, at_ns: cython.longlong,
        packet: cython.longlong,
    ) -> cython.void:  # fmt: skip
        self._size += len(data) + _PIECE_BYTES
        if self._size > HELD_LIMIT:
            self.drop()
            return
        if self._held is None:
            self._held = []
        self._held.append((side, data, lost, text, at_ns, packet))
        if lost:
            if side:
                self._server_broken = True
            else:
                self._client_broken = True
        elif data and side and not self._server_broken:
            self._server_begin += data
        elif data and not side and not self._client_broken:
            self._client_begin += data

    @cython.cfunc
    def _forget(self) -> cython.void:
        self._held = None
        self._client_begin = b""
        self._server_begin = b""
        self._size = 0
