"""What live capture prints for people: a line per event, or a table that keeps its place on the terminal."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterator

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.escape import escape
from analyzer.reporter.outputs.table import Table

_MARKS = {"client": "→", "server": "←"}
# Kept for the table; no terminal is higher.
_MOST_ROWS = 500

_ENDED = {
    "stopped": "", "packets": "as many packets as asked for", "duration": "as long as asked for",
    "interface-gone": "the interface has gone", "end-of-input": "the input has ended",
    "failed": "the packets could not be saved",
}  # fmt: skip


def drop_words(summary: model.LiveSummary) -> str:
    """What was lost before it could be looked at."""
    kernel = "unknown" if summary.dropped_by_kernel is None else f"{summary.dropped_by_kernel:,}"
    return f"{kernel} by the kernel, {summary.dropped_by_us:,} by the program that captures"


def closing_lines(summary: model.LiveSummary) -> list[str]:
    """The end of what is printed below the summary of all captures."""
    lines = [f"  {'dropped':<11}{drop_words(summary)}"]
    if summary.evicted:
        lines.append(f"  {'evicted':<11}{words.plural(summary.evicted, 'connection')}: idle for too long, or too many")
    if summary.open_at_end:
        lines.append(f"  {'open':<11}{words.plural(summary.open_at_end, 'connection')} at the end, incomplete")
    if why := _ENDED[summary.ended]:
        lines.append(f"  {'ended':<11}{why}")
    return lines


def event_words(event: model.LiveEvent) -> str:
    """`SYN`, `HTTP Request GET /index.html`, `[5] HEADERS 200`."""
    stream = f"[{event.stream}] " if event.stream else ""
    detail = f" {escape(event.detail)}" if event.detail else ""
    again = " (again)" if event.retransmission else ""
    return f"{stream}{escape(event.step)}{detail}{again}"


class EventLines:
    """A line per event and per finished connection, for pipes, logs and those who like it plain."""

    def __init__(self, write: Callable[[str], object], *, width: int | None = None):
        self._write, self._width = write, width

    def events(self, events: list[model.LiveEvent]) -> None:
        if events:
            self._write("".join(map(self._event, events)))

    def connection(self, connection: model.Connection) -> None:
        parts = [
            f"{connection.start[11:26]}  #{connection.id:<5} {words.endpoint(connection.client)} = "
            f"{words.endpoint(connection.server)}",
            *(
                f"{scope} {words.MARKS[words.outcome(verdict)]} {words.verdict_word(verdict)}"
                for scope, verdict in words.verdicts(connection)
                if scope != words.STREAMS
            ),
            words.plural(connection.packets.client + connection.packets.server, "packet"),
            words.size(connection.payload_bytes.client + connection.payload_bytes.server),
            words.duration(connection.duration_ns),
        ]
        self._write(self._cut("  ".join(parts)) + "\n")

    def _event(self, event: model.LiveEvent) -> str:
        ends = (words.endpoint(event.client), _MARKS[event.side], words.endpoint(event.server))
        return self._cut(f"{event.at[11:26]}  #{event.connection:<5} {' '.join(ends)}  {event_words(event)}") + "\n"

    def _cut(self, line: str) -> str:
        return line if self._width is None else words.shorten(line, self._width)


class _Open:
    """A connection in the upper half of the table."""

    __slots__ = ("event", "events", "first", "number")

    def __init__(self, event: model.LiveEvent):
        self.number, self.first, self.event, self.events = event.connection, event, event, 1


class LiveTable:
    """Open connections, what just finished, rates and drops, always at the same place of a terminal.

    `write` takes text for the terminal; `size` says how many columns and rows it has. It is drawn on the terminal's
    other screen, so that what was there before comes back. Memory is bounded: of open connections the ones that last
    said something are listed.
    """

    def __init__(self, write: Callable[[str], object], size: Callable[[], tuple[int, int]], *, colour: bool, name: str):
        self._write, self._size, self._colour, self._name = write, size, colour, name
        self._open: collections.OrderedDict[int, _Open] = collections.OrderedDict()
        self._finished: collections.deque[model.Connection] = collections.deque(maxlen=_MOST_ROWS)
        self._began = self._then = time.monotonic()
        self._packets = self._bytes = 0  # at `_then`
        self._rates = 0.0, 0.0
        self._shown = (0, 0)
        self._on = False

    def events(self, events: list[model.LiveEvent]) -> None:
        for event in events:
            known = self._open.get(event.connection)
            if known is None:
                self._open[event.connection] = _Open(event)
                if len(self._open) > _MOST_ROWS:
                    self._open.popitem(last=False)
            else:
                known.event = event
                known.events += 1
                self._open.move_to_end(event.connection)

    def connection(self, connection: model.Connection) -> None:
        self._open.pop(connection.id, None)
        self._finished.append(connection)

    def draw(self, summary: model.LiveSummary, open_now: int, saved: str | None) -> None:
        """Everything anew, in place. `open_now`: connections open, listed or not; `saved`: where packets go."""
        now = time.monotonic()
        if now - self._then >= 1 or not self._on:
            past = max(now - self._then, 1e-3)
            self._rates = (summary.packets - self._packets) / past, (summary.bytes - self._bytes) * 8 / past
            self._then, self._packets, self._bytes = now, summary.packets, summary.bytes
        width, height = self._size()
        begin = "\x1b[H"
        if not self._on:
            begin = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J"
            self._on = True
        elif (width, height) != self._shown:
            begin = "\x1b[H\x1b[2J"
        self._shown = width, height
        lines = list(self._lines(summary, open_now, saved, width, height))[:height]
        # No line break after the last one: it would scroll.
        self._write(begin + "\x1b[K\r\n".join(lines) + "\x1b[K\x1b[J")

    def leave(self) -> None:
        """The terminal is as it was before."""
        if self._on:
            self._on = False
            self._write("\x1b[?25h\x1b[?1049l")

    def _lines(
        self, summary: model.LiveSummary, open_now: int, saved: str | None, width: int, height: int
    ) -> Iterator[str]:
        packets, bits = self._rates
        facts = [
            f"analyzer live  {escape(self._name)}",
            words.duration(int(time.monotonic() - self._began) * 10**9),
            f"{summary.packets:,} packets",
            f"{packets:,.0f} packets/s",
            f"{_bits(bits)}/s",
        ]
        yield self._styled(words.shorten("  ".join(facts), width), bold=True)
        lost = bool(summary.dropped_by_kernel or summary.dropped_by_us)
        kernel = "unknown" if summary.dropped_by_kernel is None else f"{summary.dropped_by_kernel:,}"
        facts = [f"dropped {kernel} (kernel) {summary.dropped_by_us:,} (ours)"]
        if summary.evicted:
            facts.append(f"evicted {summary.evicted:,}")
        if saved:
            facts.append(f"saved to {escape(saved)}")
        facts.append("Ctrl-C ends")
        yield self._styled(words.shorten("  ".join(facts), width), colour="red" if lost else "bright_black")
        yield ""
        room = max(2, height - 7)
        finished = self._table(width, room - min(len(self._open), room // 2))
        yield self._styled(words.shorten(f"open: {open_now:,}", width), bold=True)
        most = max(1, room - len(finished))
        listed = list(self._open.values())[-most:] if self._open else []
        for one in reversed(listed):
            yield self._row(one, width)
        yield ""
        yield self._styled(words.shorten(f"finished: {summary.connections:,}", width), bold=True)
        yield from finished

    def _row(self, one: _Open, width: int) -> str:
        event = one.event
        ends = f"{words.endpoint(event.client)} → {words.endpoint(event.server)}"
        said = f"{event.side[0]} {event_words(event)}"
        return words.shorten(f"{one.number:>5}  {ends}  {said}", width)

    def _table(self, width: int, most: int) -> list[str]:
        """The newest finished connections, in at most so many lines with their header."""
        if not self._finished or most < 3:
            return []
        lines: list[str] = []
        table = Table(lines.append, width=width, colour=self._colour)
        for connection in list(self._finished)[-most:]:
            table.add(connection)
        table.finish()
        drawn = "".join(lines).splitlines()
        return drawn if len(drawn) <= most else [*drawn[:2], *drawn[len(drawn) - most + 2 :]]

    def _styled(self, text: str, *, colour: str | None = None, bold: bool = False) -> str:
        if not self._colour:
            return text
        import click

        return click.style(text, fg=colour, bold=bold)


def _bits(rate: float) -> str:
    for unit in ("bit", "kbit", "Mbit"):
        if rate < 999.5:
            return f"{rate:,.0f} {unit}"
        rate /= 1000
    return f"{rate:,.2f} Gbit"
