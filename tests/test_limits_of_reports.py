"""Bounds of docs/limits.md on pages, reports and commands: each is reached, and what is said then."""

from __future__ import annotations

import io
import os
import threading

import msgspec
import pytest
from click.testing import CliRunner

import analyzer
from analyzer import model
from analyzer.cli import program
from analyzer.commands import drawn, reports
from analyzer.dissector.http2 import multiplexing
from analyzer.errors import FlowPageError, InputError
from analyzer.flows import explain, language, matcher
from analyzer.flows.matcher import Automaton
from analyzer.reporter import exchange_lines, inside, labels, lines, watching
from analyzer.reporter.crosscheck import streams
from analyzer.reporter.crosscheck.streams import Streams
from analyzer.reporter.outputs import html, mermaid
from analyzer.reporter.templates import Lines
from tests.conversations import HANDSHAKE, Conversation, capture_of, play
from tests.dissector import http2_talk
from tests.flows.conversation import LETTERS, event, page
from tests.reporter.builders import connection, diverged
from tests.reporter.test_crosscheck import fields
from tests.reporter.test_html import page_of

CLOSE = ("C FIN", "S ACK", "S FIN", "C ACK")
ENCODER = msgspec.json.Encoder()
HTTP = {
    "get": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "hint": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "ok": b"HTTP/1.1 204 No Content\r\n\r\n",
}
CONNECT = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"  # its line's template has places for HTTP as text


def encoded(capture: bytes, monkeypatch, how: str = "line") -> int:
    """How many connections were encoded one by one, and not from a template; or what is inside how many (`how` is
    "written"). Their lines are the same."""
    whole: list[object] = []
    encode = getattr(Lines, how)
    monkeypatch.setattr(Lines, how, lambda self, *one: whole.append(one) or encode(self, *one))
    told = b"".join(analyzer.analyze(io.BytesIO(capture)).lines())
    assert told == b"".join(ENCODER.encode(one) + b"\n" for one in analyzer.analyze(io.BytesIO(capture)))
    return len(whole)


def test_templates_of_json_lines(monkeypatch):
    monkeypatch.setattr(lines, "MOST_TEMPLATES", 2)
    shapes = [("C SYN",), HANDSHAKE, (*HANDSHAKE, *CLOSE), (*HANDSHAKE, "C RST"), ("C SYN", "S RST")]
    talks = [Conversation(client_port=40000 + n).say(*shapes[n % 5]) for n in range(10)]
    assert encoded(capture_of(*talks), monkeypatch) == 2 * (len(shapes) - 2)


def test_steps_of_a_connection_with_a_template(monkeypatch):
    once = ("C DATA get", "S DATA hint", "S DATA ok")
    few, many = exchange_lines.MOST_STEPS // 3, exchange_lines.MOST_STEPS // 3 + 1
    for count, whole in ((few, 0), (many, 1)):
        talk = Conversation(data=HTTP).say(*HANDSHAKE, *once * count)
        assert encoded(capture_of(talk), monkeypatch) == whole


def test_exchanges_of_a_connection_with_a_template(monkeypatch):
    for count, whole in ((exchange_lines.MOST_EXCHANGES, 0), (exchange_lines.MOST_EXCHANGES + 1, 1)):
        talk = Conversation(data=HTTP).say(*HANDSHAKE, *["C DATA get", "S DATA ok"] * count)
        assert encoded(capture_of(talk), monkeypatch, "written") == whole


def test_parts_of_a_life_with_a_template(monkeypatch):
    capture = capture_of(Conversation(data=HTTP | {"connect": CONNECT}).say(*HANDSHAKE, "C DATA connect", "S DATA ok"))
    for most, whole in ((1, 0), (0, 1)):
        monkeypatch.setattr(inside, "MOST_PARTS", most)
        assert encoded(capture, monkeypatch) == whole


def test_silence_that_completes_a_flow():
    for seconds, outcome in ((labels.SILENCE_NS / 1e9 - 0.1, "incomplete"), (labels.SILENCE_NS / 1e9, "variant")):
        found = sorted(
            analyzer.analyze(io.BytesIO(capture_of(Conversation().say("C SYN", f"silence {seconds}")))),
            key=lambda one: one.id,
        )
        assert (found[0].open.flow, found[0].open.outcome) == ("tcp-open/unanswered", outcome)


