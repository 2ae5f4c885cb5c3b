"""Traffic drawn as pages: what a page was drawn from follows it, and what differs in what is drawn does not."""

from __future__ import annotations

import functools
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import pipeline
from analyzer.errors import UsageError
from analyzer.flows.diagram import parse
from analyzer.flows.expression import matches_glob, steps_of
from analyzer.flows.library import parse_page
from analyzer.reporter import drawing
from analyzer.reporter.conformance import Conformance, rules_of
from analyzer.reporter.drawing import FlowDrawing, as_seen, escaped, page
from tests.cases import CASES, capture_of, keys_of
from tests.conversations import HANDSHAKE, Conversation
from tests.conversations import capture_of as capture

# Of captures with more connections, the first ones alone and all of a client and a server together.
_MOST_ALONE = 5


@functools.lru_cache(2)
def lives_of(case, keys=True):
    options = pipeline.Options(keys=keys_of(case) if keys else (), headers=True)
    return sorted(pipeline.analyze(str(capture_of(case)), options).lives(), key=lambda life: life.connection.id)


def selections(lives):
    yield from ([life] for life in lives[:_MOST_ALONE])
    ends = {}
    for life in lives:
        ends.setdefault((life.connection.client.address, life.connection.server.address), []).append(life)
    yield from (some for some in ends.values() if 1 < len(some) <= 100)


def drawn(lives, **options):
    scope = "connection" if len(lives) == 1 else "conversation"
    where = "id=" + "|".join(str(life.connection.id) for life in lives)
    return page(lives, f"{scope}/drawn", "Drawn", "capture.pcapng", where, **options)


def held(text, lives):
    conformance = Conformance(rules_of([parse_page(text, "drawn.md")]), lives)
    conformance.follow_whole()
    (found,) = conformance.results()
    return found


