"""Accounts of connections: the same interpreted, and no larger than what is under way."""

from __future__ import annotations

import pytest

from analyzer import pipeline
from analyzer.capture.source import open_capture
from analyzer.dissector.accounts import Accounts
from analyzer.dissector.tracker import Tracker
from analyzer.flows import load_library
from tests.cases import CASES, capture_of
from tests.conversations import Conversation
from tests.conversations import capture_of as capture
from tests.dissector import twins

needs_a_twin = pytest.mark.skipif(not twins.is_compiled(), reason="nothing is compiled here: there is no twin")
INTERPRETED = twins.interpreted("analyzer.dissector.accounts")


@needs_a_twin
def test_the_twin_is_interpreted():
    assert not INTERPRETED.COMPILED


@needs_a_twin
@pytest.mark.parametrize("case", CASES)
def test_compiled_and_interpreted_they_are_the_same(case):
    library = load_library()
    one, other = Accounts(), INTERPRETED.Accounts()
    tracker = Tracker(library.automaton("tcp-open"), library.automaton("tcp-close"))
    with open_capture(capture_of(case)) as frames:
        for chunk in frames:
            table = tracker.feed(chunk)
            one.take(table)
            other.take(table)
    for number in range(tracker.seen):
        assert one.of(number) == other.of(number)


def test_slots_are_used_again(tmp_path):
    lines = ("C SYN", "S RST-ACK", "silence 90")
    talks = []
    for port in range(1, 101):
        talk = Conversation(client_port=port)
        talk.now = port * 100_000_000_000
        talks.append(talk.say(*lines))
    path = tmp_path / "many.pcap"
    path.write_bytes(capture(*talks))
    analysis = pipeline.analyze(path, pipeline.Options(accounts=True, tcp_only=True, chunk_bytes=512))
    assert all(analysis.accounts.of(one.id).history == "Sr" for one in analysis)
    assert analysis.totals.connections == 100
    analysis.accounts.release([], [])
    assert analysis.accounts.of(99) is None
