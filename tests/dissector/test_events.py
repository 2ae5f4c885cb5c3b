"""Which segments are steps of an opening or a close: "Events, exactly" of the flow rules, and the RFCs behind it."""

from __future__ import annotations

import pytest

from analyzer.model import PerSide
from tests.conversations import HANDSHAKE, play, play_all, steps

OPENED = ["C SYN", "S SYN-ACK", "C ACK"]


def opening(*lines: str) -> list[str]:
    return steps(play(*lines).open)


def closing(*lines: str) -> list[str]:
    """Steps of the close after a handshake."""
    return steps(play(*HANDSHAKE, *lines).close)


class TestOpening:
    def test_in_order(self):
        assert opening(*HANDSHAKE, "C DATA 5", "S ACK", "S DATA 5", "C ACK") == OPENED

    def test_data_may_complete_it(self):
        assert opening("C SYN", "S SYN-ACK", "C ACK lost", "C DATA 5") == OPENED

    def test_a_fin_may_complete_it(self):
        assert opening("C SYN", "S SYN-ACK", "C FIN") == OPENED

    @pytest.mark.parametrize("ack", [-1, +1, +1000, -(2**31)])
    def test_a_syn_ack_counts_only_when_its_number_fits(self, ack):  # RFC 9293 §3.10.7.3
        connection = play("C SYN", f"S SYN-ACK ack={ack:+d}", "silence 9")
        assert steps(connection.open) == ["C SYN"]
        assert connection.faults[0].packet == 2

    @pytest.mark.parametrize("ack", [-1, -1000, -(2**31)])
    def test_so_does_the_ack(self, ack):
        assert opening("C SYN", "S SYN-ACK", f"C ACK ack={ack:+d}") == ["C SYN", "S SYN-ACK"]

    def test_an_ack_of_data_that_was_not_captured_fits(self):
        assert opening("C SYN", "S SYN-ACK", "S DATA 100 lost", "C ACK") == OPENED

    def test_a_challenge_for_an_older_connection_is_no_step(self):  # RFC 9293 §3.5.1
        lines = ("C SYN", "S ACK seq=99 ack=-7000", "C SYN again", "S SYN-ACK", "C ACK")
        assert opening(*lines) == ["C SYN", "C SYN again", "S SYN-ACK", "C ACK"]

    def test_nor_is_the_reset_that_answers_it(self):  # RFC 9293 §3.5.1: it ends the older connection
        lines = ("C SYN", "S ACK seq=99 ack=-7000", "C RST seq=-7000", "C SYN again", "S SYN-ACK", "C ACK")
        connection = play(*lines)
        assert steps(connection.open) == ["C SYN", "C SYN again", "S SYN-ACK", "C ACK"]
        assert connection.faults == []

    def test_the_ack_may_be_captured_before_the_syn_ack(self):
        assert opening("C SYN", "S SYN-ACK lost", "C ACK", "S SYN-ACK again") == OPENED

    def test_the_syn_ack_may_be_captured_before_the_syn(self):
        assert opening("C SYN lost", "S SYN-ACK", "C SYN again", "C ACK") == OPENED

    def test_all_of_it_backwards(self):
        assert opening("C SYN lost", "S SYN-ACK lost", "C ACK", "S SYN-ACK again", "C SYN again") == OPENED

    def test_the_evidence_names_the_packets(self):
        connection = play("C SYN", "S SYN-ACK lost", "C ACK", "S SYN-ACK again", "C DATA 5")
        assert [step.packet for step in connection.open.steps] == [1, 3, 2]

    def test_later_acknowledgements_are_no_steps(self):
        assert opening(*HANDSHAKE, "C ACK", "C ACK", "S ACK") == OPENED

    def test_a_syn_sent_again_before_the_answer(self):
        lines = ("C SYN", "C SYN again", "C SYN again", "S SYN-ACK", "C ACK")
        assert opening(*lines) == ["C SYN", "C SYN again ×2", "S SYN-ACK", "C ACK"]

    def test_a_syn_ack_sent_again(self):
        lines = ("C SYN", "S SYN-ACK", "S SYN-ACK again", "C ACK")
        assert opening(*lines) == ["C SYN", "S SYN-ACK", "S SYN-ACK again", "C ACK"]

    def test_what_is_sent_again_after_the_handshake_is_no_part_of_it(self):
        assert opening(*HANDSHAKE, "S SYN-ACK again", "C ACK again") == OPENED

    @pytest.mark.parametrize("flow", [("C ACK", "S ACK"), ("C SYN-ACK seq=-1", "S SYN-ACK seq=-1")])
    def test_simultaneous_open(self, flow):
        connection = play("C SYN", "S SYN", *flow)
        assert connection.open.flow == "tcp-open/simultaneous-open"
        assert (connection.client.port, connection.timing.handshake_ns is None) == (40000, False)

    def test_data_in_the_syn(self):
        connection = play("C SYN 100", "S SYN-ACK", "C ACK")
        assert connection.open.flow == "tcp-open/fast-open"

    def test_data_in_the_syn_that_was_not_accepted(self):  # RFC 7413 §4.2.2: acknowledges the SYN alone
        connection = play("C SYN 100", "S SYN-ACK ack=-100", "C DATA 100 seq=-100", "S ACK", "C FIN", "S ACK", "S FIN",
                          "C ACK")  # fmt: skip
        assert connection.open.flow == "tcp-open/fast-open"
        assert connection.close.flow == "tcp-close/four-way"

    def test_a_segment_with_syn_and_rst_is_nothing(self):
        connection = play("C SYN", "S SYN-RST", "S SYN-ACK", "C ACK")
        assert steps(connection.open) == OPENED
        assert (connection.notes.resets, connection.notes.resets_ignored) == (1, 1)


