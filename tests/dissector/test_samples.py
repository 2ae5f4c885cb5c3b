"""Segments kept to be drawn: all of a small capture, some of a large one, and what is said of those left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import pipeline
from analyzer.dissector import layout, samples
from analyzer.dissector.packets import PacketTable
from analyzer.dissector.samples import Samples
from tests.cases import CASES, capture_of


def analysed(case):
    analysis = pipeline.analyze(str(capture_of(case)), pipeline.Options(samples=True))
    connections = sorted(analysis, key=lambda one: one.id)
    analysis.samples.finish()
    return connections, analysis.samples


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("tls")])
def test_what_is_kept_agrees_with_what_is_counted(case):
    connections, kept = analysed(case)
    for one in connections:
        found = kept.of(one.id)
        assert found.seen == one.packets.client + one.packets.server
        assert found.number[0] == one.first_packet
        if found.seen > samples.MOST_OF_A_CONNECTION:
            assert found.every > 1
            continue
        sides = np.bincount(found.side, minlength=2).tolist()
        assert sides == [one.packets.client, one.packets.server]
        assert found.seen == len(found.number)
        for side, name in enumerate(("client", "server")):
            assert found.payload[found.side == side].sum() == getattr(one.payload_bytes, name)
        noticed = np.bincount(found.note, minlength=layout.NOTE_COPY + 1)
        assert noticed[layout.NOTE_RETRANSMISSION] <= one.notes.retransmissions  # one segment may count twice
        assert (noticed[layout.NOTE_RETRANSMISSION] > 0) == (one.notes.retransmissions > 0)
        assert noticed[layout.NOTE_OUT_OF_ORDER] == one.notes.out_of_order
        assert noticed[layout.NOTE_DUPLICATE_ACK] == one.notes.duplicate_acks
        assert noticed[layout.NOTE_KEEP_ALIVE] == one.notes.keep_alives
        assert noticed[layout.NOTE_COPY] == one.notes.duplicates


def test_a_lost_segment_is_a_gap_and_then_a_retransmission():
    _, kept = analysed("tcp/loss-seen-by-receiver")
    found = kept.of(0)
    assert found.note.tolist() == [0, 0, 0, 0, 0, 5, 0, 1, 0, 0, 0, 0, 0]
    assert found.offset[5] > found.offset[7]


def test_of_a_packet_captured_twice_the_second_is_a_copy():
    connections, kept = analysed("traffic/router-both-sides")
    for one in connections:
        found = kept.of(one.id)
        copies = np.flatnonzero(found.note == layout.NOTE_COPY)
        assert len(copies) == one.notes.duplicates > 0
        for at in copies:
            before = (found.side[:at] == found.side[at]) & (found.offset[:at] == found.offset[at])
            assert (before & (found.payload[:at] == found.payload[at])).any()


def test_copies_do_not_crowd_out_what_is_special():
    kept = Samples(most=100, most_of_a_connection=100)
    for _ in range(40):
        notes = [layout.NOTE_RETRANSMISSION if at == 3 else layout.NOTE_COPY * (at % 2) for at in range(50)]
        kept.take(table_of([(0, note, 0) for note in notes]))
    kept.finish()
    found = kept.of(0)
    assert np.count_nonzero(found.note == layout.NOTE_RETRANSMISSION) == 40
    assert found.every_special == 1 < found.every


def test_without_samples_no_notes_are_taken():
    analysis = pipeline.analyze(str(capture_of("tcp/loss-seen-by-receiver")))
    assert analysis.samples is None
    list(analysis)


def table_of(rows):
    """`rows`: connection, note, flags, of each segment."""
    table = PacketTable(len(rows))
    table.count = len(rows)
    table.kind[:] = layout.KIND_TCP
    table.row[:] = 0
    table.window[:] = 100
    table.number[:] = np.arange(1, len(rows) + 1)
    table.connection[:] = [row[0] for row in rows]
    table.note[:] = [row[1] for row in rows]
    table.flags[:] = [row[2] for row in rows]
    return table


def test_of_a_long_connection_plain_segments_are_thinned_and_marked_ones_are_not():
    kept = Samples(most=100, most_of_a_connection=100)
    for _ in range(100):
        kept.take(table_of([(0, int(number == 3), 0) for number in range(50)]))
    kept.finish()
    found = kept.of(0)
    assert found.seen == 5000
    assert found.every > 1
    assert found.every_special * np.count_nonzero(found.note) in range(60, 150)
    plain = found.number[found.note == 0]
    assert len(found.number) <= 100
    assert len(plain) >= 2


def test_of_too_many_connections_the_last_ones_are_not_drawn():
    kept = Samples(most=1000, most_of_a_connection=100)
    kept.take(table_of([(number // 4, 0, 0) for number in range(8000)]))
    kept.finish()
    assert kept.of(0) is not None
    assert kept.of(1999) is None
    assert kept.of(5_000_000) is None


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5), st.sampled_from([0, 1, 2, 4, 16])), max_size=60),
             max_size=30),
    st.integers(20, 200), st.integers(8, 64),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_memory_is_bounded_and_what_is_kept_is_true(chunks, most, most_each):
    kept = Samples(most, most_each)
    seen = dict[int, int]()
    for rows in chunks:
        kept.take(table_of(rows))
        for row in rows:
            seen[row[0]] = seen.get(row[0], 0) + 1
        assert kept._held <= 2 * most + 60
    kept.finish()
    total = 0
    for connection in range(10):
        found = kept.of(connection)
        if found is None:
            continue
        total += len(found.number)
        assert found.seen == seen[connection]
        assert len(found.number) <= found.seen
        assert found.every == found.every_special == 1 or len(found.number) < found.seen or found.seen < 2
        if found.every == found.every_special == 1:
            assert len(found.number) == found.seen
    assert total <= max(most, 9 * most_each)
    assert sum(seen.values()) > most or total == sum(seen.values()) or max(seen.values(), default=0) > most_each


def test_connections_beyond_the_bound_are_not_kept(monkeypatch):
    monkeypatch.setattr(samples, "MOST_CONNECTIONS", 3)
    kept = Samples()
    kept.take(table_of([(number, 0, 0) for number in range(6)]))
    kept.orient(np.array([[0] * 40, *([[number if at == layout.ID else 0 for at in range(40)] for number in (2, 5)])]))
    kept.finish()
    assert [kept.of(number) is not None for number in range(6)] == [True, True, True, False, False, False]
