"""Connections as Mermaid diagrams in Markdown, which GitHub and many others draw: what was seen, with its packets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.drawing import ARROWS, LONGEST, OVER, Line, came_to, diagram, escaped, of_verdict
from analyzer.reporter.escape import escape_markdown

MOST_FAULTS: Final = 20  # of a connection
MOST_LINES: Final = 200  # of a diagram: Mermaid refuses texts of 50,000 characters, and readers give up before


class Mermaid:
    """Writes a heading and a diagram for each connection to `write`. `several`: captures, which headings then name."""

    def __init__(self, write: Callable[[str], object], *, several: bool = False):
        self._write, self._several, self._any = write, several, False

    def add(self, connection: model.Connection) -> None:
        capture = f"{escape_markdown(connection.capture)}: " if self._several else ""
        apart = "\n" if self._any else ""
        self._write(f"{apart}### {capture}{heading(connection)}\n\n{fenced(connection)}")
        self._any = True

    def finish(self) -> None:
        """Nothing is held back."""


def heading(connection: model.Connection) -> str:
    ends = map(words.endpoint, (connection.client, connection.server))
    return f"Connection {connection.id}, {escape_markdown(' to '.join(ends))}"


def fenced(connection: model.Connection) -> str:
    """The diagram as a block of Markdown."""
    return "".join(["```mermaid\n", *(f"{line}\n" for line in drawn(connection)), "```\n"])


def drawn(connection: model.Connection) -> list[str]:
    """The lines of a connection's diagram: at most so many, and a note on those left out."""
    client, server = words.endpoint(connection.client), words.endpoint(connection.server)
    lines = list(diagram(client, server, _seen(connection)))
    if (beyond := len(lines) - MOST_LINES) > 0:
        lines[MOST_LINES:] = [f"    {OVER}: … and {words.plural(beyond, 'further line')}, which -v shows"]
    return lines


def _seen(connection: model.Connection) -> Iterator[Line]:
    yield from of_verdict("tcp-open", connection.open, "")
    for tls in words.secured(connection):
        for handshake in tls.handshakes:
            yield from of_verdict("tls", handshake, "")
    for http in words.spoken(connection):
        for one in http.exchanges:
            yield from _messages(one)
        if http.exchanges_not_listed:
            last = connection.last_packet
            yield Line(last, f"{OVER}: {words.plural(http.exchanges_not_listed, 'further exchange')}")
        yield from came_to("http", http.connection, "")
    yield from of_verdict("tcp-close", connection.close, "")
    for fault in connection.faults[:MOST_FAULTS]:
        yield Line(
            fault.packet, f"{OVER}: {escaped(fault.layer)} fault: {escaped(fault.message)} (packet {fault.packet})"
        )
    if (beyond := len(connection.faults) - MOST_FAULTS) > 0:
        yield Line(connection.last_packet, f"{OVER}: {words.plural(beyond, 'further fault')}")


def _messages(one: model.Exchange) -> Iterator[Line]:
    stream = "" if one.stream is None else f", stream {one.stream}"
    request, response = one.request, one.response
    if request is not None:
        said = " ".join(words.shorten(part, LONGEST) for part in (request.method, request.target) if part is not None)
        pushed = "PUSH_PROMISE" if one.pushed else "HTTP Request"
        yield Line(request.packet, f"{ARROWS[one.pushed]}: {pushed} {escaped(said)} (packet {request.packet}{stream})")
    if response is not None:
        status = "" if response.status is None else f" {response.status}"
        end = f" to {response.last_packet}" if response.last_packet != response.packet else ""
        packets = f"packet{'s' if end else ''} {response.packet}{end}"
        cut = "" if response.complete else ", not complete"
        yield Line(response.packet, f"{ARROWS[True]}: HTTP Response{status} ({packets}{stream}{cut})")
    if one.reset is not None:
        side = one.reset.side == "server"
        yield Line(
            one.reset.packet,
            f"{ARROWS[side]}: RST_STREAM {escaped(one.reset.error)} (packet {one.reset.packet}{stream})",
        )
