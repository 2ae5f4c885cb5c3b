"""Handshakes as verdicts: runs, renegotiations, what was lost, and what nobody without keys can know."""

from __future__ import annotations

import pytest

from tests.flows.tls_talk import LABELER, flow_of, handshake, handshakes, short, talk

FULL = "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN? · S CCS FIN?"
RENEWED = "C CH · S SH=rsa CERT SHD · C CKE CCS FIN · S CCS FIN"


def test_steps_are_the_evidence():
    verdict = LABELER.handshakes(talk(FULL), start_ns=-10)[0].verdict
    assert (verdict.flow, verdict.outcome, verdict.begun_by) == ("tls/1.2-ecdhe", "variant", "client")
    assert verdict.standard == "RFC 5246 §7.3, RFC 8422 §2"
    assert [(step.step, step.packet, step.at_ns) for step in verdict.steps[:2]] == [
        ("ClientHello", 1, 11), ("ServerHello", 2, 12)
    ]  # fmt: skip
    assert short(verdict.steps[-2:]) == "S ChangeCipherSpec · S Finished inferred"


def test_unreadable_records_are_folded_and_say_that_they_hide_something():
    verdict = handshake("C CH · S SH13 CCS E27 E900 · S E286 E69 · C CCS E900 E53")
    assert short(verdict.steps) == (
        "C ClientHello · S ServerHello · S ChangeCipherSpec · S Encrypted x4 hidden · C ChangeCipherSpec · "
        "C Encrypted hidden · C Finished inferred"
    )
    server = verdict.steps[3]
    assert (server.packet, server.last_packet, server.times) == (2, 3, 4)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("C CH · S SH13 E900 · C E53", "C Finished inferred"),  # exactly as long: nothing else is
        ("C CH · S SH13=384 E900 · C E69", "C Finished inferred"),
        ("C CH · S SH13=ccm8 E900 · C E45", "C Finished inferred"),
        ("C CH · S SH13 E900 · C E1200", "C Encrypted hidden"),
        ("C CH · S SH13 E900 · C E19", "C Alert inferred"),
        ("C CH · S SH13=ccm8 E900 · C E11", "C Alert inferred"),
    ],
)
def test_what_an_unreadable_record_most_likely_was(text, last):
    assert short(handshake(text).steps[-1:]) == last


@pytest.mark.parametrize("text", ["C CH · S SH13 E900 · C E52", "C CH · S SH13=384 E900 · C E68"])
def test_a_record_too_short_for_a_finished_completes_nothing(text):
    verdict = handshake(text, ended=True)
    assert (flow_of(verdict), verdict.outcome, verdict.cause) == ("1.3-full", "incomplete", "connection-ended")


# Several handshakes


def test_a_renegotiation_is_a_handshake_of_its_own():
    verdicts = handshakes(f"{FULL} · C DATA · S DATA · S HREQ · {RENEWED} · C DATA · {RENEWED}")
    assert [flow_of(verdict) for verdict in verdicts] == ["1.2-ecdhe", "1.2-renegotiation", "1.2-renegotiation"]
    assert [verdict.begun_by for verdict in verdicts] == ["client", "server", "client"]
    assert verdicts[1].branches == ["the server asks for it"]


def test_an_unreadable_renegotiation_is_known_by_the_change_of_keys():
    verdicts = handshakes(f"{FULL} · C DATA · C E240 · S E110 E900 E28 · C E61 CCS FIN? · S CCS FIN? · C E26 · S E26")
    assert [flow_of(verdict) for verdict in verdicts] == ["1.2-ecdhe", "1.2-renegotiation"]
    assert short(verdicts[1].steps[:2]) == "C Encrypted hidden · S Encrypted x3 hidden"


@pytest.mark.parametrize("end", ["C E26", "S E26 · C E26", "C DATA · S DATA · S E40"])
def test_an_unreadable_alert_at_the_end_is_no_renegotiation(end):
    assert flow_of(handshake(f"{FULL} · {end}", ended=True)) == "1.2-ecdhe"


def test_a_renegotiation_that_nobody_answered():
    first, second = handshakes(f"{FULL} · S HREQ · C DATA", ended=True)
    assert flow_of(first) == "1.2-ecdhe"
    assert (flow_of(second), second.outcome) == ("1.2-renegotiation", "incomplete")


def test_a_renegotiation_may_be_rejected():
    _, second = handshakes(f"{FULL} · C CH · S ALERT")
    assert (flow_of(second), second.branches) == ("rejected", ["the server rejects"])


def test_after_a_diverged_handshake_comes_the_next_one():
    first, second = handshakes(f"C CH · C CKE · S CCS · S FIN · {RENEWED}")
    assert (first.outcome, len(first.steps)) == ("diverged", 4)
    assert flow_of(second) == "1.2-renegotiation"


# Rejected


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("C CH · S ALERT", "the server rejects"),
        ("C CH · S SH13 CCS EE CERT CV FIN · C CCS ALERT", "the client rejects"),
        ("C CH · S SH13 EE CR CERT CV FIN · C CERT FIN DATA · S ALERT", "the server rejects"),
        ("C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN DATA · C ALERT", "the client rejects"),
    ],
)
def test_an_error_alert_rejects(text, by):
    verdict = handshake(text)
    assert (flow_of(verdict), verdict.branches) == ("rejected", [by])
    assert verdict.steps[-1].step == "Alert"


