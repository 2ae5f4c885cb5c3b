"""A report in Markdown, for an issue, a wiki or a mail: what was found, the connections, and what deviates, drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.escape import escape, escape_markdown
from analyzer.reporter.outputs.mermaid import MOST_FAULTS, fenced, heading
from analyzer.reporter.outputs.summary import Summary

MOST_ROWS: Final = 500  # connections in the table
MOST_DRAWN: Final = 20  # of those that deviate or could not be told

_WIDTH: Final = 110
_HEAD: Final = ("#", "Client", "Server", "Opened", "Closed", "TLS", "HTTP", "Packets", "Bytes")
_FINE: Final = frozenset({"documented", "variant"})


class Markdown:
    """Writes a report to `write`, all at `finish`. `captures`: by name."""

    def __init__(self, write: Callable[[str], object], captures: list[str]):
        self._write, self._captures = write, captures
        self.summary = Summary(width=_WIDTH, captures=len(captures))
        self._rows: list[str] = []
        self._sections: list[str] = []
        self._told = self._worth = 0

    def add(self, connection: model.Connection) -> None:
        self.summary.add(connection)
        self._told += 1
        if len(self._rows) < MOST_ROWS:
            self._rows.append(_row(self._cells(connection)))
        if not _remarkable(connection):
            return
        self._worth += 1
        if len(self._sections) < MOST_DRAWN:
            self._sections.append("\n".join(self._section(connection)))

    def finish(self) -> None:
        names = ", ".join(map(escape_markdown, self._captures[:10]))
        more = f" and {len(self._captures) - 10} more" if len(self._captures) > 10 else ""
        self._write(f"# {names}{more}\n\n{_block(self.summary.text())}\n")
        if self._rows:
            lines = [_row(_HEAD), _row(["---"] * len(_HEAD)), *self._rows]
            self._write("## Connections\n\n" + "".join(f"{line}\n" for line in lines))
            if beyond := self._told - len(self._rows):
                self._write(f"\n{words.plural(beyond, 'further connection')}: `--filter` chooses.\n")
        if self._sections:
            self._write("\n## What deviates, and what could not be told\n\n" + "\n".join(self._sections))
            if beyond := self._worth - len(self._sections):
                self._write(f"\n{words.plural(beyond, 'further connection')} not drawn: `--filter` chooses.\n")

    def _cells(self, c: model.Connection) -> Iterator[str]:
        yield str(c.id)
        yield from (escape_markdown(words.endpoint(end)) for end in (c.client, c.server))
        yield from (_verdict(verdict) for verdict in (c.open, c.close))
        yield ", ".join(_verdict(one) for tls in words.secured(c) for one in tls.handshakes[:3])
        yield ", ".join(
            f"{_verdict(http.connection)} ({words.plural(words.exchange_count(http), 'exchange')})"
            for http in words.spoken(c)
        )
        yield words.count(c.packets.client + c.packets.server)
        yield words.size(c.payload_bytes.client + c.payload_bytes.server)

    def _section(self, c: model.Connection) -> Iterator[str]:
        capture = f"{escape_markdown(c.capture)}: " if len(self._captures) > 1 else ""
        yield f"### {capture}{heading(c)}\n"
        yield f"Packets {c.first_packet} to {c.last_packet}.\n"
        for scope, verdict in words.verdicts(c):
            if verdict.outcome in _FINE or not (verdict.steps or scope == "open"):
                continue
            why = escape_markdown(words.divergence_words(verdict.divergence)) if verdict.divergence else ""
            standard = f" ({escape_markdown(verdict.standard)})" if verdict.standard else ""
            yield f"- {scope}: {_verdict(verdict)}{standard}{': ' + why if why else ''}"
        for fault in c.faults[:MOST_FAULTS]:
            yield f"- {fault.layer} fault, packet {fault.packet}: {escape_markdown(fault.message)}"
        if len(c.faults) > MOST_FAULTS:
            yield f"- and {words.plural(len(c.faults) - MOST_FAULTS, 'further fault')}"
        if noticed := words.notes_words(c.notes):
            yield f"- noticed: {', '.join(noticed)}"
        yield f"\n{fenced(c)}"


def _remarkable(connection: model.Connection) -> bool:
    return bool(connection.faults) or any(
        verdict.outcome not in _FINE and words.outcome(verdict) != words.NEVER_OPENED
        for scope, verdict in words.verdicts(connection)
        if scope != "lifecycle"
    )


def _verdict(verdict: model.Verdict) -> str:
    return f"{words.MARKS[words.outcome(verdict)]} {escape_markdown(words.verdict_word(verdict))}"


def _row(cells: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _block(text: str) -> str:
    """As it is, in a block that nothing inside can end."""
    text = "\n".join(map(escape, text.splitlines()))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}\n"