class TestRefusal:
    def test_a_reset_that_acknowledges_the_syn(self):
        assert opening("C SYN", "S RST-ACK") == ["C SYN", "S RST"]

    def test_data_of_the_syn_may_be_acknowledged_or_not(self):
        assert opening("C SYN 100", "S RST-ACK") == ["C SYN", "S RST"]
        assert opening("C SYN 100", "S RST-ACK ack=-100") == ["C SYN", "S RST"]

    @pytest.mark.parametrize("reset", ["S RST", "S RST-ACK ack=-1", "S RST-ACK ack=+1", "S RST-ACK ack=0"])
    def test_one_that_does_not_is_ignored(self, reset):  # RFC 9293 §3.10.7.3
        connection = play("C SYN", reset, "S SYN-ACK", "C ACK")
        assert steps(connection.open) == OPENED
        assert (connection.notes.resets, connection.notes.resets_ignored) == (1, 1)

    def test_its_sequence_number_does_not_matter(self):
        assert opening("C SYN", "S RST-ACK seq=4294967295") == ["C SYN", "S RST"]

    def test_a_scan_is_reset_by_the_client(self):
        connection = play("C SYN", "S SYN-ACK", "C RST")
        assert steps(connection.open) == ["C SYN", "S SYN-ACK", "C RST"]
        assert connection.open.flow == "tcp-open/half-open"

    def test_a_refused_attempt_that_is_made_again(self):
        connection = play("C SYN", "S RST-ACK", "C SYN again", "S SYN-ACK", "C ACK")
        assert steps(connection.open) == OPENED
        assert [step.packet for step in connection.open.steps] == [3, 4, 5]
        assert [fault.packet for fault in connection.faults] == [3]

    def test_each_fault_names_the_first_packet_that_shows_it(self):
        connection = play("C SYN", "S SYN-ACK ack=+7", "S RST-ACK", "C SYN again", "S RST-ACK", "C SYN again")
        assert [fault.packet for fault in connection.faults] == [2, 4]


