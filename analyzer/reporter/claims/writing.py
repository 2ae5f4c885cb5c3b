"""A report on claims as text for a terminal, as Markdown and as JSON."""

from __future__ import annotations

import collections
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from analyzer.reporter import words
from analyzer.reporter.claims.found import Judged, Place, Report, Row
from analyzer.reporter.escape import escape, escape_markdown
from analyzer.reporter.outputs.counts import TIED

_MARKS: Final = {"supported": "✓", "contradicted": "✗", "not-seen": "?"}
_COLOURS: Final = {"supported": "green", "contradicted": "red", "not-seen": "bright_black"}
_LABEL = 9  # columns of a label such as "packets"
_NOTHING = "–"


def as_json(report: Report) -> bytes:
    """Indented, one line at the end. A name of a file that is no UTF-8 (PEP 383) gets a replacement character."""

    def readable(value: Any) -> Any:
        match value:
            case str():
                return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            case list():
                return [readable(one) for one in value]
            case dict():
                return {name: readable(one) for name, one in value.items()}
            case _:
                return value

    return msgspec.json.format(msgspec.json.encode(readable(msgspec.to_builtins(report))), indent=2) + b"\n"


def as_text(report: Report, *, width: int, colour: bool = False, several: bool = False) -> str:
    """Each claim as a block of lines, then the comparison. `several`: captures, so that packets name theirs."""
    width = max(width, 40)
    lines = [*(_styled(line, None, colour, bold=True) for line in _wrapped(_counted(report), width)), ""]
    for judged in report.claims:
        lines += _block(judged, width, colour, several)
    lines += _table(report, width, colour)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _counted(report: Report) -> str:
    verdicts = collections.Counter[str](judged.verdict for judged in report.claims)
    counts = ", ".join(f"{verdicts[verdict]} {_word(verdict)}" for verdict in _MARKS)
    return f"{words.plural(report.connections, 'connection')}: {counts}"


def _word(verdict: str) -> str:
    return verdict.replace("-", " ")


def _block(judged: Judged, width: int, colour: bool, several: bool) -> Iterator[str]:
    word = f"{_MARKS[judged.verdict]} {_word(judged.verdict):<12}"
    lead = f"{judged.id:<4}{word}  "
    first, *rest = _wrapped(judged.claim, width - len(lead))
    yield f"{_styled(judged.id, None, colour, bold=True)}{'':<{4 - len(judged.id)}}" + (
        f"{_styled(word, _COLOURS[judged.verdict], colour)}  {_styled(first, None, colour, bold=True)}"
    )
    for line in rest:
        yield " " * len(lead) + _styled(line, None, colour, bold=True)
    facts = {
        "seen": judged.seen,
        "packets": _packets(judged.evidence, several),
        "general": f"{judged.in_general} {judged.standard}",
    }
    for label, said in facts.items():
        for at, line in enumerate(_wrapped(escape(said), width - 4 - _LABEL)):
            yield f"    {label if not at else '':<{_LABEL}}{line}"
    yield ""


def _packets(evidence: Iterable[Place], several: bool) -> str:
    """`4, 9`, or with several captures `web.pcapng 4, 9; other.pcapng 3`."""
    said = []
    for capture, places in itertools.groupby(evidence, key=lambda place: place.capture):
        numbers = ", ".join(str(place.packet) for place in places)
        said.append(f"{words.shorten_path(escape(capture), 40)}: {numbers}" if several else numbers)
    return "; ".join(said)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines; none of them ends between RFC and its number."""
    tied = re.sub(r"\bRFC (?=\d)", f"RFC{TIED}", text)
    return [line.replace(TIED, " ") for line in textwrap.wrap(tied, max(20, width), break_on_hyphens=False)]


def _table(report: Report, width: int, colour: bool) -> Iterator[str]:
    """A line for each measure, below its property."""
    cells = [(row, value_words(row.http1, row.unit), value_words(row.http2, row.unit)) for row in report.comparison]
    widths = [max([8, *(len(cell[1]) for cell in cells)]), max([8, *(len(cell[2]) for cell in cells)])]
    # No wider than it takes, so that the eye finds its way from one end of a line to the other.
    room = min(width - sum(widths) - 4, max([20, *(len(row.measured) + 4 for row in report.comparison)]))
    yield _styled(f"{'Measured':<{room}}  {'HTTP/1.1':>{widths[0]}}  {'HTTP/2':>{widths[1]}}", None, colour, bold=True)
    for name, rows in itertools.groupby(cells, key=lambda cell: cell[0].property):
        yield f"  {name}"
        for row, http1, http2 in rows:
            measured = words.shorten(row.measured, room - 4)
            yield f"    {measured:<{room - 4}}  {http1:>{widths[0]}}  {http2:>{widths[1]}}"
    yield ""
    for line in _notes(report):
        yield from _wrapped(line, width)


def _notes(report: Report) -> Iterator[str]:
    for version, count in (("HTTP/1.1", report.not_read.http1), ("HTTP/2", report.not_read.http2)):
        if count:
            said = f"{words.plural(count, 'connection')} of {version} could not be read"
            yield f"{said}: --keys takes the key log of the client or of the server."
    missing = [
        name for name, none in (("HTTP/1.1", _none(report, "http1")), ("HTTP/2", _none(report, "http2"))) if none
    ]
    if missing:
        yield f"{_NOTHING}: there is no {' and no '.join(missing)} that could be read, or no such thing in the version."
    else:
        yield f"{_NOTHING}: there is no such thing in the version, or nothing to measure it by."


def _none(report: Report, version: str) -> bool:
    return all(getattr(row, version) is None for row in report.comparison)


def value_words(value: float | int | None, unit: str) -> str:
    """With its unit where that is not said by what is measured."""
    if value is None:
        return _NOTHING
    match unit:
        case "ms":
            return words.duration(round(value * 1e6))
        case "ratio":
            return f"{100 * value:.0f} %"
        case "bytes":
            return words.size(round(value))
        case _:
            return f"{value:,}"


def _styled(text: str, colour: str | None, wanted: bool, bold: bool = False) -> str:
    if not wanted:
        return text
    import click

    return click.style(text, fg=colour, bold=bold)


def as_markdown(report: Report) -> str:
    """Two tables, as GitHub reads them."""
    lines = ["# Claims", "", f"{_counted(report)}.", ""]
    lines += _rows(["", "Claim", "Verdict", "Seen", "Packets", "In general", "Standard"])
    several = len({place.capture for judged in report.claims for place in judged.evidence}) > 1
    for judged in report.claims:
        word = f"{_MARKS[judged.verdict]} {_word(judged.verdict)}"
        packets = _packets(judged.evidence, several)
        texts = (judged.claim, word, judged.seen, packets, judged.in_general, judged.standard)
        lines.append(_row([judged.id, *map(escape_markdown, texts)]))
    lines += ["", "# HTTP/1.1 against HTTP/2", ""]
    lines += _rows(["Property", "Measured", "HTTP/1.1", "HTTP/2"], right=2)
    lines += [_row(map(escape_markdown, _cells(row))) for row in report.comparison]
    lines += ["", *(escape_markdown(line) for line in _notes(report))]
    return "".join(f"{line}\n" for line in lines)


def _cells(row: Row) -> list[str]:
    return [row.property, row.measured, value_words(row.http1, row.unit), value_words(row.http2, row.unit)]


def _rows(header: list[str], right: int = 0) -> list[str]:
    rules = ["---"] * (len(header) - right) + ["---:"] * right
    return [_row(header), _row(rules)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
