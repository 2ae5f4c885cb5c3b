"""Packets that are not in the order of their times, and clocks that were set back."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer.dissector.tracker import Order
from tests.capture.builders import NANO, Packet, pcap
from tests.cases import capture_of, report_of
from tests.conversations import HANDSHAKE, Conversation, report, steps

WHOLE = (*HANDSHAKE, "C DATA 100", "S ACK", "C FIN", "S ACK", "S FIN", "C ACK")
SECOND = 10**9


def found(times: list[int], *cuts: int) -> tuple[int, int, int, int]:
    order = Order()
    for part in np.split(np.array(times, np.int64), cuts):
        if len(part):
            order.feed(part, np.arange(len(part)) + 1)
    return order.late, order.set_back, order.set_back_packet, order.set_back_ns


def test_in_order_there_is_nothing_to_say():
    assert found([5, 5, 6, 10 * SECOND]) == (0, 0, 0, 0)


def test_a_little_late_is_disorder_and_a_second_is_a_clock():
    assert found([5, 4, 9, SECOND + 9, 8, 9]) == (1, 1, 5, SECOND + 1)


@given(st.lists(st.integers(0, 5 * SECOND), min_size=1), st.data())
def test_whatever_the_chunks(times, data):
    cut = data.draw(st.integers(0, len(times)))
    assert found(times)[:2] == found(times, cut)[:2]


def test_a_clock_set_back_within_a_connection():
    connections, totals, _ = report_of(capture_of("traffic/clock-set-back"))
    assert (totals["set_back"], totals["set_back_packet"], totals["out_of_order"]) == (1, 17, 0)
    assert 3_599 * SECOND < totals["set_back_ns"] < 3_600 * SECOND
    assert [len(connection.faults) for connection in connections] == [0, 1, 0]
    assert connections[1].duration_ns == 0


def test_closed_connections_are_reported_though_the_clock_was_set_back():
    """And their places are free again: what closes after the step does not wait until the old time is reached."""
    said = [Conversation(client_port=1000 + n) for n in range(40)]
    captured = []
    for n, one in enumerate(said):
        back = 3600 * SECOND if n >= 10 else 0
        captured += [
            packet._replace(at_ns=packet.at_ns + (7200 + n) * SECOND - back) for packet in one.say(*WHOLE).packets
        ]
    analysis = analyzer.analyze(io.BytesIO(pcap(*captured, magic=NANO)), chunk_bytes=512)
    reported = [(connection.id, analysis.totals.packets) for connection in analysis]
    assert max(packets - 9 * (number + 1) for number, packets in reported[:-4]) < 100
    assert len(reported) == 40


def test_one_direction_after_the_other():
    (connection,), totals, _ = report_of(capture_of("traffic/direction-by-direction"))
    assert steps(connection.open) == ["C SYN", "S SYN-ACK", "C ACK"]
    assert connection.timing.handshake_ns < SECOND
    assert totals["set_back"] == 1


def test_a_fin_that_was_overtaken():
    lines = [*HANDSHAKE, "C FIN", "S FIN ack=-1", "S ACK", "C ACK"]
    once = Conversation().say(*lines).packets
    swapped = [*once[:4], once[5]._replace(at_ns=once[4].at_ns), once[4]._replace(at_ns=once[5].at_ns), once[6]]
    for captured in (once, swapped):
        (connection,) = report(pcap(*captured, magic=NANO))
        assert connection.close.flow == "tcp-close/simultaneous"
        assert steps(connection.close) == ["C FIN", "S FIN", "S ACK", "C ACK"]
        assert connection.notes.retransmissions == connection.notes.uncaptured_bytes == 0


def test_a_fin_that_was_overtaken_and_acknowledges_all_the_same():
    once = Conversation().say(*HANDSHAKE, "C FIN", "S FIN", "S ACK", "C ACK").packets
    swapped = [*once[:4], once[5], once[4], once[6]]
    (connection,) = report(pcap(*swapped, magic=NANO))
    assert connection.close.flow == "tcp-close/three-segment"
    assert steps(connection.close) == ["C FIN", "S FIN-ACK", "C ACK"]


def test_packets_in_any_order_do_no_harm():
    once = Conversation().say(*WHOLE).packets

    @given(st.permutations(once))
    def harmless(captured: list[Packet]) -> None:
        found = report(pcap(*captured, magic=NANO))
        assert sum(one.packets.client + one.packets.server for one in found) == len(once)

    harmless()
