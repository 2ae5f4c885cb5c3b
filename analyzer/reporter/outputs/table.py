"""One line per connection, as wide as the terminal and never wider.

Columns have a rank. Those that fit stay, the least important go first. What the essential ones hold is shortened only
where it would not fit without the others, either; nothing is wrapped. The first rows decide the widths: a small capture
is laid out by its contents, a long or live one keeps the widths of its beginning, so that rows can be printed while
packets flow.

Below a connection stand its TLS, what is wrong with that, its HTTP/2, and its first HTTP exchanges, a line each; they
are no cells and change no widths.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import msgspec

from analyzer import model
from analyzer.reporter import words, words_of_http2, words_of_tls
from analyzer.reporter.escape import escape

# Rows held back before the first is printed: enough that most captures are laid out as a whole, and sorted.
_FIRST_BATCH = 1000
_BATCH = 200
_GAP = 2
_EXCHANGES = 5  # shown of a connection
_INDENT = "    "

_Style = Callable[[model.Connection], str | None]


def _plain(connection: model.Connection) -> None:
    return None


ESSENTIAL = 2
LUXURY = 10


class Column(msgspec.Struct, frozen=True):
    """`rank`: 0 stays longest, up to ESSENTIAL are squeezed before they go; LUXURY comes only where all others have the
    room they want.

    Widths, from the narrowest: `squeezed`; `least`, or less where all values are shorter; `enough`, which an essential
    column gets before another one is shown; as wide as the longest value. `typical` counts where rows are yet to come.
    """

    header: str
    rank: int
    text: Callable[[model.Connection], str]
    least: int = 0
    typical: int = 0
    squeezed: int = 0
    enough: int = 0
    right: bool = False
    shorten: Callable[[str, int], str] = words.shorten
    short: Callable[[str], str] = str  # the shortest form that leaves nothing out that matters
    whole: Callable[[str], str] = str  # the form for which `enough` is meant
    in_steps: bool = False  # a cell more is of no use, only as many as the next form takes
    colour: _Style = _plain
    grows: int = 0  # whose turn it is to get what it wants: first those of which more than words would be lost


def _verdict_cell(verdict: model.Verdict) -> str:
    return f"{words.MARKS[words.outcome(verdict)]} {words.verdict_word(verdict)}"


def _verdict_colour(verdict: model.Verdict) -> str:
    return words.COLOURS[words.outcome(verdict)]


def _without_cause(text: str) -> str:
    """The mark says something of it."""
    return text.partition(" (")[0]


def _short_flow(text: str) -> str:
    """Without the word handshake, too: `three-way` says as much."""
    return _without_cause(text).replace("-handshake", "")


def _shorten_flow(text: str, width: int) -> str:
    for shorter in (text, _without_cause(text), _short_flow(text)):
        if words.cells(shorter) <= width:
            return shorter
    return words.shorten(shorter, width)


def _rtt(connection: model.Connection) -> str:
    handshake = connection.timing.handshake_ns
    return "" if handshake is None else words.duration(handshake)


def _remarks(connection: model.Connection) -> str:
    said: list[str] = []
    for scope, verdict in words.verdicts(connection):
        if verdict.divergence and (why := words.divergence_words(verdict.divergence)) not in said:
            where = f"{words_of_http2.stream_of(connection, verdict)}: " if scope == words.STREAMS else ""
            said.append(where + why)
        if scope in ("open", "close"):  # how many exchanges there were is seen below
            said.extend(escape(difference.removeprefix("variant: ")) for difference in verdict.differs)
    said += words.notes_words(connection.notes)
    said.extend(f"packet {fault.packet}: {escape(fault.message)}" for fault in connection.faults[:3])
    reasons = map(words_of_tls.undecrypted, words.secured(connection))
    said += [f"not decrypted: {words_of_tls.gist(reason)}" for reason in reasons if reason]
    return ", ".join(said)


_END: dict[str, Any] = {"least": 21, "typical": 21, "squeezed": 15, "shorten": words.short_endpoint}
_FLOW: dict[str, Any] = {
    "least": 18,
    "typical": 17,
    "squeezed": 12,
    "enough": 24,
    "shorten": _shorten_flow,
    "short": _short_flow,
    "whole": _without_cause,
    "in_steps": True,
}

COLUMNS: tuple[Column, ...] = (
    Column("#", 0, lambda c: str(c.id), typical=4, right=True),
    Column("capture", 2, lambda c: escape(c.capture), 16, 16, 9, 24, shorten=words.shorten_path),
    Column("start (UTC)", LUXURY, lambda c: c.start[:23].replace("T", " ")),
    Column("client", 1, lambda c: words.endpoint(c.client), **_END),
    Column("server", 1, lambda c: words.endpoint(c.server), **_END),
    Column("open", 2, lambda c: _verdict_cell(c.open), colour=lambda c: _verdict_colour(c.open), **_FLOW),
    Column("close", 2, lambda c: _verdict_cell(c.close), colour=lambda c: _verdict_colour(c.close), **_FLOW),
    Column("by", 4, lambda c: c.close.closed_by or "", typical=6),
    Column("packets", 5, lambda c: words.count(c.packets.client + c.packets.server), typical=9, right=True),
    Column("bytes", 6, lambda c: words.size(c.payload_bytes.client + c.payload_bytes.server), typical=7, right=True),
    Column("RTT", 7, _rtt, typical=8, right=True),
    Column("duration", 9, lambda c: words.duration(c.duration_ns), typical=10, right=True),
    Column("vlan", 9, lambda c: ".".join(map(str, c.vlan)), right=True),
    Column("inside", 9, lambda c: " ".join(layer.type for layer in c.encapsulation)),
    Column("remarks", 8, _remarks, 30, 40, grows=2, colour=lambda c: "yellow" if c.faults else None),
)


def lay_out(columns: list[Column], sample: list[list[str]], width: int, complete: bool) -> dict[int, int]:
    """Which columns fit into `width`: their indices, in order, and how wide each is. `sample` has the cells by row."""
    wanted, enough, least = [], [], []
    for index, column in enumerate(columns):
        cells = [row[index] for row in sample]
        typical = 0 if complete else column.typical
        shown = any(cells) or typical
        wanted.append(max(len(column.header), typical, *map(words.cells, cells)) if shown else 0)
        lossless = max(len(column.header), typical, *(words.cells(column.short(cell)) for cell in cells))
        least.append(min(lossless, column.least or lossless, wanted[-1]))
        whole = max(words.cells(column.whole(cell)) for cell in cells)
        enough.append(max(least[-1], min(whole, column.enough)))
    widths = [0] * len(columns)
    room = width + _GAP
    by_rank = sorted((i for i in range(len(columns)) if wanted[i]), key=lambda i: columns[i].rank)

    def show(ranks: range, narrow: bool = False) -> None:
        nonlocal room
        for index in by_rank:
            first = min(least[index], columns[index].squeezed or least[index]) if narrow else least[index]
            if columns[index].rank in ranks and first + _GAP <= room:
                widths[index] = first
                room -= first + _GAP

    def widen(index: int, to: int) -> None:
        nonlocal room
        more = to - widths[index] if widths[index] else 0
        if more > room:
            more = 0 if columns[index].in_steps else room
        if more > 0:
            widths[index] += more
            room -= more

    show(range(ESSENTIAL + 1), narrow=True)
    # Cell by cell to the column that lacks most, so that none is squeezed for another's comfort.
    while room and (lacking := [i for i in by_rank if 0 < widths[i] < least[i]]):
        widths[max(lacking, key=lambda i: least[i] - widths[i])] += 1
        room -= 1
    for index in sorted(by_rank, key=lambda i: not columns[i].in_steps):  # of paths a few cells more may do
        widen(index, enough[index])
    show(range(ESSENTIAL + 1, LUXURY))
    for index in sorted(by_rank, key=lambda i: columns[i].grows):
        widen(index, wanted[index])
    show(range(LUXURY, LUXURY + 1))
    return {index: cells for index, cells in enumerate(widths) if cells}


def distinct_names(captures: Sequence[str]) -> dict[str, str]:
    """What tells the captures apart: of each path the shortest end that no other has. Where files in several folders
    are all called capture.pcap, the folder says enough."""
    paths = {path: PurePath(path) for path in captures if path != "-"}
    ends = collections.Counter(end for path in paths.values() for end in _ends(path))
    folders = collections.Counter(end for path in paths.values() for end in _ends(path.parent))
    by_folder = {path: next((end for end in _ends(path.parent) if folders[end] == 1), "") for path in paths.values()}
    namesakes = collections.defaultdict(list)
    for path in paths.values():
        namesakes[_stem(path)].append(by_folder[path])
    names = {}
    for given, path in paths.items():
        told_by_folder = len(namesakes[_stem(path)]) > 1 and all(namesakes[_stem(path)])
        by_file = next((end for end in _ends(path) if ends[end] == 1), given)
        names[given] = by_folder[path] if told_by_folder else by_file
    return names


def _ends(path: PurePath) -> list[str]:
    """`a/b/c` → `c`, `b/c`, `a/b/c`."""
    parts = path.parts
    return [str(PurePath(*parts[at:])) for at in reversed(range(len(parts)))]


def _stem(path: PurePath) -> str:
    return path.name.partition(".")[0]


_Line = list[words_of_tls.Part]


class _Row(NamedTuple):
    """A connection that waits to be printed; no more of it is kept, since there may be thousands of exchanges."""

    capture: str
    id: int
    cells: list[str]
    colours: list[str | None]  # of the cells
    below: list[_Line]


def _below(connection: model.Connection, width: int) -> list[_Line]:
    """The lines below a connection: what is inside of what comes below it."""
    room = width - len(_INDENT)
    outer: list[_Line] = []
    inner: list[_Line] = []
    tunnel = connection.tunnel
    for tls in words.secured(connection):
        after = tunnel.after if tunnel and tunnel.tls == tls else None
        lines = [words_of_tls.line(tls, room, after)]
        if problems := words_of_tls.problems(tls):
            lines.append([(words.shorten(f"! {', '.join(problems)}", room), "yellow")])
        (outer if after is None else inner).extend(lines)
    for http in words.spoken(connection):
        inside = tunnel is not None and tunnel.http == http
        # Of HTTP/1 in a tunnel that HTTP opened, the line that opened it says enough.
        if http.version == words_of_http2.VERSION:
            after = tunnel.after if tunnel and inside else None
            (inner if inside else outer).extend(_http2(http, room, after))
        elif http is connection.http:
            (inner if inside else outer).extend(_exchanges(http, room))
    return [*outer, *inner]


def _http2(http: model.Http, room: int, after: str | None) -> list[_Line]:
    lines = [words_of_http2.line(http, room, after)]
    if problems := words_of_http2.problems(http):
        lines.append([(words.shorten(f"! {', '.join(problems)}", room), "yellow")])
    shown = http.exchanges[:_EXCHANGES]
    digits = max((len(str(one.stream)) for one in shown), default=0)
    return [*lines, *(words_of_http2.exchange(one, room, digits) for one in shown), *_more(http)]


def _exchanges(http: model.Http, room: int) -> list[_Line]:
    lines: list[_Line] = [[(words.exchange(one, room), None)] for one in http.exchanges[:_EXCHANGES]]
    return lines + _more(http)


def _more(http: model.Http) -> list[_Line]:
    more = words.exchange_count(http) - min(_EXCHANGES, len(http.exchanges))
    return [[(f"… and {words.count(more)} more", None)]] if more else []


class Table:
    """Writes a table of connections to `write`. `captures`: where they come from; a column tells several apart.
    `live`: every row at once, as somebody watches them arrive."""

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        width: int = 80,
        colour: bool = False,
        captures: Sequence[str] = (),
        live: bool = False,
    ):
        self._write, self._width, self._colour = write, width, colour
        names = distinct_names(captures)
        self._columns = [
            msgspec.structs.replace(column, text=lambda c: escape(names.get(c.capture, c.capture)))
            if column.header == "capture"
            else column
            for column in COLUMNS
            if len(captures) > 1 or column.header != "capture"
        ]
        self._first, self._batch = (1, 1) if live else (_FIRST_BATCH, _BATCH)
        self._layout: dict[int, int] = {}  # index of a column → its width
        self._widest = [""] * len(self._columns)  # numbers only
        self._pending: list[_Row] = []

    def add(self, connection: model.Connection) -> None:
        cells = [column.text(connection) for column in self._columns]
        colours = [column.colour(connection) for column in self._columns]
        below = _below(connection, self._width)
        self._pending.append(_Row(connection.capture, connection.id, cells, colours, below))
        if len(self._pending) >= (self._batch if self._layout else self._first):
            self._print(complete=False)

    def flush(self) -> None:
        """Nothing: rows held back are printed when the batch is full or with `finish`."""

    def finish(self) -> None:
        if self._pending:
            self._print(complete=not self._layout)

    def _print(self, complete: bool) -> None:
        order = {capture: index for index, capture in enumerate(dict.fromkeys(row.capture for row in self._pending))}
        self._pending.sort(key=lambda row: (order[row.capture], row.id))
        batch = [row.cells for row in self._pending]
        for index, column in enumerate(self._columns):
            if column.right:
                self._widest[index] = max([self._widest[index], *(cells[index] for cells in batch)], key=len)
        # A text may be shortened, a number may not: one that is too wide begins the table anew.
        header = not self._layout or any(len(self._widest[i]) > self._layout[i] for i in self._layout)
        if header:
            self._layout = lay_out(self._columns, [*batch, self._widest], self._width, complete)
        rows = [self._row(row) for row in self._pending]
        below = [[self._line(line) for line in row.below] for row in self._pending]
        self._pending.clear()
        self._write(self._formatted(rows, below, header))

    def _row(self, row: _Row) -> list[str]:
        return [
            self._styled(self._columns[index].shorten(row.cells[index], width), row.colours[index])
            for index, width in self._layout.items()
        ]

    def _line(self, line: _Line) -> str:
        runs = (
            (colour, "".join(text for text, _ in run)) for colour, run in itertools.groupby(line, lambda part: part[1])
        )
        return _INDENT + "".join(self._styled(text, colour or "bright_black") for colour, text in runs)

    def _styled(self, text: str, colour: str | None, bold: bool = False) -> str:
        if not self._colour or not text or not (colour or bold):
            return text
        import click

        return click.style(text, fg=colour, bold=bold)

    def _formatted(self, rows: list[list[str]], below: list[list[str]], header: bool) -> str:
        """The rows through tabulate, each with the lines below it; the line of dashes keeps the widths, also where it
        is not printed."""
        from tabulate import tabulate

        columns = [self._columns[index] for index in self._layout]
        dashes = ["-" * width for width in self._layout.values()]
        titles = [self._styled(column.header, None, bold=True) for column in columns]
        lines = tabulate(
            [titles, dashes, *rows],
            tablefmt="plain",
            disable_numparse=True,
            colalign=["right" if column.right else "left" for column in columns],
        ).splitlines()
        whole = lines[:2] if header else []
        for line, further in zip(lines[2:], below, strict=True):
            whole += [line, *further]
        return "".join(line.rstrip() + "\n" for line in whole)
