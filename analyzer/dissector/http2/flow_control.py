"""Flow-control windows, and who waited because one was used up. RFC 9113 §5.2, §6.9.

A side's DATA uses up two windows that its peer grants: the connection's and the stream's. Windows are known as long as
no frame was missed.
"""

from __future__ import annotations

from typing import Final

from analyzer.dissector.http2.exchanges import Stall
from analyzer.dissector.http2.settings import LARGEST_WINDOW
from analyzer.dissector.http2.streams import Stream
from analyzer.model import Side

MOST_STALLS: Final = 1000
MOST_WAITING: Final = 256  # windows that are used up and watched, per side
_DEFAULT: Final = 65_535
_SIDE_NAMES: Final[tuple[Side, Side]] = ("client", "server")


class FlowControl:
    """Of both sides. A window of a side is what that side may still send."""

    def __init__(self) -> None:
        self.known = True
        self.stalls: list[Stall] = []
        self.stalls_beyond = 0
        self.stalled_ns = [0, 0]  # per side that waited, listed or not; waits at the same time count each
        self._connection = [_DEFAULT, _DEFAULT]
        self._initial = [_DEFAULT, _DEFAULT]
        # Per side, by stream, 0 for the connection: since when a window is used up; and waits that are over, if there
        # was anything to wait for: since when, how long, and the packet that ended it.
        self._used_up: tuple[dict[int, tuple[int, Stream | None]], ...] = ({}, {})
        self._over: tuple[dict[int, tuple[int, int, int]], ...] = ({}, {})

    def forget(self) -> None:
        """Frames were missed."""
        self.known = False
        for side in (0, 1):
            self._used_up[side].clear()
            self._over[side].clear()

    def window(self, side: int, stream: Stream | None) -> int:
        return self._connection[side] if stream is None else self._initial[side] + stream.credit[side]

    def begins(self, side: int, stream: Stream, at_ns: int) -> None:
        """The side has DATA to send, as its HEADERS without END_STREAM say."""
        if self.known and self.window(side, stream) <= 0:
            self._use_up(side, stream.number, at_ns, stream)

    def sent(self, side: int, stream: Stream | None, length: int, at_ns: int, most: int) -> str | None:
        """DATA: `length` with its padding (§6.9.1). `most`: the initial window, if settings on their way are followed
        already. Returns what is wrong with it."""
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

    def granted(self, side: int, stream: Stream | None, increment: int, at_ns: int, packet: int) -> bool:
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

    def initial(self, side: int, value: int, at_ns: int, packet: int) -> None:
        """§6.9.2: the initial window of `side`'s streams has changed, and with it that of all its streams."""
        before, self._initial[side] = self._initial[side], min(value, LARGEST_WINDOW)
        if value > before:
            for number, (_, stream) in list(self._used_up[side].items()):
                if stream is not None:
                    self._enlarged(side, number, stream, at_ns, packet)

    def closed(self, number: int) -> None:
        for side in (0, 1):
            self._used_up[side].pop(number, None)
            self._over[side].pop(number, None)

    def _use_up(self, side: int, number: int, at_ns: int, stream: Stream | None) -> None:
        waiting = self._used_up[side]
        if number not in waiting and len(waiting) < MOST_WAITING:
            waiting[number] = at_ns, stream

    def _enlarged(self, side: int, number: int, stream: Stream | None, at_ns: int, packet: int) -> None:
        if number in self._used_up[side] and self.window(side, stream) > 0:
            since, _ = self._used_up[side].pop(number)
            self._over[side][number] = since, max(0, at_ns - since), packet

    def _went_on(self, side: int, stream: Stream | None) -> None:
        """More DATA: what came before it was a wait, and not the end of what there was to send."""
        over = self._over[side]
        if not over:
            return
        if stream is not None and stream.number in over:
            self._stall(side, stream.number, *over.pop(stream.number))
        if 0 in over:
            since, length, packet = over.pop(0)
            # A stream that was opened after the wait had nothing to send during it.
            began = stream.exchange.started_ns if stream is not None else None
            if began is None or began <= since + length:
                self._stall(side, 0, since, length, packet)

    def _stall(self, side: int, number: int, since: int, length: int, packet: int) -> None:
        self.stalled_ns[side] += length
        if len(self.stalls) < MOST_STALLS:
            self.stalls.append(Stall(number, _SIDE_NAMES[side], since, length, packet))
        else:
            self.stalls_beyond += 1