@pytest.mark.parametrize(
    "text", [f"{FULL} · C DATA ALERT", f"{FULL} · S DATA · C DATA · S ALERT", f"{FULL} · S DATA ALERT"]
)
def test_an_error_alert_of_a_side_that_had_sent_data_rejects_no_handshake(text):
    assert flow_of(handshake(text)) == "1.2-ecdhe"


# Without keys


@pytest.mark.parametrize(
    "text",
    [
        "C CH · S SH13 E900 · C E53 · S E19",
        "C CH · S SH13 E900 · C E53 E19",
        "C CH · S SH13 E900 · C E53 DATA? · S E19",
        "C CH · S SH13 E900 · C E900 E19",
        "C CH · S SH13=ccm8 E900 · C E45 · S E11",
    ],
)
def test_a_record_like_an_alert_right_after_completion_leaves_it_open(text):
    verdict = handshake(text)
    assert (verdict.flow, verdict.outcome, verdict.cause) == (None, "unseen", "no-keys")
    assert (verdict.branches, verdict.drawn_in_article, verdict.standard) == ([], None, None)
    assert (verdict.steps[-1].step, verdict.steps[-1].seen) == ("Encrypted", "hidden")


@pytest.mark.parametrize(
    "text",
    [
        "C CH · S SH13 E900 · C E53 · S DATA? · S E19",
        "C CH · S SH13 E900 · C E53 DATA? E19",
        "C CH · S SH13=384 E900 · C E69 · S E20",
    ],
)
def test_later_ones_and_longer_ones_do_not(text):
    assert flow_of(handshake(text)) == "1.3-full"


@pytest.mark.parametrize(
    "text",
    [
        "C CH · S SH13 E19 · C CCS",  # an error, or the end of the server's data
        "C CH · S SH=rsa CERT SHD · C E26 · S CCS",
    ],
)
def test_a_divergence_that_nobody_can_read_is_unseen(text):
    verdict = handshake(text, ended=True)
    assert (verdict.flow, verdict.outcome, verdict.cause) == (None, "unseen", "no-keys")
    assert verdict.divergence is None


def test_a_divergence_that_can_be_read_is_one_all_the_same():
    verdict = handshake("C CH · S SH13 E900 · C CKE")
    assert verdict.outcome == "diverged"
    assert (verdict.divergence.saw, verdict.divergence.side, verdict.divergence.packet) == (
        "ClientKeyExchange",
        "client",
        3,
    )


# Cut off, lost, not captured


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        ("C CH", "1.3-full"),
        ("C CH · S SH=rsa CERT", "1.2-rsa"),
        ("C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN?", "1.2-ecdhe"),
        ("C CH+ticket · S SH=ecdhe CCS", "1.2-resumption-ticket"),
        ("C CH · S SH13 CCS E900", "1.3-full"),
        ("C CH+psk · S SH13+psk CCS", "1.3-psk"),
        ("C CH+psk+early_data ED", "1.3-early-data"),
        ("C CH · S HRR", "1.3-hello-retry"),
    ],
)
def test_a_handshake_that_is_cut_off(text, flow):
    for ended, cause in ((False, "open-at-end"), (True, "connection-ended")):
        verdict = handshake(text, ended=ended)
        assert (flow_of(verdict), verdict.outcome, verdict.cause) == (flow, "incomplete", cause)


def test_no_step_at_all():
    assert (handshake("", ended=True).outcome, handshake("", ended=True).cause) == ("incomplete", "connection-ended")
    assert (handshake("").flow, handshake("").cause) == (None, "open-at-end")
    assert (handshake("", lost="mid-stream").outcome, handshake("", lost="mid-stream").cause) == (
        "unseen",
        "mid-stream",
    )


def test_a_beginning_that_was_not_captured():
    first, second = handshakes(f"S NST CCS FIN? · C DATA · {RENEWED}", lost="mid-stream")
    assert (first.outcome, first.cause, first.steps) == ("unseen", "mid-stream", [])
    assert flow_of(second) == "1.2-renegotiation"
    assert handshake("S E26 · C DATA", lost="mid-stream").cause == "mid-stream", "an alert, and no renegotiation"
    assert flow_of(handshake(FULL, lost="mid-stream")) == "1.2-ecdhe", "TLS began later than the connection"


@pytest.mark.parametrize("cause", ["lost-in-capture", "snaplen", "one-sided"])
def test_what_was_lost_is_not_held_against_anybody(cause):
    lost = handshake("C CH · S SKE SHD · C CKE", lost=cause)
    assert (lost.flow, lost.outcome, lost.cause, lost.divergence) == (None, "unseen", cause, None)
    assert flow_of(handshake(FULL, lost=cause)) == "1.2-ecdhe", "nothing was missing here"


def test_an_evicted_connection():
    verdict = handshake("C CH · S SH=rsa", evicted=True)
    assert (verdict.outcome, verdict.cause) == ("unseen", "evicted")
    assert flow_of(handshake(FULL, evicted=True)) == "1.2-ecdhe"


def test_key_updates_are_no_part_of_any_handshake():
    verdict = handshake("C CH · S SH13 EE CERT CV FIN · C FIN · S KU · S NST · C KU DATA")
    assert short(verdict.steps[-2:]) == "C Finished · S NewSessionTicket"


def test_many_renegotiations_take_their_time_once():
    verdicts = handshakes(" · ".join([FULL, *[RENEWED] * 500]))
    assert len(verdicts) == 501
    assert {flow_of(verdict) for verdict in verdicts[1:]} == {"1.2-renegotiation"}
