"""A live capture through the stages that files go through: what each chunk brought, and who is idle."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from analyzer.capture.source import Damage
from analyzer.capture.window import Readable
from analyzer.dissector import layout
from analyzer.dissector.tracker import SET_BACK_NS
from analyzer.pipeline import Analysis, Options, Totals, library_of
from analyzer.reporter.templates import Lines

if TYPE_CHECKING:
    from analyzer import model
    from analyzer.capture.live.base import LiveCapture, Wanted
    from analyzer.capture.live.privileges import User
    from analyzer.reporter.watching import Watcher

_NEVER_NS = (1 << 63) - 1


class Round(NamedTuple):
    """What one chunk of a live capture brought."""

    events: list[model.LiveEvent]
    connections: list[model.Connection]  # finished, unless `lines` were asked for
    lines: bytes  # the same as JSON Lines
    last: bool  # the capture is over, and the connections are those that were still open


class LiveAnalysis:
    """A live capture, being analysed: iterate over it to get events and connections as they happen, and a summary at
    the end. `async for` does the same without holding up other tasks.

    A context manager. `stop`, from any thread or signal handler, ends the capture, and the iteration after what was
    captured so far; `close` ends both at once. Leaving the iteration early closes it for good.
    """

    def __init__(self, capture: LiveCapture, options: Options):
        library = library_of(options.flows)
        self.capture = capture
        self._options = options
        self._analysis = Analysis(capture, capture.name, options, library)
        self._tracker, self._labeler = self._analysis._tracker, self._analysis._labeler
        self._tracker.follow()
        self._open_at_end = 0
        self._began_ns = 0
        idle, opening = options.idle_ns or _NEVER_NS, options.opening_ns or _NEVER_NS
        self._time_outs = None if options.idle_ns is options.opening_ns is None else (idle, min(idle, opening))
        self._looked = self._counted = time.monotonic()

    @property
    def totals(self) -> Totals:
        return self._analysis.totals

    @property
    def warnings(self) -> list[Damage]:
        """What went wrong so far."""
        return self._analysis.warnings

    @property
    def open(self) -> int:
        """Connections that are not finished."""
        return self._tracker.seen - self.totals.connections

    def load_all(self) -> None:
        """Reads flow pages and trusted certificates now, not when they are first needed."""
        self._analysis.load_all()

    def stop(self) -> None:
        """End the capture: what was captured so far is still analysed."""
        self.capture.stop()

    def rounds(self, lines: bool = False) -> Generator[Round, None, None]:
        """Everything, chunk by chunk; also empty rounds, a few a second, while nothing comes. `lines`: finished
        connections as JSON Lines, which is faster."""
        from analyzer.reporter.watching import Watcher

        watcher = Watcher(self._labeler)
        writer = Lines(self._labeler) if lines else None
        analysis, tracker = self._analysis, self._tracker
        try:
            for frames in self.capture:
                if frames.count:
                    if not self._began_ns:
                        self._began_ns = int(frames.time_ns[0])
                    latest = int(frames.time_ns[-1])
                    if latest < tracker.clock_ns - SET_BACK_NS:
                        tracker.set_back(latest)
                analysis._feed(frames)
                self._expire()
                events = watcher.events(*tracker.take_events(), tracker.who)
                yield self._round(events, writer, watcher)
                now = time.monotonic()
                if now - self._counted > 1:
                    self._counted = now
                    self.capture.count()
            tracker.finish()
            last = self._round([], writer, watcher, last=True)
            analysis._count()
            yield last
        finally:
            self.close()

    def _round(
        self, events: list[model.LiveEvent], writer: Lines | None, watcher: Watcher, *, last: bool = False
    ) -> Round:
        finished = self._analysis._take()
        clock_ns = self._tracker.clock_ns
        if last:  # those that have closed were only kept for late segments
            self._open_at_end = int((finished.rows[:, layout.FLAGS] & layout.ENDED == 0).sum())
        watcher.forget(finished.rows[:, layout.ID].tolist())
        if writer is not None:
            return Round(events, [], b"".join(writer.write(finished, clock_ns)), last)
        return Round(events, list(self._labeler.connections(finished, clock_ns)), b"", last)

    def _expire(self) -> None:
        """Connections that have been idle for too long are finished. Looked for at most once a second."""
        now = time.monotonic()
        if self._time_outs is not None and now - self._looked >= min(1.0, self._time_outs[1] / 4e9):
            self._looked = now
            elapsed = time.monotonic_ns() - self._analysis._fed
            self._tracker.expire(elapsed, *self._time_outs)

    def summary(self) -> model.LiveSummary:
        """The counts so far; final when the iteration is over."""
        from analyzer import model

        capture, totals = self.capture, self.totals
        return model.LiveSummary(
            packets=totals.packets,
            bytes=capture.bytes,
            connections=totals.connections,
            open_at_end=self._open_at_end,
            evicted=totals.evicted,
            dropped_by_kernel=capture.dropped_by_kernel,
            dropped_by_us=capture.dropped_by_us,
            late=totals.late,
            damaged=totals.damaged,
            duration_ns=max(0, self._tracker.clock_ns - self._began_ns) if self._began_ns else 0,
            ended=capture.ended or "stopped",
            saved=capture.saved,
        )

    def __iter__(self) -> Iterator[model.LiveEvent | model.Connection | model.LiveSummary]:
        for one in self.rounds():
            yield from one.events
            yield from one.connections
        yield self.summary()

    async def __aiter__(self) -> AsyncIterator[model.LiveEvent | model.Connection | model.LiveSummary]:
        import asyncio

        rounds = self.rounds()
        waiting: asyncio.Future[Round | None] | None = None
        try:
            while True:
                waiting = asyncio.ensure_future(asyncio.to_thread(next, rounds, None))
                one = await asyncio.shield(waiting)  # cancelled here, the thread still ends its round below
                waiting = None
                if one is None:
                    break
                for event in one.events:
                    yield event
                for connection in one.connections:
                    yield connection
            yield self.summary()
        finally:
            self.stop()
            if waiting is not None:
                await waiting
            rounds.close()
            self.close()

    def close(self) -> None:
        """Close the capture."""
        self._analysis.close()

    def __enter__(self) -> LiveAnalysis:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


LiveSource = Literal["scapy", "dumpcap", "tshark"]


def open_live(wanted: Wanted, source: LiveSource | Readable | str = "scapy", user: User | None = None) -> LiveCapture:
    """A live capture: through scapy's raw socket, by a program, or from a pipe ("-" or a binary file object).

    `user`: who a program that is started as root is to run for. Raises LiveError if it cannot start, UsageError for a
    wrong capture filter.
    """
    from analyzer.capture.live.piped import ChildCapture, PipedCapture, Program
    from analyzer.capture.selection import compiled_for

    if source == "scapy":
        from analyzer.capture.live.sockets import RingCapture

        return RingCapture(wanted)
    if wanted.packet_filter is not None:
        compiled_for(wanted.packet_filter, 1, wanted.snaplen)  # a mistake is told in the same words everywhere
    if isinstance(source, str) and source in ("dumpcap", "tshark"):
        return ChildCapture(cast(Program, source), wanted, user)
    return PipedCapture(source, wanted)
