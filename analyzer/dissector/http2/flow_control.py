# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Flow-control windows, and who waited because one was used up. RFC 9113 §5.2, §6.9.

A side's DATA uses up two windows that its peer grants: the connection's and the stream's. Windows are known as long as
no frame was missed. Pure-Python mode, types in `flow_control.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2.exchanges import Stall
from analyzer.dissector.http2.settings import LARGEST_WINDOW

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.streams import Stream
else:
    from analyzer.dissector.http2.streams import Stream

COMPILED = cython.compiled

MOST_STALLS = 1000
MOST_WAITING = 256  # windows that are used up and watched, per side
_DEFAULT = 65_535
_SIDE_NAMES = ("client", "server")


@cython.final
@cython.cclass
class FlowControl:
    """Of both sides. A window of a side is what that side may still send."""

    def __init__(self):
        self.known = True
        self.stalls = []
        self.stalls_beyond = 0
        self.stalled_ns = [0, 0]  # per side that waited, listed or not; waits at the same time count each
        self._connection = [_DEFAULT, _DEFAULT]
        self._initial = [_DEFAULT, _DEFAULT]
        # Per side, by stream, 0 for the connection: since when a window is used up; and waits that are over, if there
        # was anything to wait for: since when, how long, and the packet that ended it.
        self._used_up = ({}, {})
        self._over = ({}, {})

    @cython.ccall
    def forget(self) -> cython.void:
        """Frames were missed."""
        self.known = False
        for waiting in self._used_up + self._over:
            waiting.clear()

    @cython.ccall
    def window(self, side: cython.int, stream: Stream | None) -> cython.longlong:
        return self._connection[side] if stream is None else self._initial[side] + stream.credit[side]

    @cython.cfunc
    def begins(self, side: cython.int, stream: Stream, at_ns: cython.longlong) -> cython.void:
        """The side has DATA to send, as its HEADERS without END_STREAM say."""
        if self.known and self.window(side, stream) <= 0:
            self._use_up(side, stream.number, at_ns, stream)

    @cython.cfunc
    def sent(
        self, side: cython.int, stream: Stream | None, length: cython.longlong, at_ns: cython.longlong,
        most: cython.longlong,
    ) -> str | None:  # fmt: skip
        """DATA: `length` with its padding (§6.9.1). `most`: the initial window, if settings on their way are followed
        already. Returns what is wrong with it."""
        left: cython.longlong
        if not self.known or not length:
            return None
        self._went_on(side, stream)
        self._connection[side] -= length
        problem = None
        if self._connection[side] < 0:
            problem = f"{-self._connection[side]} bytes more than the connection's window"
        if stream is not None:
            stream.credit[side] -= length
            left = self.window(side, stream)
            if max(self._initial[side], most) + stream.credit[side] < 0:
                problem = problem or f"{-left} bytes more than the stream's window"
            if left <= 0:
                self._use_up(side, stream.number, at_ns, stream)
        if self._connection[side] <= 0:
            self._use_up(side, 0, at_ns, None)
        if problem is not None:
            self.forget()  # whoever does not keep to them: what is left of them means nothing
        return problem

    @cython.cfunc
    def granted(
        self, side: cython.int, stream: Stream | None, increment: cython.longlong, at_ns: cython.longlong,
        packet: cython.longlong,
    ) -> cython.bint:  # fmt: skip
        """A WINDOW_UPDATE for what `side` sends. False: the window is too large now (§6.9.1)."""
        if not self.known:
            return True
        if stream is None:
            self._connection[side] += increment
        else:
            stream.credit[side] += increment
        if self.window(side, stream) > LARGEST_WINDOW:
            if stream is None:
                self._connection[side] = LARGEST_WINDOW
            else:
                stream.credit[side] = LARGEST_WINDOW - self._initial[side]
            return False
        self._enlarged(side, stream.number if stream is not None else 0, stream, at_ns, packet)
        return True

    @cython.cfunc
    def initial(
        self, side: cython.int, value: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """§6.9.2: the initial window of `side`'s streams has changed, and with it that of all its streams."""
        before: cython.longlong = self._initial[side]
        self._initial[side] = min(value, LARGEST_WINDOW)
        if value > before:
            waiting: dict = self._used_up[side]
            for number, (_, stream) in list(waiting.items()):
                if stream is not None:
                    self._enlarged(side, number, stream, at_ns, packet)

    @cython.cfunc
    def closed(self, number: cython.longlong) -> cython.void:
        side: cython.int
        waiting: dict
        for side in range(2):
            waiting = self._used_up[side]
            if waiting:
                waiting.pop(number, None)
            waiting = self._over[side]
            if waiting:
                waiting.pop(number, None)

    @cython.cfunc
    def _use_up(
        self, side: cython.int, number: cython.longlong, at_ns: cython.longlong, stream: Stream | None
    ) -> cython.void:
        waiting: dict = self._used_up[side]
        if number not in waiting and len(waiting) < MOST_WAITING:
            waiting[number] = (at_ns, stream)

    @cython.cfunc
    def _enlarged(
        self, side: cython.int, number: cython.longlong, stream: Stream | None, at_ns: cython.longlong,
        packet: cython.longlong,
    ) -> cython.void:  # fmt: skip
        waiting: dict = self._used_up[side]
        over: dict = self._over[side]
        if waiting and number in waiting and self.window(side, stream) > 0:
            since, _ = waiting.pop(number)
            over[number] = (since, max(0, at_ns - since), packet)

    @cython.cfunc
    def _went_on(self, side: cython.int, stream: Stream | None) -> cython.void:
        """More DATA: what came before it was a wait, and not the end of what there was to send."""
        over: dict = self._over[side]
        if not over:
            return
        if stream is not None and stream.number in over:
            since, length, packet = over.pop(stream.number)
            self._stall(side, stream.number, since, length, packet)
        if 0 in over:
            since, length, packet = over.pop(0)
            # A stream that was opened after the wait had nothing to send during it.
            began = stream.exchange.started_ns if stream is not None else None
            if began is None or began <= since + length:
                self._stall(side, 0, since, length, packet)

    @cython.cfunc
    def _stall(self, side: cython.int, number, since, length, packet) -> cython.void:
        self.stalled_ns[side] += length
        if len(self.stalls) < MOST_STALLS:
            self.stalls.append(Stall(number, _SIDE_NAMES[side], since, length, packet))
        else:
            self.stalls_beyond += 1
