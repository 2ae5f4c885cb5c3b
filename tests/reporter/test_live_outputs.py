"""What live capture prints for people: lines, and a table that keeps its place."""

from __future__ import annotations

import itertools
import re

import pytest

import analyzer
from analyzer import model
from analyzer.reporter.outputs.live import EventLines, LiveTable, closing_lines, event_words
from tests.cases import capture_of

CLIENT, SERVER = model.Endpoint("10.0.0.1", 40000), model.Endpoint("10.0.0.2", 80)


def event(step="SYN", connection=0, side="client", **more) -> model.LiveEvent:
    at = "2026-11-22T12:00:00.123456789Z"
    return model.LiveEvent(at, connection, side, step, 1, more.pop("scope", "tcp-open"), CLIENT, SERVER, **more)


def summary(**more) -> model.LiveSummary:
    counts = dict.fromkeys(model.LiveSummary.__struct_fields__, 0)
    return model.LiveSummary(**{**counts, "ended": "stopped", "saved": None, **more})


def connections() -> list[model.Connection]:
    return list(analyzer.analyze(capture_of("tcp/web-page")))


class Terminal:
    """As much of one as the table needs: lines, the cursor's row, two screens."""

    def __init__(self, columns=80, rows=24):
        self.size, self.other, self.cursor, self.lines, self.scrolled = (columns, rows), False, True, [""], 0

    def __call__(self, text: str) -> None:
        row = column = 0
        for part in re.findall(r"\x1b\[[?\d;]*[a-zA-Z]|\r\n|[^\x1b\r]+", text):
            if part == "\x1b[H":
                row = column = 0
            elif part == "\x1b[2J":
                self.lines = []
            elif part == "\x1b[J":
                del self.lines[row + 1 :]
            elif part == "\x1b[K":
                self.lines[row] = self.lines[row][:column]
            elif part in ("\x1b[?1049h", "\x1b[?1049l"):
                self.other = part.endswith("h")
            elif part in ("\x1b[?25h", "\x1b[?25l"):
                self.cursor = part.endswith("h")
            elif part == "\r\n":
                row, column = row + 1, 0
                self.scrolled += row >= self.size[1]
            else:
                assert not part.startswith("\x1b"), part
                while len(self.lines) <= row:
                    self.lines.append("")
                self.lines[row] = part + self.lines[row][column + len(part) :]
                column = len(part)
                assert column <= self.size[0]
            while len(self.lines) <= row:
                self.lines.append("")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def table(terminal: Terminal) -> LiveTable:
    return LiveTable(terminal, lambda: terminal.size, colour=False, name="eth0")


def test_a_table_keeps_its_place():
    terminal = Terminal()
    live = table(terminal)
    live.events([event(), event("HTTP Request", detail="GET /", scope="http1")])
    live.draw(summary(packets=7), 1, None)
    assert terminal.other
    assert not terminal.cursor
    assert terminal.lines[0].startswith("analyzer live  eth0  0 ms  7 packets")
    assert "    0  10.0.0.1:40000 → 10.0.0.2:80  c HTTP Request GET /" in terminal.lines
    done = connections()
    for one in done:
        live.connection(one)
    live.draw(summary(packets=99, connections=len(done), dropped_by_kernel=3), 0, "seen.pcapng")
    assert "c HTTP Request" not in terminal.text
    assert "dropped 3 (kernel) 0 (ours)  saved to seen.pcapng" in terminal.text
    assert f"finished: {len(done)}" in terminal.text
    assert "✓ three-way-handshake" in terminal.text
    assert terminal.scrolled == 0
    live.leave()
    assert not terminal.other
    assert terminal.cursor


@pytest.mark.parametrize(("columns", "rows"), list(itertools.product((40, 80, 200), (3, 8, 24, 60))))
def test_a_table_fits_any_terminal(columns, rows):
    """Also one that changes its size."""
    terminal = Terminal(200, 60)
    live = table(terminal)
    live.events([event(connection=number) for number in range(700)])
    for one in connections() * 5:
        live.connection(one)
    live.draw(summary(), 700, "x" * 300)
    terminal.size = columns, rows
    live.draw(summary(), 700, "x" * 300)
    assert terminal.scrolled == 0
    assert len(terminal.lines) <= rows
    assert max(map(len, terminal.lines)) <= columns


def test_what_was_captured_cannot_speak_to_the_terminal():
    hostile = event("HTTP Request", detail="GET /\x1b[2J\x9b31m\u202e", scope="http1", stream=5)
    assert event_words(hostile) == "[5] HTTP Request GET /\\x1b[2J\\x9b31m\\u202e"
    said: list[str] = []
    EventLines(said.append).events([hostile])
    assert said == ["12:00:00.123456  #0     10.0.0.1:40000 → 10.0.0.2:80  " + event_words(hostile) + "\n"]


def test_lines_of_events_and_connections():
    said: list[str] = []
    lines = EventLines(said.append, width=60)
    lines.events([event("SYN-ACK", side="server", retransmission=True)])
    lines.events([])
    assert said == ["12:00:00.123456  #0     10.0.0.1:40000 ← 10.0.0.2:80  SYN-A…\n"]
    for one in connections():
        lines.connection(one)
    assert all(line.endswith("\n") and len(line) <= 61 for line in said)


def test_the_end():
    assert closing_lines(summary(dropped_by_kernel=None)) == [
        "  dropped    unknown by the kernel, 0 by the program that captures"
    ]
    said = closing_lines(summary(dropped_by_kernel=1234, evicted=1, open_at_end=2, ended="interface-gone"))
    assert said == [
        "  dropped    1,234 by the kernel, 0 by the program that captures",
        "  evicted    1 connection: idle for too long, or too many",
        "  open       2 connections at the end, incomplete",
        "  ended      the interface has gone",
    ]
