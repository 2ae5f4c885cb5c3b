"""Which streams of a connection were open at the same time, and whose frames alternated. RFC 9113 §5.

A stream lives from its first frame to the one that closes it; two are multiplexed if one begins before the other has
ended. They are interleaved if, of the HEADERS and DATA of one side, some of one stand between some of the other.

Where frames may be missing, the one that closed a stream may be among them: such a stream counts as open only up to
there, unless another frame of it shows that it went on.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

from analyzer.dissector.http2.exchanges import HeadOfLine
from analyzer.dissector.http2.streams import Stream
from analyzer.model import Side

MOST_LISTED: Final = 1000  # streams in `multiplexed_with` of one exchange
MOST_LISTED_IN_ALL: Final = 2_000_000
MOST_HELD_UP: Final = 100  # streams named of one wait
MOST_WAITS: Final = 1000
MOST_APART: Final = 10_000
MOST_LOGGED: Final = 4_096  # frames of a connection whose order and time are kept


class Multiplexing:
    """`most`: streams open at once; `switches`: per side, how often HEADERS or DATA of another stream followed; `log`:
    of the first HEADERS and DATA, four words each: stream, side, packet, time."""

    def __init__(self) -> None:
        self.most = 0
        self.switches = [0, 0]
        self.log = array("q")
        self.head_of_line: list[HeadOfLine] = []
        self.head_of_line_beyond = 0
        self._live: dict[int, Stream] = {}
        # Streams that may be over, the oldest first, and how many had been opened by then; and what was opened since.
        self._doubtful: dict[int, tuple[Stream, int]] = {}
        self._since: deque[tuple[int, Stream]] = deque(maxlen=MOST_LISTED)
        self._opened = 0
        self._listed = 0
        self._frames = 0
        self._last: list[Stream | None] = [None, None]
        # Per side, streams that are not yet known to be interleaved, the one with the latest frame last.
        self._apart: list[dict[int, Stream]] = [{}, {}]

    def opened(self, stream: Stream) -> None:
        live = self._live
        stream.opened = self._opened
        stream.overlapped = len(live)
        mine = stream.exchange.multiplexed_with
        room = min(MOST_LISTED, (MOST_LISTED_IN_ALL - self._listed) // 2)
        for other in islice(_newest(live), max(0, room)):
            mine.append(other.number)
            theirs = other.exchange.multiplexed_with
            if len(theirs) < MOST_LISTED:
                theirs.append(stream.number)
                self._listed += 1
        mine.reverse()
        self._listed += len(mine)
        live[stream.number] = stream
        if self._doubtful:
            self._since.append((self._opened, stream))
        self._opened += 1
        self.most = max(self.most, len(live))

    def missed(self) -> None:
        """Frames may be missing: who knows which streams are still open."""
        live = self._live
        for stream in live.values():
            stream.overlapped += self._opened - stream.opened - 1
            self._doubtful[stream.number] = stream, self._opened
        live.clear()

    def forgotten(self) -> Stream | None:
        """The oldest of the streams that may be over is taken for it."""
        if not self._doubtful:
            return None
        stream, _ = self._doubtful.pop(next(iter(self._doubtful)))
        stream.exchange.multiplexed = stream.overlapped
        return stream

    def _went_on(self, stream: Stream) -> None:
        _, before = self._doubtful.pop(stream.number)
        mine = stream.exchange.multiplexed_with
        for opened, other in self._since:
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

    def closed(self, stream: Stream) -> None:
        if stream.number in self._doubtful:
            self._went_on(stream)
        if self._live.pop(stream.number, None) is None:
            return
        stream.exchange.multiplexed = stream.overlapped + self._opened - stream.opened - 1
        live = self._live
        for side, apart in enumerate(self._apart):
            # A stream that is over matters as long as others go on that had frames before it.
            if not live and not self._doubtful:
                apart.clear()
            elif len(apart) > MOST_APART + len(live):
                self._apart[side] = {number: other for number, other in apart.items() if number in live}

    def end(self) -> None:
        """The connection is over, or the capture."""
        while self.forgotten():
            pass
        for stream in list(self._live.values()):
            self.closed(stream)

    def frame(self, side: int, stream: Stream, packet: int, at_ns: int) -> None:
        """HEADERS or DATA of a stream."""
        if len(self.log) < 4 * MOST_LOGGED:
            self.log.extend((stream.number, side, packet, at_ns))
        if stream.number in self._doubtful:
            self._went_on(stream)
        elif stream.number not in self._live:
            return  # it is taken for over, and waits for its request
        self._frames += 1
        last, self._last[side] = self._last[side], stream
        if last is not stream:
            if last is not None:
                self.switches[side] += 1
            if stream.sent[side] >= 0:
                self._alternates(side, stream)
        stream.sent[side] = self._frames
        apart = self._apart[side]
        if not stream.exchange.interleaved:
            apart.pop(stream.number, None)
            apart[stream.number] = stream

    def _alternates(self, side: int, stream: Stream) -> None:
        """Back to a stream: whatever had frames since its last one stands between its frames. One that is over by now
        stood there too."""
        since = stream.sent[side]
        apart = self._apart[side]
        stream.exchange.interleaved = True
        apart.pop(stream.number, None)
        while apart:
            number, other = next(reversed(apart.items()))
            if other.sent[side] < since:
                break
            other.exchange.interleaved = True
            del apart[number]

    def held_up(self, side: int, packet: int, from_ns: int, until_ns: int, missing: list[int], number: int) -> None:
        """Bytes of a stream were captured at `from_ns`, and readable when the packet came that had been missing. For
        what is `missing` of the stream itself any transport would have waited."""
        if number in missing:
            return
        found = self.head_of_line
        name: Side = "server" if side else "client"
        if not found or found[-1].packet != packet or found[-1].side != name:
            if len(found) >= MOST_WAITS:
                self.head_of_line_beyond += 1
                return
            found.append(HeadOfLine(name, packet, from_ns, until_ns - from_ns, missing=missing[:MOST_HELD_UP]))
        wait = found[-1]
        if from_ns < wait.from_ns:
            wait.length_ns += wait.from_ns - from_ns
            wait.from_ns = from_ns
        if number not in wait.waiting[-4:] and len(wait.waiting) < MOST_HELD_UP and number not in wait.waiting:
            wait.waiting.append(number)


def _newest(live: dict[int, Stream]) -> Iterator[Stream]:
    return reversed(live.values())
