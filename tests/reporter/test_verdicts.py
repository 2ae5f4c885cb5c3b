"""Verdicts are worked out once for all that is alike: what is remembered equals what is worked out afresh."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analyzer.dissector.tls import ATTRIBUTES
from analyzer.flows import load_library
from analyzer.flows.matcher import LONGEST_VALUE
from analyzer.pipeline import Options, analyze
from analyzer.reporter import tls_verdicts
from analyzer.reporter.tls_verdicts import HandshakeLabeler
from analyzer.reporter.verdicts import MOST_EVENTS_REMEMBERED, Memo, Symbols
from tests.cases import capture_of, keys_of
from tests.flows.tls_talk import STEPS, SUITES, event, talk

LIBRARY = load_library()
LABELER = HandshakeLabeler(LIBRARY)  # remembers from test to test

FULL = "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN? · S CCS FIN?"

OWN = """---
id: tls/own
scope: tls
title: A page that asks for what others do not
drawn_in_article: none
standard: none
either_side: false
---

For one name, and records of one length.

```mermaid
sequenceDiagram
    Client->>Server: ClientHello [sni=a.example]
    Server->>Client: Encrypted [length=100]
```
"""


def afresh(events, start_ns=0, library=LIBRARY, **around):
    around = {"lost": None, "ended": False, "evicted": False} | around
    return HandshakeLabeler(library)._judge(events, start_ns, **around)


def verdicts(labeler, events, start_ns=0, **around):
    """As structs. Their text is always that of the structs."""
    judged = labeler.handshakes(events, start_ns, **around)
    texts = [bytes(one.text) for one in judged]
    found = [one.verdict for one in judged]
    assert texts == [msgspec.json.encode(verdict) for verdict in found]
    return found


def elsewhere(events, packet, at_ns):
    """The same events, later in a capture."""
    replace = msgspec.structs.replace
    return [replace(one, packet=one.packet * 3 + packet, at_ns=one.at_ns * 7 + at_ns) for one in events]


WORDS = st.one_of(
    st.sampled_from(sorted(STEPS)),
    st.sampled_from(["CH+ticket", "CH+psk", "SH+psk", "SH=rsa", "SH=ecdhe", "SH=odd", "FIN?", "CCS", "CH"]),
    st.sampled_from([f"SH13={suite}" for suite in SUITES]),
    st.integers(0, 80).map(lambda length: f"E{length}"),
)
FLIGHTS = st.lists(st.tuples(st.sampled_from("CS"), WORDS), max_size=14)
BEGINNINGS = st.sampled_from(["", FULL, "C CH · S SH13 CCS E27 E900", "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS"])
LOST = st.sampled_from([None, "mid-stream", "lost-in-capture", "snaplen"])


@given(BEGINNINGS, FLIGHTS, LOST, st.booleans(), st.booleans(), st.integers(0, 10_000))
@example("C CH · S SH13 E900", [("C", "E53")], None, True, False, 0)
@example(FULL, [("C", "CH"), ("S", "ALERT")], None, False, False, 7)
def test_what_is_remembered_equals_what_is_worked_out_afresh(beginning, flights, lost, ended, evicted, packet):
    events = talk(beginning)
    events += [event(side, word, len(events) + at) for at, (side, word) in enumerate(flights)]
    around = {"lost": lost, "ended": ended, "evicted": evicted}
    assert verdicts(LABELER, events, 3, **around) == afresh(events, 3, **around)
    later = elsewhere(events, packet, 10**9)
    assert verdicts(LABELER, later, 10**6, **around) == afresh(later, 10**6, **around)


@pytest.mark.parametrize("suite", SUITES)
def test_every_length_of_an_unreadable_record_is_judged_by_itself(suite):
    for length in range(100):
        for text in (
            f"C CH · S SH13={suite} E900 · C E{length}",
            f"C CH · S SH13={suite} E{length} · C E{length}",
            f"{FULL} · C E{length}",
        ):
            assert verdicts(LABELER, talk(text), ended=True) == afresh(talk(text), ended=True)


def test_the_same_handshake_in_other_packets_is_not_judged_again(monkeypatch):
    labeler = HandshakeLabeler(LIBRARY)
    first = verdicts(labeler, talk(FULL))
    monkeypatch.setattr(labeler, "_judge", None)  # nobody can call it
    (verdict,) = verdicts(labeler, elsewhere(talk(FULL), 100, 1000), 500)
    assert (verdict.flow, verdict.outcome) == (first[0].flow, first[0].outcome)
    assert [(step.packet, step.at_ns) for step in verdict.steps[:2]] == [(103, 507), (106, 514)]


def test_a_diverged_one_names_its_own_packets():
    diverged = talk("C CH · C CKE · S CCS · S FIN")
    labeler = HandshakeLabeler(LIBRARY)
    texts = []
    for packet in (0, 50):
        events = elsewhere(diverged, packet, 0)
        (verdict,) = verdicts(labeler, events)
        assert [verdict] == afresh(events)
        assert verdict.divergence.packet == packet + 6
        texts.append(verdict.divergence.edits)
    assert texts[0] != texts[1]


def test_what_only_a_users_page_asks_for_counts(tmp_path):
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "own.md").write_text(OWN, encoding="utf-8")
    library = load_library([tmp_path])
    labeler = HandshakeLabeler(library)
    flows = []
    for name in ("a.example", "b.example", "a.example"):
        for length in (100, 101):
            events = talk(f"C CH · S E{length}")
            events[0] = msgspec.structs.replace(events[0], sni=name)
            found = verdicts(labeler, events, ended=True)
            assert found == afresh(events, library=library, ended=True)
            flows.append(found[0].flow)
    assert [flow == "tls/own" for flow in flows] == [True, False, False, False, True, False]


def test_different_handshakes_without_end_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(tls_verdicts, "MOST_EVENTS_REMEMBERED", 200)
    labeler = HandshakeLabeler(LIBRARY)
    most = 0
    for number in range(1, 50):
        bits = format(number, "b")
        labeler.handshakes(talk("C CH · " + " · ".join("C DATA" if bit == "1" else "S DATA" for bit in bits)), 0)
        held = sum(map(len, labeler._known))
        assert held <= 200
        most = max(most, held)
    assert most > 180
    assert len(labeler._known) < 49  # it did forget


def test_very_long_ones_are_judged_and_not_remembered():
    labeler = HandshakeLabeler(LIBRARY)
    events = talk("C CH · " + " · ".join(["C DATA", "S DATA"] * MOST_EVENTS_REMEMBERED))
    assert verdicts(labeler, events) == afresh(events)
    assert not labeler._known


@given(st.integers(16, 64), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8))))
def test_a_memo_holds_no_more_than_it_may_and_only_what_it_was_told(most, entries):
    memo = Memo(most)
    told = {}
    sizes = {}
    for key, size in entries:
        if (key,) not in memo:
            memo.remember((key,), size, size=size)
            told[key,], sizes[key,] = size, size
        assert sum(sizes[known] for known in memo) <= most
        assert all(told[known] == value for known, value in memo.items())


def test_a_memo_takes_no_long_text():
    memo = Memo(100)
    memo.remember(("x" * (LONGEST_VALUE + 1),), 1)
    memo.remember(("x" * LONGEST_VALUE,), 2)
    assert list(memo.values()) == [2]


@given(st.lists(st.tuples(st.sampled_from("CS"), WORDS), max_size=20), st.sampled_from([None, True, False]))
def test_symbols_are_those_of_the_automaton(flights, renegotiation):
    automaton = LIBRARY.automaton("tls")
    symbols = Symbols(automaton, ATTRIBUTES)
    for side, word in flights + flights:
        one = event(side, word, 1)
        assert symbols.of(one) == automaton.symbol_of(one)
        expected = automaton.symbol_of(one, {"renegotiation": renegotiation})
        assert symbols.of(one, "renegotiation", renegotiation) == expected


@pytest.mark.parametrize("case", ["compare/http1", "http1/browser", "http2/h2load", "tcp/half-open"])
def test_what_is_remembered_is_not_handed_out(case):
    """Whoever changes a list of one connection through the Python API changes no other's."""
    verdicts = []
    with analyze(capture_of(case), Options(keys=keys_of(case))) as analysis:
        for connection in analysis:
            verdicts += [connection.open, connection.close, connection.lifecycle]
            if connection.tls is not None:
                verdicts += connection.tls.handshakes
            if connection.http is not None:
                verdicts += [connection.http.connection, *(one.verdict for one in connection.http.exchanges)]
    lists = [found for one in verdicts if one is not None for found in (one.branches, one.differs, one.steps)]
    assert len(lists) > 3
    assert len({id(found) for found in lists}) == len(lists)
