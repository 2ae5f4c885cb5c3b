"""What the packet stage does for live capture alone: events as they happen, time-outs, and clocks that are set back."""

from __future__ import annotations

import pytest

from analyzer.dissector.layout import (
    EVENT_CODE,
    EVENT_PACKET,
    EVICTED,
    FLAGS,
    ID,
    LOG_CODE,
    LOG_CONNECTION,
    LOG_PACKET,
    LOG_ROW,
)  # fmt: skip
from analyzer.dissector.tracker import Tracker
from analyzer.flows import load_library
from tests.conversations import HANDSHAKE, Conversation
from tests.dissector import twins
from tests.dissector.frames import frames

SECOND = 10**9
HOUR = 3600 * SECOND
CLOSE = ("C FIN", "S FIN", "C ACK")
KINDS = [Tracker, twins.interpreted("analyzer.dissector.tracker").Tracker]


@pytest.fixture(params=KINDS, ids=["as imported", "interpreted"])
def tracker(request) -> Tracker:
    library = load_library()
    return request.param(library.automaton("tcp-open"), library.automaton("tcp-close"))


def chunk(*lines: str, port: int = 40000, at_ns: int = HOUR, first_number: int = 1):
    packets = Conversation(client_port=port).say(*lines).packets
    return frames(
        [one.data for one in packets], times=[at_ns + one.at_ns for one in packets], first_number=first_number
    )


def finished(tracker) -> list[tuple[int, bool]]:
    """Ids, and whether evicted."""
    return [(int(row[ID]), bool(row[FLAGS] & EVICTED)) for row in tracker.take_finished().rows]


def test_events_are_told_once_and_in_order(tracker):
    tracker.follow()
    tracker.feed(chunk(*HANDSHAKE))
    first, _ = tracker.take_events()
    tracker.feed(chunk(*CLOSE, port=40001, first_number=4))
    tracker.feed(chunk(*HANDSHAKE, "C FIN", port=40000, first_number=7, at_ns=2 * HOUR))
    second, _ = tracker.take_events()
    assert first[:, LOG_PACKET].tolist() == [1, 2, 3]
    assert first[:, LOG_CONNECTION].tolist() == [0, 0, 0]
    assert second[:, LOG_PACKET].tolist() == sorted(second[:, LOG_PACKET].tolist())
    assert second[:, LOG_PACKET].min() == 4
    assert len(tracker.take_events()[0]) == 0


def test_events_are_those_of_the_finished_rows(tracker):
    tracker.follow()
    tracker.feed(chunk(*HANDSHAKE, *CLOSE))
    log, _ = tracker.take_events()
    tracker.finish()
    events = tracker.take_finished().events
    assert log[:, LOG_CODE].tolist() == events[:, EVENT_CODE].tolist()
    assert log[:, LOG_PACKET].tolist() == events[:, EVENT_PACKET].tolist()


def test_who_an_event_is_of(tracker):
    tracker.follow()
    tracker.feed(chunk(*HANDSHAKE))
    log, _ = tracker.take_events()
    flags, key = tracker.who(int(log[0, LOG_ROW]))
    tracker.finish()
    done = tracker.take_finished()
    assert key == done.keys[0].tolist()
    assert flags & 0b1101 == int(done.rows[0, FLAGS]) & 0b1101


def test_nothing_is_remembered_unless_somebody_follows(tracker):
    tracker.feed(chunk(*HANDSHAKE))
    assert len(tracker.take_events()[0]) == 0


def test_idle_connections_go_and_say_so(tracker):
    tracker.feed(chunk(*HANDSHAKE))
    tracker.expire(59 * SECOND, 60 * SECOND, 60 * SECOND)
    assert finished(tracker) == []
    tracker.expire(60 * SECOND, 60 * SECOND, 60 * SECOND)
    assert finished(tracker) == [(0, True)]
    # Whoever speaks again is a connection of its own.
    tracker.feed(chunk("C DATA 5", at_ns=2 * HOUR, first_number=4))
    tracker.finish()
    assert finished(tracker) == [(1, False)]


def test_what_is_not_open_may_go_earlier(tracker):
    tracker.feed(chunk("C SYN"))
    tracker.feed(chunk(*HANDSHAKE, port=40001, first_number=2))
    tracker.feed(chunk("C DATA 1", port=40002, first_number=5))  # perhaps open: its beginning was not captured
    tracker.expire(5 * SECOND, 60 * SECOND, 5 * SECOND)
    assert finished(tracker) == [(0, True)]
    assert tracker.seen == 3


def test_closed_connections_are_not_evicted_but_wait_for_late_segments(tracker):
    tracker.feed(chunk(*HANDSHAKE, *CLOSE))
    tracker.expire(HOUR, 60 * SECOND, 60 * SECOND)
    assert finished(tracker) == []
    tracker.advance(3 * SECOND)
    assert finished(tracker) == [(0, False)]


def test_a_clock_that_is_set_back_holds_nothing_up(tracker):
    """A closed connection is reported two seconds later, by the new clock."""
    tracker.feed(chunk(*HANDSHAKE, *CLOSE, at_ns=3 * HOUR))
    tracker.set_back(HOUR)
    tracker.feed(chunk(*HANDSHAKE, port=40001, at_ns=HOUR + SECOND, first_number=7))
    assert finished(tracker) == []
    tracker.feed(chunk("C DATA 1", port=40001, at_ns=HOUR + 3 * SECOND, first_number=10))
    assert finished(tracker) == [(0, False)]
    assert tracker.clock_ns == HOUR + 3 * SECOND


def test_a_clock_that_is_set_back_does_not_keep_idle_connections(tracker):
    tracker.feed(chunk(*HANDSHAKE, at_ns=3 * HOUR))
    tracker.set_back(HOUR)
    tracker.expire(60 * SECOND, 60 * SECOND, 60 * SECOND)
    assert finished(tracker) == [(0, True)]
