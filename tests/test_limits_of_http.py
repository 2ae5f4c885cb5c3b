"""Bounds of docs/limits.md on HTTP: each is reached, and what is said then."""

from __future__ import annotations

from analyzer.dissector.http1 import bodies
from analyzer.dissector.http2 import findings, flow_control, multiplexing
from analyzer.dissector.http2 import settings as values
from analyzer.dissector.http2.connection import SERVER
from analyzer.reporter.verdicts import faults_of
from tests.dissector import http_talk
from tests.dissector.http2_talk import (
    END,
    Talk,
    brief,
    data,
    faults,
    frame,
    get,
    goaway,
    ok,
    settings,
    steps,
    update,
)

TINY = {4: 1}  # each stream's initial window is one byte


def test_bytes_that_wait_for_a_change_of_protocol():
    ask = "C CONNECT b:443 HTTP/1.1|Host: b:443||"
    few = http_talk.talk(ask, "C " + "x" * (bodies.HOLD_LIMIT - 64))
    assert http_talk.faults(few) == []
    many = http_talk.talk(ask, *["C " + "x" * 65_536] * 5)
    assert http_talk.faults(many)[0] == "bytes follow a request to change the protocol, and there is no response"
    assert many.exchanges[0].request.method == "CONNECT"


def test_stalls_of_a_connection():
    talk = Talk(client=TINY).c(get(1)).s(ok(1), data(1, b"x"))
    for _ in range(flow_control.MOST_STALLS + 3):
        talk.c(update(1, 1)).s(data(1, b"x"))
    flow = talk.dissector.flow
    assert (len(flow.stalls), flow.stalls_beyond) == (flow_control.MOST_STALLS, 3)
    assert flow.stalled_ns[SERVER] == sum(one.length_ns for one in flow.stalls) + 3 * flow.stalls[0].length_ns


def test_windows_that_are_watched():
    """Of more than so many that are used up at once, the later ones do not count as waits."""
    streams = range(1, 2 * flow_control.MOST_WAITING + 21, 2)
    talk = Talk(client=TINY).c(*map(get, streams)).s(*map(said, streams))
    talk.c(*[update(one, 1) for one in streams]).s(*[data(one, b"x", END) for one in streams])
    flow = talk.dissector.flow
    assert {one.stream for one in flow.stalls} == set(streams[: flow_control.MOST_WAITING])
    assert flow.stalls_beyond == 0
    assert {one.response.body_bytes for one in talk.exchanges} == {2}
    assert faults(talk) == []


def said(stream: int):
    return lambda encoder: ok(stream)(encoder) + data(stream, b"x")


def test_different_settings_of_a_side():
    talk = Talk().c(settings(dict.fromkeys(range(1000, 1000 + 2 * values.MOST_NAMES), 7)), get(1)).s(ok(1, flags=END))
    assert len(talk.dissector.settings[0]) == values.MOST_NAMES
    assert brief(talk) == ["1 GET / -> 200"]


def test_settings_that_wait_for_their_acknowledgement():
    """The oldest then count as if they had been acknowledged."""
    sent = [[(values.MAX_FRAME_SIZE, 16_384 + one)] for one in range(values.MOST_PENDING + 2)]
    of_a_side = values.Settings()
    effects = [of_a_side.send(entries) for entries in sent]
    assert effects == [*[None] * values.MOST_PENDING, sent[0], sent[1]]


def test_faults_of_a_connection():
    talk = Talk().c(*[frame(6, 0, 0, b"short")] * (findings.MOST_FAULTS + 30), get(1)).s(ok(1, flags=END))
    assert len(talk.dissector.faults) == findings.MOST_FAULTS
    assert faults_of(talk.dissector)[-1].message == "30 further faults are not listed"
    assert brief(talk) == ["1 GET / -> 200"]


def test_violations_of_a_stream():
    talk = Talk().c(get(1)).s(*[frame(2, 0, 1, b"bad")] * (findings.MOST_VIOLATIONS + 5), ok(1, flags=END))
    assert steps(talk, 1).count("S Violation") == findings.MOST_VIOLATIONS
    assert len(talk.dissector.faults) == findings.MOST_VIOLATIONS
    assert faults_of(talk.dissector)[-1].message == "5 further faults are not listed"
    assert brief(talk) == ["1 GET / -> 200"]


def test_farewells_of_a_connection():
    talk = Talk().c(get(1)).s(*[goaway(2**31 - 1)] * (findings.MOST_GOAWAYS + 4), ok(1, flags=END))
    assert (len(talk.dissector.goaways), talk.dissector.goaways_beyond) == (findings.MOST_GOAWAYS, 4)


def test_streams_listed_as_multiplexed_in_all(monkeypatch):
    monkeypatch.setattr(multiplexing, "MOST_LISTED_IN_ALL", 50)
    streams = range(1, 41, 2)
    talk = Talk().c(*map(get, streams)).s(*[ok(one, flags=END) for one in streams]).close()
    assert sum(len(one.multiplexed_with) for one in talk.exchanges) == 50
    assert {one.multiplexed for one in talk.exchanges} == {len(streams) - 1}


def test_streams_named_of_a_wait():
    streams = range(3, 2 * multiplexing.MOST_HELD_UP + 23, 2)
    talk = Talk().c(get(1), *map(get, streams)).s(ok(1), *map(ok, streams), at_ns=100)
    held_up(talk, 1000, streams)
    (wait,) = talk.dissector.head_of_line
    assert (wait.missing, wait.waiting) == ([1], list(streams[: multiplexing.MOST_HELD_UP]))


def test_waits_of_a_connection(monkeypatch):
    monkeypatch.setattr(multiplexing, "MOST_WAITS", 5)
    talk = Talk().c(get(1), get(3)).s(ok(1), ok(3), at_ns=100)
    for turn in range(8):
        held_up(talk, 1000 * (turn + 1), [3])
    assert len(talk.dissector.head_of_line) == 5
    assert talk.dissector.multiplexing.head_of_line_beyond == 3


def held_up(talk: Talk, packet: int, streams) -> None:
    """DATA of these streams waits for a segment with DATA of stream 1, which came again."""
    talk.dissector.feed(SERVER, data(1, b"lost"), packet * 10, packet)
    talk.dissector.feed(SERVER, b"".join(data(one, b"x") for one in streams), packet * 10 - 500, packet - 1)


def test_streams_over_that_may_be_interleaved_yet(monkeypatch):
    """With the one that goes on they are, if it is not too long ago."""

    def interleaved(most: int) -> int:
        monkeypatch.setattr(multiplexing, "MOST_APART", most)
        streams = range(3, 83, 2)
        talk = Talk().c(get(1), *map(get, streams)).s(ok(1), data(1, b"x"))
        for one in streams:
            talk.s(ok(one), data(one, b"x", END))
        talk.s(data(1, b"x", END)).close()
        assert all(one.response.complete for one in talk.exchanges)
        return sum(one.interleaved for one in talk.exchanges)

    assert interleaved(1000) == 41
    assert 1 <= interleaved(10) <= 1 + 10 + 1