def test_streams_whose_events_are_told_live(monkeypatch):
    """Requests, and when they have been read answers: of the oldest streams these are in the report only."""
    monkeypatch.setattr(watching, "MOST_STREAMS", 10)
    numbers = range(1, 41, 2)
    talk, begun = http2_pieces()
    asked = b"".join(http2_talk.get(stream)(talk) for stream in numbers)
    answered = b"".join(http2_talk.ok(stream, flags=http2_talk.END)(http2_talk.hpack.Encoder()) for stream in numbers)
    more = http2_talk.ping()
    said = Conversation(data={"begun": begun, "asked": asked, "answered": answered, "more": more}).say(
        *HANDSHAKE, "C DATA begun", "C DATA asked", "silence 1", "C DATA more", "S DATA answered", *CLOSE
    )
    whole = capture_of(said)
    first = len(capture_of_packets(said, 5))
    read, write = os.pipe()

    def send() -> None:
        os.write(write, whole[:first])
        told.wait(10)
        os.write(write, whole[first:])
        os.close(write)

    told = threading.Event()
    sender = threading.Thread(target=send)
    sender.start()
    events: list[model.LiveEvent] = []
    connections: list[model.Connection] = []
    with os.fdopen(read, "rb", buffering=0) as pipe, analyzer.live(source=pipe) as live:
        for one in live:
            if isinstance(one, model.LiveEvent):
                events.append(one)
                if one.stream == numbers[-1]:
                    told.set()
            elif isinstance(one, model.Connection):
                connections.append(one)
    sender.join()
    answers = {one.stream for one in events if one.side == "server" and one.scope == "http2-stream"}
    assert {one.stream for one in events if one.side == "client" and one.stream} == set(numbers)
    assert answers == set(numbers[-watching.MOST_STREAMS // 2 :])
    assert [one.response.status for one in connections[0].http.exchanges] == [200] * len(numbers)


def http2_pieces():
    return http2_talk.hpack.Encoder(), http2_talk.PREFACE + http2_talk.settings()


def capture_of_packets(said: Conversation, count: int) -> bytes:
    some = Conversation()
    some.packets = said.packets[:count]
    return capture_of(some)


def test_a_line_of_a_report(tmp_path):
    report = tmp_path / "long.jsonl"
    with report.open("wb") as file:
        file.write(b'{"type":"connection","capture":"')
        file.seek(reports.MOST_LINE)
        file.write(b'"}\n')
    with report.open("rb") as file, pytest.raises(InputError, match="a line of 64 MiB or more"):
        list(reports.read_report(file, "long.jsonl"))


def test_connections_in_one_drawing(tmp_path):
    for count, code in ((drawn.MOST_DRAWN, 0), (drawn.MOST_DRAWN + 1, 2)):
        path = tmp_path / f"{count}.pcap"
        path.write_bytes(capture_of(*(Conversation(client_port=40000 + n).say(*HANDSHAKE) for n in range(count))))
        done = CliRunner().invoke(program, ["draw", str(path)])
        assert done.exit_code == code, done.stderr
        assert (f"more than {drawn.MOST_DRAWN} connections: choose some" in done.stderr) == (code == 2)


def test_tests_of_a_text():
    def told_apart(count: int) -> None:
        tests = ", ".join(f"A [sni=*{n}]" for n in range(count))
        language.overlaps(Automaton("letters", [page("Client->>Server: " + tests)], LETTERS.steps))

    told_apart(language.MOST_TESTS_OF_A_TEXT)
    with pytest.raises(FlowPageError, match="too many different attribute tests on `A`: use fewer"):
        told_apart(language.MOST_TESTS_OF_A_TEXT + 1)


def test_events_told_apart_by_tests():
    def told_apart(numbers: int) -> None:
        """Eight globs and sent again or not make 512 combinations, and numbers more."""
        tests = [f"A [sni=*{n}]" for n in range(8)] + [f"A [payload>{n}]" for n in range(numbers)]
        automaton = Automaton("letters", [page("Client->>Server: " + ", ".join(tests))], LETTERS.steps, tabled=False)
        language.overlaps(automaton)

    assert language.MOST_COMBINATIONS == 2**8 * 2 * 2
    told_apart(1)
    with pytest.raises(FlowPageError, match="too many different attribute tests on `A`: use fewer"):
        told_apart(2)


def test_tests_where_there_is_no_table():
    def with_tests(count: int) -> Automaton:
        """One of them is whether a segment was sent again, which is always tested."""
        tests = ", ".join(f"A [payload={n}]" for n in range(count - 1))
        return Automaton("letters", [page("Client->>Server: " + tests)], LETTERS.steps, tabled=False)

    assert len(with_tests(matcher.MAX_TESTS_WITHOUT_TABLE).tests) == matcher.MAX_TESTS_WITHOUT_TABLE
    with pytest.raises(FlowPageError, match=f"more than {matcher.MAX_TESTS_WITHOUT_TABLE} different attribute tests"):
        with_tests(matcher.MAX_TESTS_WITHOUT_TABLE + 1)


def test_cells_of_a_table():
    """Ten tests make a row of it so wide that fewer states than usual have room."""
    tests = ", ".join(f"A [payload={n}]" for n in range(matcher.MAX_TESTS - 1))
    branches = "\nand\n".join("Client->>Server: " + ", ".join([name] * 7) for name in "ABCD")
    automaton = Automaton("letters", [page(f"Client->>Server: {tests}\npar\n{branches}\nend")], LETTERS.steps)
    most = matcher.MAX_TABLE_CELLS // automaton.width
    assert most < matcher.MAX_STATES
    with pytest.raises(FlowPageError, match=f"needs more than {most} states"):
        language.explore(automaton)
    assert automaton.table.size <= 2 * matcher.MAX_TABLE_CELLS


def test_values_whose_tests_are_remembered():
    """Those of further ones are made each time."""
    automaton = Automaton("letters", [page("Client->>Server: A [payload>4999]")], LETTERS.steps)
    few, many = (automaton.symbol_of(event(f"C A {payload}")) for payload in (1, 9999))
    symbols = [automaton.symbol_of(event(f"C A {payload}")) for payload in range(1, 10_000)]
    assert symbols == [few] * 4999 + [many] * 5000
    known = {name: len(values) for name, _, values in automaton._tests_of["A"]}
    assert known == {"payload": matcher.MAX_VALUES, "retransmission": 1}


def test_places_where_the_nearest_page_is_looked_for(monkeypatch):
    """Nothing is said of how to get to a page that is too far."""
    for steps, found in ((explain.MOST_PLACES // 3, True), (explain.MOST_PLACES + 1, False)):
        automaton = Automaton("letters", [page("Client->>Server: " + ", ".join(["B"] * steps))], LETTERS.steps)
        seen = [explain.Seen(automaton.symbol_of(event("C A")), 1)]
        assert (explain.Explainer(automaton).nearest(seen) is not None) == found
    saw = ("C SYN", "S SYN-ACK", "C RST", "C ACK")
    assert play(*saw).open.divergence.nearest == "tcp-open/three-way-handshake"
    monkeypatch.setattr(explain, "MOST_PLACES", 1)
    divergence = play(*saw).open.divergence
    assert (divergence.saw, divergence.nearest, divergence.edits) == ("ACK", None, [])


def test_layers_that_tshark_may_tell_of():
    Streams().add(fields(2, stream=2 * streams.MOST_LAYERS))
    with pytest.raises(InputError, match="there cannot be so many streams"):
        Streams().add(fields(2, stream=2 * streams.MOST_LAYERS + 1))


def test_connections_listed_of_what_a_page_found():
    some = [diverged(id=number) for number in range(html.MOST_LISTED + 7)]
    text = page_of(some)
    assert "… and 7 more. Search the table, or use" in text
    assert "more. Search the table" not in page_of(some[: html.MOST_LISTED])


def test_faults_in_a_diagram():
    faults = [model.Fault(number, "tcp", "odd") for number in range(1, mermaid.MOST_FAULTS + 4)]
    text = mermaid.fenced(connection(faults=faults))
    assert text.count("tcp fault: odd") == mermaid.MOST_FAULTS
    assert "3 further faults" in text
    assert "further fault" not in mermaid.fenced(connection(faults=faults[:-3]))


def test_frames_kept_to_be_drawn():
    talk = http2_talk.Talk(log_frames=True).c(http2_talk.get(1)).s(http2_talk.ok(1))
    talk.s(*[http2_talk.data(1, b"x")] * multiplexing.MOST_LOGGED)
    assert len(talk.dissector.multiplexing.log) == 4 * multiplexing.MOST_LOGGED
    assert talk.exchange(1).response.body_bytes == multiplexing.MOST_LOGGED
