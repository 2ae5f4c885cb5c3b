"""The pages of scopes http2 and http2-stream, as conversations of HTTP/2 steps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conversation import library
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector import http2
from analyzer.dissector.http2.exchanges import Http2Event
from analyzer.flows.expression import RETRANSMISSION, steps_of
from analyzer.flows.language import explore, overlaps
from analyzer.flows.library import OF_AN_HTTP2_CONNECTION, OF_AN_HTTP2_STREAM, SCOPES
from analyzer.flows.matcher import MAX_STATES, MAX_TESTS_WITHOUT_TABLE

sys.path.append(str(Path(__file__).parents[2]))
from tests.flows.http2_talk import CONNECTION_WORDS, LABELER, STREAM_WORDS, around, connection, flow_of, stream, talk
from tests.flows.http2_talk import exchange as exchange_of

BEGUN = "C PRE SET · S SET ACK · C ACK"
CONNECTIONS = [  # each as it is with TLS and without, or after an upgrade with the request before it
    f"{BEGUN} H",
    BEGUN,
    "S SET · C PRE SET ACK H · S ACK",
    "C PRE SET H · S SET ACK · C ACK",
    "C PRE SET · S SET",
    "C PRE SET H · S SET · C ACK",
    f"{BEGUN} H SET · S ACK SET SET · C ACK ACK SET SET · S ACK ACK",
    f"{BEGUN} H PING",
    f"{BEGUN} H · S G · C G",
    f"{BEGUN} H · S G G · C SET · S ACK",
    f"{BEGUN} · C G H",
    f"{BEGUN} H · S G=ENHANCE_YOUR_CALM",
    f"{BEGUN} H V · S G=PROTOCOL_ERROR",
    f"{BEGUN} H V V SET · S ACK G=FRAME_SIZE_ERROR · C V · S G=FRAME_SIZE_ERROR · C G",
    f"{BEGUN} H · S V · C G=COMPRESSION_ERROR",
    f"{BEGUN} H · S G · C V · S G=PROTOCOL_ERROR",
]


@pytest.mark.parametrize("text", CONNECTIONS)
def test_connections(text):
    for tls, flow in ((True, "over-tls"), (False, "prior-knowledge")):
        verdict = connection(text, tls=tls)
        assert flow_of(verdict) == flow
        assert verdict.begun_by == "client"
        assert sum(step.times for step in verdict.steps) == sum(event.step != "PING" for event in talk(text))
        documented = tls and " G" in text and "=" not in text
        assert verdict.outcome == ("documented" if documented else "variant")
        assert verdict.drawn_in_article == ("F8" if tls else None)
    upgraded = f"C H · {text.replace(' H', '')}"
    assert flow_of(connection(upgraded, tls=False)) == "upgraded"


@pytest.mark.parametrize(
    ("text", "branches", "differs"),
    [
        (f"{BEGUN} H", ["requests"], ["no GOAWAY"]),
        (BEGUN, [], ["no GOAWAY"]),
        (f"{BEGUN} H · S G", ["requests", "GOAWAY of the server"], []),
        (f"{BEGUN} H · S G · C G", ["requests", "GOAWAY of the client", "GOAWAY of the server"], []),
        (
            f"{BEGUN} H V · S G=PROTOCOL_ERROR",
            ["requests", "variant: the server ends it with an error"],
            ["the server ends it with an error"],
        ),
    ],
)
def test_how_connections_end(text, branches, differs):
    verdict = connection(text)
    assert verdict.branches == branches
    assert verdict.differs == differs


def test_goaway_may_still_come_or_have_been_lost():
    for circumstances in ({"ended": False}, {"lost": "lost-in-capture"}):
        verdict = connection(f"{BEGUN} H", **circumstances)
        assert (flow_of(verdict), verdict.outcome) == ("over-tls", "variant")
        assert verdict.differs == ["no GOAWAY was captured"]


@pytest.mark.parametrize(
    ("text", "saw", "packet", "expected", "edits"),
    [
        (f"{BEGUN} H V", "Violation", 3, "client GOAWAY", ["client Violation at packet 3 is not in this flow"]),
        (f"{BEGUN} H · S V · C G", "Violation", 4, "client GOAWAY",
         ["server Violation at packet 4 is not in this flow"]),
        (f"{BEGUN} H · S V G=PROTOCOL_ERROR", "Violation", 4, "client SETTINGS",
         ["client GOAWAY missing after packet 4"]),
        ("C PRE H SET · S SET", "HEADERS", 1, "client SETTINGS", ["client HEADERS at packet 1 is not in this flow"]),
        ("S ACK SET · C PRE SET", "SETTINGS ACK", 1, "client Preface",
         ["server SETTINGS ACK at packet 1 is not in this flow"]),
        ("C SET · S SET", "SETTINGS", 1, "client Preface", ["client Preface missing before packet 1"]),
    ],
)  # fmt: skip
def test_connections_that_follow_no_page(text, saw, packet, expected, edits):
    verdict = connection(text)
    assert (verdict.flow, verdict.outcome) == (None, "diverged")
    found = verdict.divergence
    assert (found.saw, found.packet) == (saw, packet)
    assert expected in found.expected
    assert not [one for one in found.expected if "Violation" in one]
    assert found.nearest == "http2/over-tls"
    assert found.edits[: len(edits)] == edits


def test_what_is_not_known_of_a_connection():
    assert connection("C PRE SET H").outcome == "incomplete"
    assert connection("C PRE SET H").cause == "connection-ended"
    assert connection("C PRE SET H", ended=False).cause == "open-at-end"
    assert connection("C PRE SET H", lost="lost-in-capture").outcome == "unseen"
    assert connection(f"{BEGUN} H V", lost="lost-in-capture").cause == "lost-in-capture"
    assert connection("C PRE SET", ended=False, evicted=True).cause == "evicted"


STREAMS = {
    "exchange": [
        "C H E · S H E",
        "C H E · S H D E",
        "C H D E · S H D E",
        "C H · S H D · C D E · S E",
        "C H · S H D E · C D E",
        "C H · S H · C E · S E",
        "C H D · S H D E R=NO_ERROR",
        "C H · S H E R=NO_ERROR",
        "C H E · S H=404 E",
        "C H=CONNECT · S H=403 D E · C E",
        "C H=CONNECT E · S H=502 E",
        "S H · C H E · S E",  # captured in the wrong order
    ],
    "exchange-with-trailers": [
        "C H E · S H D T E",
        "C H D · S H · C E · S D T E",
        "C H D T E · S H D E",
        "C H D T E · S H T E",
        "C H · S H D T E R=NO_ERROR",
    ],
    "interim-response": [
        "C H E · S I H E",
        "C H · S I · C D E · S H D E",
        "C H E · S I I I H D T E",
        "C H · S I H E R=NO_ERROR",
        "C H T E · S I H E",
    ],
    "pushed": ["S P · S H E", "S P H D E", "S P I H D T E"],
    "reset": [
        "C H R",
        "C H E R",
        "C H E R=REFUSED_STREAM",
        "C H E · S R=INTERNAL_ERROR",
        "C H E · S R=NO_ERROR",
        "C H · S I · C D R",
        "C H E · S H D · C R",
        "C H E · S H D R=INTERNAL_ERROR",
        "C H E · S H R=REFUSED_STREAM",
        "C H D · S H E · C R",
        "C H D · S H E R=CANCEL",
        "C H E · S H D T · C R",
        "C H V E · S R=PROTOCOL_ERROR",
        "C H V V E V · S I R=PROTOCOL_ERROR",
        "C H E · S H V · C R=PROTOCOL_ERROR",
        "C H E · S H D · C V · S R=STREAM_CLOSED",
        "S P · C R",
        "S P H D · C R",
        "S P H D R",
        "S P R=REFUSED_STREAM",
    ],
    "refused": [
        "C H E · S R=REFUSED_STREAM",
        "C H D · S R=REFUSED_STREAM",
        "C H D T E · S R=REFUSED_STREAM",
        "C H E · S I R=REFUSED_STREAM",
        "S P · C R=REFUSED_STREAM",
        "S P H D · C R=REFUSED_STREAM",
    ],
    "tunnel": [
        "C H=CONNECT · S H",
        "C H=CONNECT · S H=204 · C D · S D · C E · S E",
        "C H=CONNECT · S I H D · C D E",
        "C H=CONNECT D · S H D E",
        "C H=CONNECT · S H · C D R",
        "C H=CONNECT · S H · C D · S D R",
        "C H=CONNECT · S H · C V · S R",
    ],
}
BY_SILENCE = ["C H E", "C H", "C H D", "C H D E", "C H D T E", "C H E · S I", "C H · S I · C D E", "S P", "S P I"]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in STREAMS.items() for text in texts])
def test_streams(name, text):
    for ended in (True, False):
        verdict = stream(text, ended=ended)
        assert flow_of(verdict) == name
        assert verdict.begun_by == ("server" if text.startswith("S P") else "client")
        assert len(verdict.steps) == len(talk(text))
        early = "R=NO_ERROR" in text
        assert verdict.outcome == ("documented" if name == "exchange" and not early else "variant")
    if name == "exchange":
        assert verdict.drawn_in_article == "F9"
        assert verdict.differs == (["the server did not need the whole request"] if early else [])


@pytest.mark.parametrize("text", BY_SILENCE)
def test_requests_that_nobody_answers(text):
    unanswered = stream(text)
    assert (flow_of(unanswered), unanswered.outcome) == ("unanswered", "variant")
    waiting = stream(text, ended=False)
    assert (flow_of(waiting), waiting.outcome, waiting.cause) == ("unanswered", "incomplete", "open-at-end")
    lost = stream(text, lost="lost-in-capture")
    assert (lost.flow, lost.outcome, lost.cause) == (None, "unseen", "lost-in-capture")


def test_a_request_above_goaways_last_stream_was_not_processed():
    for ended in (True, False):
        verdict = stream("C H E", above_goaway=True, ended=ended)
        assert (flow_of(verdict), verdict.outcome) == ("unanswered", "variant")
        assert verdict.branches == ["GOAWAY says that it was not processed"]
    assert stream("C H E").branches == []
    assert flow_of(stream("C H E · S H E", above_goaway=True)) == "exchange", "it was processed all the same"


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        ("C H E · S H", "exchange"),
        ("C H · S H D", "exchange"),
        ("C H · S H D E", "exchange"),
        ("C H E · S I H", "interim-response"),
        ("C H E · S H D T", "exchange-with-trailers"),
        ("S P H D", "pushed"),
    ],
)
def test_streams_cut_off(text, flow):
    for ended, cause in ((True, "connection-ended"), (False, "open-at-end")):
        verdict = stream(text, ended=ended)
        assert (flow_of(verdict), verdict.outcome, verdict.cause) == (flow, "incomplete", cause)


@pytest.mark.parametrize(
    ("text", "saw", "expected", "nearest", "edits"),
    [
        ("C H V E · S H=400 E", "client Violation", ["client DATA", "client END_STREAM", "server HEADERS"], "exchange",
         ["client Violation at packet 1 is not in this flow"]),
        ("C H E · S H D E V", "server Violation", [], "exchange", ["server Violation at packet 2 is not in this flow"]),
        ("C H E V", "client Violation", ["server HEADERS"], None, []),
        ("C H E · S H D · C V · S E", "client Violation", ["server END_STREAM"], "exchange",
         ["client Violation at packet 3 is not in this flow"]),
        ("S P D E", "server DATA", ["server HEADERS"], "pushed", ["server HEADERS missing after packet 1"]),
        ("C H E · S D E", "server DATA", ["server HEADERS"], "exchange", ["server HEADERS missing after packet 1"]),
        ("S H E", "server HEADERS", ["client HEADERS", "server PUSH_PROMISE"], "pushed",
         ["server PUSH_PROMISE missing before packet 1"]),
    ],
)  # fmt: skip
def test_streams_that_follow_no_page(text, saw, expected, nearest, edits):
    verdict = stream(text)
    assert (verdict.flow, verdict.outcome) == (None, "diverged")
    found = verdict.divergence
    assert f"{found.side} {found.saw}" == saw
    assert set(expected) <= set(found.expected)
    assert not [one for one in found.expected if "Violation" in one or "RST_STREAM" in one]
    if nearest is not None:
        assert (found.nearest, found.edits[: len(edits)]) == (f"http2-stream/{nearest}", edits)
    unseen = stream(text, lost="mid-stream")
    assert (unseen.flow, unseen.outcome, unseen.cause) == (None, "unseen", "mid-stream")


def test_what_comes_after_a_complete_flow_does_not_belong_to_it():
    verdict = stream("C H=CONNECT · S H D T")
    assert (flow_of(verdict), verdict.outcome) == ("tunnel", "variant")
    assert [step.step for step in verdict.steps][-1] == "Trailers", "it is evidence all the same"


@pytest.mark.parametrize("scope", ["http2", "http2-stream"])
def test_no_two_pages_accept_the_same_events(scope):
    assert [(found.first.id, found.second.id, found.events) for found in overlaps(library().automaton(scope))] == []


@pytest.mark.parametrize(("scope", "most", "tests"), [("http2", 100, 5), ("http2-stream", 1200, 10)])
def test_the_pages_are_bounded_and_leave_room_for_a_users_pages(scope, most, tests):
    automaton = library().automaton(scope)
    explore(automaton)
    assert automaton.states < most < MAX_STATES // 3
    assert max(len(alternatives) for flow, _ in automaton.flows for alternatives in flow.states) <= 3
    assert len(automaton.tests) <= tests < MAX_TESTS_WITHOUT_TABLE - 8
    assert automaton.tests[0] == RETRANSMISSION
    assert automaton.width == 0, "no table: it would be 2**tests wide"


def test_names():
    assert SCOPES["http2"].steps is http2.CONNECTION_STEPS
    assert SCOPES["http2-stream"].steps is http2.STREAM_STEPS
    assert SCOPES["http2"].attributes == {**http2.ATTRIBUTES, **OF_AN_HTTP2_CONNECTION}
    assert SCOPES["http2-stream"].attributes == {**http2.ATTRIBUTES, **OF_AN_HTTP2_STREAM}
    assert [name for name in http2.ATTRIBUTES if not hasattr(Http2Event, name)] == []
    assert [name for name in {**OF_AN_HTTP2_CONNECTION, **OF_AN_HTTP2_STREAM} if hasattr(Http2Event, name)] == []
    drawn = {step.name for page in library().of_scope("http2") for step in steps_of(page.expression)}
    assert drawn == {*CONNECTION_WORDS.values(), "Violation"}
    drawn = {step.name for page in library().of_scope("http2-stream") for step in steps_of(page.expression)}
    assert drawn == {*STREAM_WORDS.values(), "Violation"} == set(http2.STREAM_STEPS)


def test_pages_in_their_order():
    assert [page.id for page in library().of_scope("http2")] == [
        "http2/over-tls", "http2/prior-knowledge", "http2/upgraded",
    ]  # fmt: skip
    names = [page.id.removeprefix("http2-stream/") for page in library().of_scope("http2-stream")]
    assert names == [*(name for name in STREAMS if name != "tunnel"), "unanswered", "tunnel"]
    pages = (*library().of_scope("http2"), *library().of_scope("http2-stream"))
    assert not any(page.either_side for page in pages)
    assert [page.id for page in pages if page.ends_by_silence] == ["http2-stream/unanswered"]
    drawn = {page.id: page.drawn_in_article for page in pages if page.drawn_in_article}
    assert drawn == {"http2/over-tls": "F8", "http2-stream/exchange": "F9"}


SIDES = st.sampled_from("CS")


@given(st.lists(st.tuples(SIDES, st.sampled_from([*STREAM_WORDS, "V", "R=NO_ERROR", "R=REFUSED_STREAM", "H=CONNECT"]))))
def test_any_stream_has_an_outcome(words):
    text = " · ".join(f"{side} {word if side == 'C' else word.replace('CONNECT', '403')}" for side, word in words)
    for lost in (None, "lost-in-capture"):
        found = LABELER.exchange(exchange_of(text) if text else exchange_of("C"), around(lost=lost)).verdict
        assert (found.divergence is not None) == (found.outcome == "diverged")
        assert len(found.steps) == len(words)
        if found.outcome == "diverged":
            assert not lost
            assert found.divergence.packet in {step.packet for step in found.steps}


@given(st.lists(st.tuples(SIDES, st.sampled_from([*CONNECTION_WORDS, "V", "G=PROTOCOL_ERROR", "PING"]))), st.booleans())
def test_any_connection_has_an_outcome(words, tls):
    text = " · ".join(f"{side} {word}" for side, word in words)
    for ended in (False, True):
        found = connection(text or "C", tls=tls, ended=ended)
        assert (found.divergence is not None) == (found.outcome == "diverged")
        violated = any(word == "V" for _, word in words)
        answered = any("ends it with an error" in said for said in found.differs)
        assert not violated or answered or found.outcome == "diverged"
