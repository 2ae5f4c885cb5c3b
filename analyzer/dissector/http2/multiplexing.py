# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Which streams of a connection were open at the same time, and whose frames alternated. RFC 9113 §5.

A stream lives from its first frame to the one that closes it; two are multiplexed if one begins before the other has
ended. They are interleaved if, of the HEADERS and DATA of one side, some of one stand between some of the other.

Where frames may be missing, the one that closed a stream may be among them: such a stream counts as open only up to
there, unless another frame of it shows that it went on. Pure-Python mode, types in `multiplexing.pxd`.
"""

from __future__ import annotations

from array import array
from collections import deque
from itertools import islice

import cython

from analyzer.dissector.http2.exchanges import HeadOfLine

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.streams import Stream
else:
    from analyzer.dissector.http2.streams import Stream

COMPILED = cython.compiled

MOST_LISTED = 1000  # streams in `multiplexed_with` of one exchange
MOST_LISTED_IN_ALL = 2_000_000
MOST_HELD_UP = 100  # streams named of one wait
MOST_WAITS = 1000
MOST_APART = 10_000
MOST_LOGGED = 4_096  # frames of a connection whose order and time are kept


@cython.final
@cython.cclass
class Multiplexing:
    """`most`: streams open at once; `switches`: per side, how often HEADERS or DATA of another stream followed; `log`:
    of the first HEADERS and DATA, four words each, if it was begun: stream, side, packet, time."""

    def __init__(self):
        self.most = 0
        self.switches = [0, 0]
        self.logging = False
        self.log = None
        self.head_of_line = []
        self.head_of_line_beyond = 0
        self._live = {}
        # Streams that may be over, the oldest first, and how many had been opened by then; and what was opened since.
        self._doubtful = {}
        self._since = None
        self._opened = 0
        self._listed = 0
        self._frames = 0
        self._last = [None, None]
        # Per side, streams that are not yet known to be interleaved, the one with the latest frame last.
        self._apart = [{}, {}]

    @cython.cfunc
    def begin_log(self) -> cython.void:
        self.logging = True
        self.log = array("q")

    @cython.cfunc
    def opened(self, stream: Stream) -> cython.void:
        live: dict = self._live
        other: Stream
        stream.opened = self._opened
        stream.overlapped = len(live)
        if live:
            mine = stream.exchange.multiplexed_with
            room = min(MOST_LISTED, (MOST_LISTED_IN_ALL - self._listed) // 2)
            for other in islice(reversed(live.values()), max(0, room)):
                mine.append(other.number)
                theirs = other.exchange.multiplexed_with
                if len(theirs) < MOST_LISTED:
                    theirs.append(stream.number)
                    self._listed += 1
            mine.reverse()
            self._listed += len(mine)
        live[stream.number] = stream
        if self._doubtful:
            if self._since is None:
                self._since = deque(maxlen=MOST_LISTED)
            self._since.append((self._opened, stream))
        self._opened += 1
        self.most = max(self.most, len(live))

    @cython.cfunc
    def missed(self) -> cython.void:
        """Frames may be missing: who knows which streams are still open."""
        live: dict = self._live
        stream: Stream
        for stream in live.values():
            stream.overlapped += self._opened - stream.opened - 1
            self._doubtful[stream.number] = (stream, self._opened)
        live.clear()

    @cython.cfunc
    def forgotten(self) -> Stream | None:
        """The oldest of the streams that may be over is taken for it."""
        stream: Stream
        if not self._doubtful:
            return None
        stream, _ = self._doubtful.pop(next(iter(self._doubtful)))
        stream.exchange.multiplexed = stream.overlapped
        return stream

    @cython.cfunc
    def _went_on(self, stream: Stream) -> cython.void:
        other: Stream
        before: cython.longlong
        opened: cython.longlong
        _, before = self._doubtful.pop(stream.number)
        mine = stream.exchange.multiplexed_with
        for opened, other in self._since or ():
            if opened < before:
                continue
            other.overlapped += 1
            other.exchange.multiplexed += 1
            theirs = other.exchange.multiplexed_with
            if len(mine) < MOST_LISTED and len(theirs) < MOST_LISTED and self._listed < MOST_LISTED_IN_ALL:
                mine.append(other.number)
                theirs.append(stream.number)
                self._listed += 2
        stream.overlapped += self._opened - before
        # From here on it counts as if it had been opened now.
        stream.opened = self._opened - 1
        self._live[stream.number] = stream
        self.most = max(self.most, len(self._live))

    @cython.cfunc
    def closed(self, stream: Stream) -> cython.void:
        live: dict = self._live
        apart: dict
        side: cython.int
        if self._doubtful and stream.number in self._doubtful:
            self._went_on(stream)
        if live.pop(stream.number, None) is None:
            return
        stream.exchange.multiplexed = stream.overlapped + self._opened - stream.opened - 1
        for side in range(2):
            apart = self._apart[side]
            # A stream that is over matters as long as others go on that had frames before it.
            if not live and not self._doubtful:
                apart.clear()
            elif len(apart) > MOST_APART + len(live):
                self._apart[side] = {number: other for number, other in apart.items() if number in live}

    @cython.cfunc
    def end(self) -> cython.void:
        """The connection is over, or the capture."""
        while self.forgotten() is not None:
            pass
        for stream in list(self._live.values()):
            self.closed(stream)

    @cython.cfunc
    def frame(self, side: cython.int, stream: Stream, packet: cython.longlong, at_ns: cython.longlong) -> cython.void:
        """HEADERS or DATA of a stream."""
        last: Stream = self._last[side]
        apart: dict
        if self.logging and len(self.log) < 4 * MOST_LOGGED:
            self.log.extend((stream.number, side, packet, at_ns))
        if self._doubtful and stream.number in self._doubtful:
            self._went_on(stream)
        elif stream.number not in self._live:
            return  # it is taken for over, and waits for its request
        self._frames += 1
        self._last[side] = stream
        if last is not stream:
            if last is not None:
                self.switches[side] += 1
            if stream.sent[side] >= 0:
                self._alternates(side, stream)
        stream.sent[side] = self._frames
        if not stream.exchange.interleaved:
            apart = self._apart[side]
            apart.pop(stream.number, None)
            apart[stream.number] = stream

    @cython.cfunc
    def _alternates(self, side: cython.int, stream: Stream) -> cython.void:
        """Back to a stream: whatever had frames since its last one stands between its frames. One that is over by now
        stood there too."""
        since: cython.longlong = stream.sent[side]
        apart: dict = self._apart[side]
        other: Stream
        stream.exchange.interleaved = True
        apart.pop(stream.number, None)
        while apart:
            number, other = next(reversed(apart.items()))
            if other.sent[side] < since:
                break
            other.exchange.interleaved = True
            del apart[number]

    @cython.cfunc
    def held_up(
        self, side: cython.int, packet: cython.longlong, from_ns: cython.longlong, until_ns: cython.longlong,
        missing: list, number: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """Bytes of a stream were captured at `from_ns`, and readable when the packet came that had been missing. For
        what is `missing` of the stream itself any transport would have waited."""
        if number in missing:
            return
        found = self.head_of_line
        name = "server" if side else "client"
        wait = found[len(found) - 1] if found else None
        if wait is None or wait.packet != packet or wait.side != name:
            if len(found) >= MOST_WAITS:
                self.head_of_line_beyond += 1
                return
            wait = HeadOfLine(name, packet, from_ns, until_ns - from_ns, missing=missing[:MOST_HELD_UP])
            found.append(wait)
        if from_ns < wait.from_ns:
            wait.length_ns += wait.from_ns - from_ns
            wait.from_ns = from_ns
        if len(wait.waiting) < MOST_HELD_UP and number not in wait.waiting:
            wait.waiting.append(number)
