"""Verdicts: every outcome with every cause that the openings and closings of TCP can have."""

from __future__ import annotations

import pytest

from tests.conversations import HANDSHAKE, Conversation, capture_of, play, play_all, report, steps

FOUR_WAY = ("C FIN", "S ACK", "S FIN", "C ACK")
NEVER_OPENED = (None, "unseen", "never-opened")


def label(verdict) -> tuple:
    return verdict.flow and verdict.flow.partition("/")[2], verdict.outcome, verdict.cause


def opening(*lines: str) -> tuple:
    return label(play(*lines).open)


def closing(*lines: str) -> tuple:
    """The close after a handshake."""
    return label(play(*HANDSHAKE, *lines).close)


def swapped(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({"C": "S", "S": "C"}[line[0]] + line[1:] for line in lines)


class TestDocumentedAndVariant:
    def test_what_the_article_draws_is_documented(self):
        connection = play(*HANDSHAKE, *FOUR_WAY)
        assert label(connection.open) == ("three-way-handshake", "documented", None)
        assert (connection.open.drawn_in_article, connection.open.standard) == ("F1", "RFC 9293 §3.5")
        assert label(connection.close) == ("four-way", "documented", None)
        assert (connection.close.drawn_in_article, connection.close.standard) == ("F3", "RFC 9293 §3.6")
        assert connection.open.divergence is connection.close.divergence is None

    @pytest.mark.parametrize(
        ("flow", "lines"),
        [
            ("fast-open", ("C SYN 10", "S SYN-ACK", "C ACK")),
            ("simultaneous-open", ("C SYN", "S SYN", "C ACK", "S ACK")),
            ("refused", ("C SYN", "C SYN again", "S RST-ACK")),
            ("unanswered", ("C SYN", "C SYN again", "silence 1")),
            ("half-open", ("C SYN", "S SYN-ACK", "S SYN-ACK again", "silence 1")),
            ("half-open", ("C SYN", "S SYN-ACK", "C RST")),
            ("icmp-unreachable", ("C SYN", "S ICMP", "C SYN again", "S ICMP")),
        ],
    )
    def test_other_openings_are_variants(self, flow, lines):
        verdict = play(*lines).open
        assert label(verdict) == (flow, "variant", None)
        assert (verdict.begun_by, verdict.drawn_in_article) == ("client", None)

    @pytest.mark.parametrize(
        ("flow", "lines"),
        [
            ("three-segment", ("C FIN", "S FIN", "C ACK")),
            ("simultaneous", ("C FIN", "S FIN ack=-1", "C ACK", "S ACK")),
            ("half-close", ("C FIN", "S ACK", "S DATA 9", "S FIN", "C ACK")),
            ("reset", ("C RST",)),
            ("reset-after-fin", ("C FIN", "S ACK", "C RST")),
            ("reset-after-fin", ("C FIN", "S ACK", "S FIN", "S RST")),
            ("half-closed-only", ("C FIN", "S ACK", "S DATA 9", "silence 1")),
        ],
    )
    def test_other_closes_are_variants_and_either_side_may_begin(self, flow, lines):
        for side, spoken in (("client", lines), ("server", tuple(
            line if line.startswith("silence") else swapped((line,))[0] for line in lines
        ))):  # fmt: skip
            verdict = play(*HANDSHAKE, *spoken).close
            assert label(verdict) == (flow, "variant", None)
            assert (verdict.begun_by, verdict.closed_by) == (side, side)

    def test_four_way_by_the_server(self):
        verdict = play(*HANDSHAKE, *swapped(FOUR_WAY)).close
        assert (label(verdict), verdict.closed_by) == (("four-way", "documented", None), "server")

    def test_the_branches_taken_are_named(self):
        verdict = play(*HANDSHAKE, "C FIN", "S ACK", "S RST").close
        assert verdict.branches == ["the close went on", "the FIN was acknowledged", "the other side resets"]


class TestEvidence:
    def test_equal_steps_are_folded(self):
        verdict = play("C SYN", "C SYN again", "C SYN again", "C SYN again", "S SYN-ACK", "C ACK").open
        syn, again, *_ = verdict.steps
        assert (syn.packet, syn.last_packet, syn.times, syn.retransmission) == (1, 1, 1, False)
        assert (again.packet, again.last_packet, again.times, again.retransmission) == (2, 4, 3, True)
        assert (verdict.retransmitted, label(verdict)[0]) == (3, "three-way-handshake")

    def test_steps_are_observed_at_a_time_and_in_a_packet(self):
        step = play("C SYN at=5", "S SYN-ACK at=5.25", "C ACK").open.steps[1]
        assert (step.side, step.step, step.packet, step.at_ns, step.seen) == (
            "server",
            "SYN-ACK",
            2,
            250_000_000,
            "observed",
        )

    def test_what_is_sent_again_after_a_flow_is_complete_is_counted_not_listed(self):
        verdict = play(*HANDSHAKE, *FOUR_WAY, "S FIN again", "S FIN again").close
        assert steps(verdict) == ["C FIN", "S ACK", "S FIN", "C ACK"]
        assert verdict.retransmitted == 2

    def test_more_steps_than_are_kept_are_a_fault(self):
        lines = [line for _ in range(200) for line in ("C SYN again", "S SYN-ACK again")]
        connection = play("C SYN", "S SYN-ACK", *lines, "silence 9")
        assert label(connection.open) == ("half-open", "variant", None)
        assert len(connection.open.steps) == 256
        assert [fault.layer for fault in connection.faults] == ["tcp"]


class TestSilence:
    """Pages that end by silence are complete a second after their last step, when nothing more came."""

    @pytest.mark.parametrize(("wait", "verdict"), [(0.999, ("incomplete", "open-at-end")), (1, ("variant", None))])
    def test_of_an_opening(self, wait, verdict):
        assert opening("C SYN", "C SYN again", f"silence {wait}") == ("unanswered", *verdict)
        assert opening("C SYN", "S SYN-ACK", f"silence {wait}") == ("half-open", *verdict)

    @pytest.mark.parametrize(("wait", "verdict"), [(0.999, ("incomplete", "open-at-end")), (1, ("variant", None))])
    def test_of_a_close(self, wait, verdict):
        assert closing("C FIN", "S ACK", f"silence {wait}") == ("half-closed-only", *verdict)

    def test_the_end_of_the_connection_is_silence_too(self):
        first, _ = play_all("C SYN", "C SYN isn=777", "S RST-ACK")
        assert label(first.open) == ("unanswered", "variant", None)
        first, _ = play_all(*HANDSHAKE, "C FIN", "S ACK", "C SYN isn=777")
        assert label(first.close) == ("half-closed-only", "variant", None)


class TestDiverged:
    def test_an_opening(self):
        verdict = play("C SYN", "C RST", "silence 5").open
        assert label(verdict) == (None, "diverged", None)
        divergence = verdict.divergence
        assert (divergence.packet, divergence.side, divergence.saw) == (2, "client", "RST")
        assert divergence.expected == ["server ICMP Unreachable", "server RST", "server SYN", "server SYN-ACK"]
        assert (divergence.nearest, divergence.edits) == (
            "tcp-open/unanswered",
            ["client RST at packet 2 is not in this flow"],
        )

    def test_its_connection_never_opened(self):
        assert label(play("C SYN", "C RST", "silence 5").close) == NEVER_OPENED

    def test_a_close(self):
        verdict = play(*HANDSHAKE, "C FIN", "S FIN ack=-1", "S DATA 9", "C ACK", "silence 9").close
        assert label(verdict) == (None, "diverged", None)
        divergence = verdict.divergence
        assert (divergence.packet, divergence.side, divergence.saw) == (6, "server", "DATA")
        assert (verdict.begun_by, verdict.closed_by) == ("client", None)
        assert (divergence.nearest, divergence.edits) == (
            "tcp-close/simultaneous",
            ["server DATA at packet 6 is not in this flow"],
        )


class TestIncomplete:
    @pytest.mark.parametrize(
        ("lines", "flow"),
        [
            (("C FIN",), "half-closed-only"),
            (("C FIN", "S ACK", "S FIN"), "four-way"),
            (("C FIN", "S FIN"), "three-segment"),
            (("C FIN", "S FIN ack=-1", "S ACK"), "simultaneous"),
            (("C FIN", "S ACK", "S DATA 9", "S FIN"), "half-close"),
        ],
    )
    def test_a_close_cut_off_by_the_end_of_the_capture(self, lines, flow):
        assert closing(*lines) == (flow, "incomplete", "open-at-end")

    def test_by_another_connection(self):
        first, _ = play_all(*HANDSHAKE, "C FIN", "S FIN", "C SYN isn=777")
        assert label(first.close) == ("three-segment", "incomplete", "connection-ended")
        assert first.close.closed_by == "client"

    def test_no_close_at_all(self):
        assert closing("C DATA 5", "silence 1000") == (None, "incomplete", "open-at-end")
        assert play(*HANDSHAKE).close.closed_by is None

    def test_no_close_before_the_next_connection(self):
        first, second = play_all(*HANDSHAKE, "C SYN isn=777")
        assert label(first.close) == (None, "incomplete", "connection-ended")
        assert label(second.open) == ("unanswered", "incomplete", "open-at-end")

    def test_an_opening(self):
        assert opening("C SYN", "S SYN", "C ACK", "silence 100") == ("simultaneous-open", "incomplete", "open-at-end")


class TestUnseen:
    def test_an_opening_before_the_capture(self):
        verdict = play("C DATA 5", "S ACK", *FOUR_WAY).open
        assert label(verdict) == (None, "unseen", "mid-stream")
        assert (verdict.steps, verdict.begun_by) == ([], None)

    def test_an_opening_whose_syn_was_not_captured(self):
        assert opening("C SYN lost", *HANDSHAKE[1:]) == (None, "unseen", "mid-stream")

    def test_a_close_is_seen_all_the_same(self):
        assert label(play("C DATA 5", "S ACK", *FOUR_WAY).close) == ("four-way", "documented", None)

    def test_an_opening_of_which_one_side_was_captured(self):
        assert opening("C SYN", "S SYN-ACK lost", "C ACK", "C DATA 5") == (None, "unseen", "one-sided")
        assert opening("C SYN lost", "S SYN-ACK", "C ACK lost", "S DATA 5") == (None, "unseen", "one-sided")

    def test_an_opening_whose_syn_ack_was_not_captured(self):
        lines = ("C SYN", "S SYN-ACK lost", "C ACK", "C DATA 5", "S ACK")
        assert opening(*lines) == (None, "unseen", "lost-in-capture")

    def test_also_when_only_the_server_went_on(self):  # rule 10: silence becomes unseen
        assert opening("C SYN", "S SYN-ACK lost", "S DATA 5", "silence 9") == (None, "unseen", "lost-in-capture")

    def test_a_close_of_which_one_side_was_captured(self):
        lines = ("C SYN", "S SYN-ACK lost", "C ACK", "C FIN", "C ACK ack=+1", "silence 9")
        assert label(play(*lines).close) == (None, "unseen", "one-sided")

    def test_a_fin_that_was_not_captured(self):
        # Its acknowledgement tells that it was there, so that silence is not what ended this.
        lines = ("C FIN", "S ACK", "S FIN lost", "C ACK", "silence 9")
        assert closing(*lines) == (None, "unseen", "lost-in-capture")

    def test_an_acknowledgement_of_data_never_captured(self):
        lines = ("S DATA 9 lost", "C FIN", "C ACK", "silence 9")
        assert closing(*lines) == (None, "unseen", "lost-in-capture")

    def test_a_divergence_where_segments_are_missing_is_none(self):
        lines = ("C DATA 9 lost", "C DATA 9", "S ACK", "C FIN", "S FIN ack=-1", "S DATA 9", "C ACK", "silence 9")
        assert closing(*lines) == (None, "unseen", "lost-in-capture")

    def test_missing_data_does_not_change_a_complete_flow(self):
        lines = ("C DATA 9 lost", "C DATA 9", "S ACK", *FOUR_WAY)
        assert closing(*lines) == ("four-way", "documented", None)

    @pytest.mark.parametrize(
        "lines",
        [("C SYN", "S RST-ACK"), ("C SYN", "silence 9"), ("C SYN", "S SYN-ACK", "silence 9"), ("C SYN", "S ICMP")],
    )
    def test_the_close_of_what_never_opened(self, lines):
        assert label(play(*lines).close) == NEVER_OPENED

    def test_an_evicted_connection(self):
        talks = [Conversation(client_port=n).say(f"C SYN at={n}", *HANDSHAKE[1:]) for n in range(1, 4)]
        evicted, *_ = report(capture_of(*talks), max_connections=2)
        assert label(evicted.close) == (None, "unseen", "evicted")
        assert label(evicted.open)[:2] == ("three-way-handshake", "documented")

    def test_an_evicted_close(self):
        talks = [Conversation(client_port=n).say(f"C SYN at={n}", *HANDSHAKE[1:], "C FIN") for n in range(1, 4)]
        evicted, *_ = report(capture_of(*talks), max_connections=2)
        assert label(evicted.close) == (None, "unseen", "evicted")
        assert steps(evicted.close) == ["C FIN"]


class TestSyns:
    def test_what_they_offered(self):
        tcp = play("C SYN-ECE-CWR isn=7 mss=1460 wscale=7", "S SYN-ACK-ECE isn=9 mss=1400", "C ACK").tcp
        assert (tcp.client.initial_sequence_number, tcp.client.mss, tcp.client.window_scale) == (7, 1460, 7)
        assert (tcp.server.initial_sequence_number, tcp.server.mss, tcp.server.window_scale) == (9, 1400, None)
        assert (tcp.client.ecn, tcp.server.ecn, tcp.client.sack_permitted) == (True, True, False)

    def test_of_a_side_whose_syn_is_missing_nothing_is_known(self):
        tcp = play("C SYN lost", "S SYN-ACK mss=1400", "C ACK").tcp
        assert (tcp.client.mss, tcp.client.ecn, tcp.client.initial_sequence_number) == (None, None, None)
        assert tcp.server.mss == 1400

    def test_the_handshake_time_is_that_of_a_complete_one(self):
        assert play("C SYN at=1", "S SYN-ACK at=2", "C ACK at=2.5").timing.handshake_ns == 1_500_000_000
        assert play("C SYN at=1", "S SYN-ACK at=2").timing.handshake_ns is None
        assert play("C SYN lost", "S SYN-ACK at=2", "C ACK at=2.5").timing.handshake_ns is None