REFUSED = {
    "http1/mid-stream", "http2/mid-stream", "tcp/mid-handshake", "tcp/mid-stream", "tcp/mid-stream-close-only",
    "tcp/one-sided-client", "tcp/one-sided-server", "tcp/syn-scan", "tls/mid-stream",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_it_was_drawn_from_follows_it(case):
    lives = lives_of(case)
    for some in selections(lives):
        try:
            text = drawn(some)
        except UsageError:
            if case not in REFUSED:
                raise
            continue
        found = held(text, lives)
        assert not found.fails, (found.departed, text)
        assert [subject.ids for subject in found.followed] == [tuple(life.connection.id for life in some)]


OF_HTTP = [case for case in CASES if case.startswith(("http1/", "http2/", "flows/"))]
CHANGES = [(r"status=\d+", "status=599"), (r"method=\w+", "method=BREW"), (r"sni=[^] ]+", "sni=other.test")]


@pytest.mark.parametrize("case", OF_HTTP)
def test_a_page_that_says_something_else_is_not_followed(case):
    lives = lives_of(case)
    some = next(selections(lives))
    try:
        lines = drawn(some).split("\n")
    except UsageError:
        return
    for at, line in list(enumerate(lines))[:40]:
        for old, new in CHANGES:
            other = re.sub(old, new, line)
            if other != line:
                found = held("\n".join((*lines[:at], other, *lines[at + 1 :])), lives)
                # Where a loop may be left out, all that it takes is what was taken away.
                if not found.departed:
                    assert any("loop" in before for before in lines[:at])
                for _, departure in found.departed:
                    assert departure.outcome in ("diverged", "incomplete", "unseen")
                    assert (departure.cause == "lost-in-capture") == (departure.outcome == "unseen")
                    assert departure.seen


@pytest.mark.parametrize(
    ("case", "tests"),
    [
        ("http1/single-exchange", ["method=GET target=", "status=200"]),
        ("flows/login", ["connection=1 method=POST target=/login", "connection=1 status=302 header.location=/account"]),
        ("http1/websocket", ["status=101 protocol=websocket"]),
        ("http2/refused", ["error=REFUSED_STREAM"]),
        ("tls/1.3-full", ['version="TLS 1.3" sni=example.test alpn=http/1.1']),
    ],
)
def test_what_is_worth_keeping_is_kept(case, tests):
    text = drawn(next(reversed(list(selections(lives_of(case))))))
    assert [one for one in tests if one not in text] == []


def test_another_status_does_not_follow():
    text = drawn(lives_of("flows/login"))
    found = held(text, lives_of("flows/login-no-cookie"))
    (departure,) = (one for _, one in found.departed)
    assert departure.expected == "server HTTP Response [connection=2 status=200]"
    assert departure.seen == "server HTTP Response [connection=2 status=401]"
    assert text.split("\n")[departure.line - 1].strip() == "Server->>Client: HTTP Response [connection=2 status=200]"


def test_what_repeats_becomes_a_loop():
    text = drawn(lives_of("http1/post"))
    assert text.count("HTTP Request") == 2
    assert "loop seen 2 more times" in text


def test_without_keys_only_what_can_be_read_is_drawn():
    text = drawn(lives_of("tls/1.2-ecdhe", keys=False))
    assert "HTTP Request" not in text
    assert "%% connection 0: HTTP, if there is any, could not be read" in text
    assert not held(text, lives_of("tls/1.2-ecdhe", keys=False)).fails


def test_a_page_about_http_is_not_followed_by_what_nobody_could_read():
    text = drawn(lives_of("tls/1.3-full"))
    found = held(text, lives_of("tls/1.3-full", keys=False))
    (departure,) = (one for _, one in found.departed)
    assert (departure.outcome, departure.cause) == ("unseen", "no-keys")
    assert "give them with --keys" in departure.seen


def test_what_diverged_is_drawn_step_by_step():
    lives = lives_of("tcp/syn-then-reset")
    text = FlowDrawing(lives).diagram()
    assert "TCP follows no documented flow" in text
    assert ": SYN\n" in text
    assert ": ref tcp-" not in text
    assert not held(drawn(lives), lives).fails


HOSTILE = [
    b'GET /%%{init: {"theme":"x"}}%%;end#<script>alert(1)</script> HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET /`"]|\x1b[31m\xe2\x80\xae HTTP/1.1\r\nHost: a\r\n\r\n',
    b"GET /" + b"*?" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
]


@pytest.mark.parametrize("asked", HOSTILE, ids=["mermaid", "markdown", "long"])
def test_hostile_requests_stay_text(asked):
    answer = b"HTTP/1.1 302 Found\r\nLocation: ```\r\nContent-Length: 0\r\n\r\n"
    conversation = Conversation(data={"ask": asked, "answer": answer})
    conversation.say(*HANDSHAKE, "C DATA ask", "S DATA answer", "C FIN", "S FIN", "C ACK")
    options = pipeline.Options(headers=True)
    lives = list(pipeline.analyze(io.BytesIO(capture(conversation)), options).lives())
    assert lives[0].connection.http is not None
    text = drawn(lives)
    assert not held(text, lives).fails
    (target,) = re.findall(r"target=(.*)]", text)
    assert text.count("```") == 2
    for shown in (target, as_seen(lives)):
        assert not re.search(r"%%|<|`|\x1b|\u202e", shown)


@pytest.mark.parametrize("case", CASES)
def test_as_seen_is_a_diagram_with_every_packet_of_the_evidence(case):
    for life in lives_of(case)[:_MOST_ALONE]:
        text = as_seen([life])
        assert text.startswith("sequenceDiagram\n")
        connection = life.connection
        for step in (*connection.open.steps, *connection.close.steps):
            assert re.search(rf"{re.escape(step.step)}[^\n]*\(packets? {step.packet}\b", text), (step, text)
        arrows = [line for line in text.splitlines() if "->>" in line]
        numbers = [int(re.search(r"\(packets? (\d+)", line)[1]) for line in arrows]
        assert numbers == sorted(numbers)


@given(st.text(max_size=200))
def test_nothing_from_a_capture_is_mermaids(text):
    found = escaped(text)
    codes = re.sub(r"#\d+;", "", found)
    assert not set(codes) & set("#;<>&%${}`\n\r")
    assert codes.isprintable()


@given(st.text(min_size=1, max_size=200))
def test_any_value_can_stand_on_a_page_and_still_fits(text):
    value = drawing._value(text)
    diagram = f"sequenceDiagram\n    Client->>Server: HTTP Request [target={value}]\n"
    (step,) = steps_of(parse(diagram))
    assert matches_glob(text, step.tests[0].value)
    assert step.tests[0].holds(text)
    assert not set(value) & set("#;<>&%${}`|\n")