class TestClose:
    def test_four_way(self):
        assert closing("C FIN", "S ACK", "S FIN", "C ACK") == ["C FIN", "S ACK", "S FIN", "C ACK"]

    def test_three_segments(self):
        assert closing("S FIN", "C FIN", "S ACK") == ["S FIN", "C FIN-ACK", "S ACK"]

    def test_fins_that_cross(self):
        assert closing("C FIN", "S FIN ack=-1", "C ACK", "S ACK") == ["C FIN", "S FIN", "C ACK", "S ACK"]

    def test_fins_with_data(self):
        assert closing("C FIN 10", "S FIN 20", "C ACK") == ["C FIN", "S FIN-ACK", "C ACK"]

    def test_an_ack_of_the_data_alone_is_no_step(self):
        assert closing("C DATA 9", "C FIN", "S ACK ack=-1") == ["C FIN"]

    def test_only_the_first_ack_is_a_step(self):
        assert closing("C FIN", "S ACK", "S ACK", "S ACK") == ["C FIN", "S ACK"]

    def test_the_ack_may_be_captured_before_the_fin(self):
        connection = play(*HANDSHAKE, "C FIN lost", "S ACK", "C FIN again", "S FIN", "C ACK")
        assert steps(connection.close) == ["C FIN", "S ACK", "S FIN", "C ACK"]
        assert [step.packet for step in connection.close.steps] == [5, 4, 6, 7]

    def test_so_may_the_last_ack(self):
        assert closing("C FIN", "S ACK", "S FIN lost", "C ACK", "S FIN again") == ["C FIN", "S ACK", "S FIN", "C ACK"]

    def test_a_fin_sent_again_is_marked(self):
        lines = ("C FIN", "C FIN again", "C FIN again", "S ACK", "S FIN", "C ACK")
        assert closing(*lines) == ["C FIN", "C FIN again ×2", "S ACK", "S FIN", "C ACK"]

    def test_and_may_be_the_first_ack(self):
        lines = ("C FIN", "S FIN ack=-1", "C FIN again", "S ACK")
        assert closing(*lines) == ["C FIN", "S FIN", "C ACK", "C FIN again", "S ACK"]

    def test_after_the_close_it_is_no_part_of_it(self):
        assert closing("C FIN", "S FIN", "C ACK", "S FIN again", "C ACK") == ["C FIN", "S FIN-ACK", "C ACK"]

    def test_a_fin_far_ahead_of_its_bytes_is_still_a_fin(self):
        assert closing("C DATA 9 lost", "C FIN", "S ACK", "S FIN", "C ACK")[0] == "C FIN"

    def test_a_fin_in_mid_stream(self):
        lines = ("C DATA 5", "S ACK", "S FIN", "C ACK", "C FIN", "S ACK")
        assert steps(play(*lines).close) == ["S FIN", "C ACK", "C FIN", "S ACK"]


class TestDataAfterFin:
    def test_new_data_sent_in_the_knowledge_of_the_fin(self):  # RFC 9293 §3.6.1
        lines = ("C FIN", "S ACK", "S DATA 10", "S DATA 10", "C ACK", "S FIN", "C ACK")
        assert closing(*lines) == ["C FIN", "S ACK", "S DATA", "S FIN", "C ACK"]

    def test_the_data_may_bring_the_acknowledgement(self):
        assert closing("C FIN", "S DATA 10", "S FIN", "C ACK") == ["C FIN", "S ACK", "S DATA", "S FIN", "C ACK"]

    def test_data_that_was_on_its_way_is_none(self):
        assert closing("C FIN", "S DATA 10 ack=-1", "S ACK", "S FIN", "C ACK") == ["C FIN", "S ACK", "S FIN", "C ACK"]

    def test_data_sent_again_is_none(self):
        lines = ("S DATA 10", "C FIN", "S DATA again", "S FIN", "C ACK")
        assert closing(*lines) == ["C FIN", "S ACK", "S FIN", "C ACK"]

    def test_a_fin_with_data_is_none(self):
        assert closing("C FIN", "S ACK", "S FIN 10", "C ACK") == ["C FIN", "S ACK", "S FIN", "C ACK"]

    def test_data_of_the_side_that_closed_first_is_counted_only(self):
        assert closing("C FIN", "C DATA 9 seq=-10", "S ACK", "S FIN", "C ACK") == ["C FIN", "S ACK", "S FIN", "C ACK"]


