"""What Jupyter shows of a connection, and of all connections of a capture: HTML that needs nothing else.

No colours are set, so that it reads on light and on dark pages; what a mark means is said in words. Everything from
the capture is escaped twice over: control codes as on a terminal, then for HTML.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.escape import escape
from analyzer.reporter.outputs.evidence import Evidence
from analyzer.reporter.outputs.summary import Summary

if TYPE_CHECKING:
    from analyzer.reporter.outputs.summary import Totals

MOST_ROWS: Final = 100  # connections in a table; a notebook keeps all that it shows
MOST_LINES: Final = 400  # of the evidence of a connection
_WIDTH: Final = 100

_LINE: Final = "border-bottom:1px solid;border-color:color-mix(in srgb, currentColor 25%, transparent)"
_CELL: Final = f"text-align:left;vertical-align:top;padding:2px 10px 2px 0;white-space:nowrap;{_LINE}"
_NUMBER: Final = _CELL.replace("text-align:left", "text-align:right")
_PRE: Final = "margin:4px 0;overflow-x:auto;line-height:1.25;background:none;color:inherit"


def _text(value: str) -> str:
    return html.escape(escape(value))


def _verdict(verdict: model.Verdict | None) -> str:
    if verdict is None:
        return ""
    outcome = words.outcome(verdict)
    mark, said = words.MARKS[outcome], words.verdict_word(verdict)
    return f'<span title="{_text(outcome)}">{_text(f"{mark} {said}")}</span>'


def _tls(connection: model.Connection) -> str:
    return _text(", ".join(filter(None, (part for one in words.secured(connection)[:1] for part in _told(one)))))


def _told(tls: model.Tls) -> Iterable[str | None]:
    return tls.version or "TLS", tls.server_name and words.shorten(tls.server_name, 40)


def _http(connection: model.Connection) -> str:
    found = words.spoken(connection)
    return _text(
        ", ".join(f"{one.version or 'HTTP'}: {words.plural(words.exchange_count(one), 'exchange')}" for one in found)
    )


# Heading, style, and what stands there.
_COLUMNS: Final[tuple[tuple[str, str, Callable[[model.Connection], str]], ...]] = (
    ("#", _NUMBER, lambda c: str(c.id)),
    ("client", _CELL, lambda c: _text(words.endpoint(c.client))),
    ("server", _CELL, lambda c: _text(words.endpoint(c.server))),
    ("open", _CELL, lambda c: _verdict(c.open)),
    ("close", _CELL, lambda c: _verdict(c.close)),
    ("TLS", _CELL, _tls),
    ("HTTP", _CELL, _http),
    ("packets", _NUMBER, lambda c: words.count(c.packets.client + c.packets.server)),
    ("bytes", _NUMBER, lambda c: words.size(c.payload_bytes.client + c.payload_bytes.server)),
    ("duration", _NUMBER, lambda c: words.duration(c.duration_ns)),
)


def _table(connections: Sequence[model.Connection]) -> str:
    head = "".join(f'<th scope="col" style="{style}">{name}</th>' for name, style, _ in _COLUMNS)
    rows = (
        "".join(f'<td style="{style}">{cell(connection)}</td>' for _, style, cell in _COLUMNS)
        for connection in connections
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:90%">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def connection_html(connection: model.Connection) -> str:
    """A line as in a table, and below it the evidence: what was seen, packet by packet, as a ladder."""
    pieces: list[str] = []
    Evidence(pieces.append, width=_WIDTH).add(connection)
    lines = "".join(pieces).rstrip("\n").split("\n")
    if more := len(lines) - MOST_LINES:
        lines[MOST_LINES:] = [f"… {words.plural(more, 'more line')}"] if more > 0 else []
    shown = html.escape("\n".join(lines))
    return (
        f'<div class="analyzer-connection">{_table([connection])}'
        f'<details open><summary>evidence</summary><pre style="{_PRE}">{shown}</pre></details></div>'
    )


def connections_html(
    name: str, connections: Sequence[model.Connection], totals: Totals, warnings: Sequence[str] = ()
) -> str:
    """A table of the connections of a capture, and what they come to."""
    summary = Summary(width=_WIDTH)
    for connection in connections:
        summary.add(connection)
    summary.end_capture(totals)
    parts = [f"<p><strong>{_text(name)}</strong>: {words.plural(len(connections), 'connection')}</p>"]
    parts += [f"<p>warning: {_text(warning)}</p>" for warning in warnings]
    if connections:
        parts.append(_table(connections[:MOST_ROWS]))
    if (more := len(connections) - MOST_ROWS) > 0:
        parts.append(f"<p>… and {words.count(more)} more, of which <code>where(…)</code> finds some</p>")
    shown = html.escape(summary.text().strip("\n"))
    parts.append(f'<details><summary>summary</summary><pre style="{_PRE}">{shown}</pre></details>')
    return f'<div class="analyzer-connections">{"".join(parts)}</div>'