class TestReset:
    def test_it_ends_the_connection(self):
        assert closing("C RST", "C RST", "S RST") == ["C RST"]

    def test_during_a_close(self):
        assert closing("C FIN", "S ACK", "S RST") == ["C FIN", "S ACK", "S RST"]

    def test_after_it_nothing_counts(self):
        connection = play(*HANDSHAKE, "C FIN", "S FIN", "C ACK", "S RST")
        assert steps(connection.close) == ["C FIN", "S FIN-ACK", "C ACK"]
        assert connection.notes.resets == 1

    @pytest.mark.parametrize(
        ("seq", "counts"), [(0, True), (+1, False), (+100, False), (+65536, False), (-1, False), (+(2**31), False)]
    )
    def test_only_one_with_the_number_expected(self, seq, counts):  # RFC 9293 §3.10.7.4, RFC 5961 §3.2
        connection = play(*HANDSHAKE, f"C RST seq={seq:+d}", "S ACK", "C DATA 1", "silence 1")
        assert steps(connection.close) == (["C RST"] if counts else [])
        assert connection.notes.resets_ignored == (not counts)

    @pytest.mark.parametrize(("seq", "counts"), [(0, True), (-50, True), (-100, True), (-101, False), (+1, False)])
    def test_what_is_expected_lies_between_acknowledged_and_sent(self, seq, counts):
        lines = ("C DATA 100", "S ACK", "C DATA 100", f"C RST seq={seq:+d}")
        assert closing(*lines) == (["C RST"] if counts else [])

    def test_a_number_that_was_acknowledged_is_past(self):
        assert closing("C DATA 100", "S ACK", "C RST seq=-1") == []

    def test_data_on_its_way_may_be_reset(self):
        assert closing("C DATA 100", "C DATA 100", "C RST") == ["C RST"]

    def test_one_after_bytes_that_were_not_captured_cannot_be_judged(self):
        connection = play(*HANDSHAKE, "S DATA 100 lost", "S RST", "silence 9")
        assert (connection.close.outcome, connection.close.cause) == ("unseen", "lost-in-capture")

    def test_unless_its_receiver_goes_on(self):
        connection = play(*HANDSHAKE, "S DATA 100 lost", "S RST", "C DATA 5", "silence 9")
        assert (connection.close.outcome, connection.close.cause) == ("incomplete", "open-at-end")

    def test_one_whose_receiver_acknowledges_what_came_after_it_did_not_count(self):
        connection = play(*HANDSHAKE, "C DATA 9", "C RST", "C DATA 5", "S ACK", "C FIN", "S ACK", "S FIN", "C ACK")
        assert connection.close.flow == "tcp-close/four-way"
        assert (connection.notes.resets, connection.notes.resets_ignored) == (2 - 1, 1)
        again = play(*HANDSHAKE, "C RST", "C DATA 5", "S ACK", "C RST")
        assert (steps(again.close), again.notes.resets_ignored) == (["C RST"], 1)

    @pytest.mark.parametrize("after", [("S ACK",), ("S DATA 9",), ("C DATA 5", "S ACK ack=-5"), ("C DATA 5", "C RST")])
    def test_what_was_on_its_way_proves_nothing(self, after):
        connection = play(*HANDSHAKE, "C DATA 9", "C RST", *after)
        assert (steps(connection.close), connection.notes.resets_ignored) == (["C RST"], 0)

    def test_nor_does_what_comes_after_it_was_reported(self):
        connection = play(*HANDSHAKE, "C RST", "silence 3", "C DATA 5", "S ACK")
        assert steps(connection.close) == ["C RST"]

    def test_in_the_middle_of_a_close(self):
        connection = play(*HANDSHAKE, "S FIN", "C RST", "S FIN again", "C DATA 5", "S ACK", "C FIN", "S ACK")
        assert steps(connection.close) == ["S FIN", "S FIN again", "C FIN-ACK", "S ACK"]

    def test_a_refusal_that_is_followed_by_the_answer_did_not_count(self):
        refused = ("C SYN", "S RST-ACK", "S SYN-ACK isn=700")
        connection = play(*refused, "C ACK", "C DATA 5", "S ACK")
        assert (steps(connection.open), connection.notes.resets_ignored) == (OPENED, 1)
        assert [step.packet for step in connection.open.steps] == [1, 3, 4]
        assert connection.tcp.server.initial_sequence_number == 700
        for answer in ((), ("C RST",), ("S DATA 5",)):
            assert play(*refused, *answer).open.flow == "tcp-open/refused"

    def test_a_fin_after_it_is_no_step(self):
        assert steps(play("C SYN", "S RST-ACK", "S FIN").close) == []
        assert closing("C RST", "S FIN", "C FIN") == ["C RST"]

    def test_without_the_receivers_side_it_cannot_be_judged(self):
        assert steps(play("C DATA 5", "C RST seq=+100000000").close) == ["C RST"]

    def test_a_forged_one_does_not_hide_the_close(self):
        lines = ("S RST seq=+1000000", "C FIN", "S ACK", "S FIN", "C ACK")
        connection = play(*HANDSHAKE, *lines)
        assert connection.close.flow == "tcp-close/four-way"
        assert (connection.notes.resets, connection.notes.resets_ignored) == (1, 1)

    def test_before_the_handshake_is_complete_it_belongs_to_the_opening(self):
        connection = play("C SYN", "S SYN-ACK", "S RST")
        assert steps(connection.open) == ["C SYN", "S SYN-ACK", "S RST"]
        assert connection.close.cause == "never-opened"

    def test_where_the_opening_was_not_captured_it_belongs_to_the_close(self):
        assert steps(play("C DATA 5", "S ACK", "S RST").close) == ["S RST"]


def test_packets_of_a_connection_that_ended_are_still_its_packets():
    first, second = play_all(*HANDSHAKE, "C RST", "S DATA 9", "S DATA 9", "C SYN isn=9", "C DATA 5")
    assert (first.packets, second.packets) == (PerSide(3, 3), PerSide(2, 0))
