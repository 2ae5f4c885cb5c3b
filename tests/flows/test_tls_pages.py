"""The pages of scope tls, as conversations of TLS steps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conversation import library
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector import tls
from analyzer.dissector.tls.steps import TlsEvent
from analyzer.flows.expression import RETRANSMISSION, steps_of
from analyzer.flows.language import distinct_symbols, explore, overlaps
from analyzer.flows.library import OF_A_TLS_RUN, SCOPES
from analyzer.flows.matcher import DEAD, MAX_STATES, MAX_TESTS_WITHOUT_TABLE, START
from analyzer.flows.shading import ENCRYPTED

sys.path.append(str(Path(__file__).parents[2]))
from tests.flows.tls_talk import LABELER, STEPS, event, flow_of, handshake, handshakes, talk

END_12 = "C CKE CCS FIN · S CCS FIN"
FIRST = {  # each: with keys, and without
    "1.2-rsa": [f"C CH · S SH=rsa CERT SHD · {END_12}", "C CH · S SH=rsa CERT SHD · C CKE CCS FIN? · S CCS FIN?"],
    "1.2-ecdhe": [
        f"C CH · S SH=ecdhe CERT SKE SHD · {END_12}",
        f"C CH · S SH=ecdhe CERT OCSP SKE SHD · {END_12}",
        "C CH · S SH=ecdhe CERT SKE CR SHD · C CERT CKE CV CCS FIN · S NST CCS FIN",
        "C CH · S SH=ecdhe CERT SKE CR SHD · C CKE CCS FIN · S CCS FIN",  # SSL 3.0, and no certificate
        "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS NPN FIN · S CCS FIN",
        "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN? E40 · S CCS FIN?",  # the same without keys
        "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN · C DATA · S NST CCS FIN",
        "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN · S NST CCS · C DATA · S FIN",
        "C CH+ticket+session_id · S SH=ecdhe+session_id CERT SKE SHD · C CKE CCS FIN · S CCS FIN",  # not resumed
        "C CH+psk+early_data · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN · S CCS FIN",  # 1.3 offered in vain
    ],
    "1.2-dhe": [f"C CH · S SH=dhe CERT SKE SHD · {END_12}"],
    "1.2-psk": [
        f"C CH · S SH=psk SHD · {END_12}",
        f"C CH · S SH=psk SKE SHD · {END_12}",
        f"C CH · S SH=ecdhe_psk SKE SHD · {END_12}",
        f"C CH · S SH=rsa_psk CERT SHD · {END_12}",
    ],
    "1.2-other": [
        f"C CH · S SH=anon SKE SHD · {END_12}",
        f"C CH · S SH=ecdh CERT SHD · {END_12}",
        f"C CH · S SH=srp CERT SKE SHD · {END_12}",
        f"C CH · S SH CERT SHD · {END_12}",  # a suite nobody has registered
    ],
    "1.2-resumption-session-id": [
        "C CH+session_id · S SH=ecdhe CCS FIN · C CCS FIN",
        "C CH+session_id · S SH=ecdhe NST CCS FIN? · C CCS FIN?",
    ],
    "1.2-resumption-ticket": [
        "C CH+ticket+session_id · S SH=ecdhe CCS FIN · C CCS FIN",
        "C CH+ticket · S SH=rsa NST CCS FIN · C CCS NPN FIN",
    ],
    "1.3-full": [
        "C CH · S SH13 EE CERT CV FIN · C FIN",
        "C CH · S SH13 CCS EE CERT CV FIN · C CCS FIN",
        "C CH · S SH13 CCS EE CR CERT CV FIN · C CCS CERT CV FIN · S NST NST",
        "C CH · S SH13 CCS EE CR CERT CV FIN · C CCS CERT FIN",
        "C CH · S SH13 CCS EE · C CCS · S CERT CV FIN · C FIN",
        "C CH · S SH13 EE CERT CV FIN NST DATA · C FIN · S NST",
        "C CH · S SH13 CCS EE CERT CV FIN · C CCS EE FIN",
        "C CH+psk · S SH13 EE CERT CV FIN · C FIN",
        "C CH · S SH13 CCS E1000 · C CCS E53",
        "C CH · S SH13 CCS E27 E900 E286 E53 · C CCS E900 E53",
        "C CH · S SH13 EE CERT CV FIN · C E53",  # only one side's keys
        "C CH · S SH13 E40 E90 · C FIN",
        "C CH · S SH13=384 E900 · C E69",
        "C CH · S SH13=ccm8 E900 · C E45",
    ],
    "1.3-hello-retry": [
        "C CH · S HRR · C CH · S SH13 EE CERT CV FIN · C FIN",
        "C CH · S HRR CCS · C CCS CH · S SH13 EE CR CERT CV FIN · C CERT CV FIN · S NST",
        "C CH+psk · S HRR CCS · C CH+psk · S SH13+psk EE FIN · C CCS FIN",
        "C CH · S HRR CCS · C CCS CH · S SH13 E900 · C E53",
    ],
    "1.3-psk": [
        "C CH+psk · S SH13+psk EE FIN · C FIN",
        "C CH+psk · S SH13+psk CCS EE FIN DATA · C CCS FIN · S NST",
        "C CH+psk · S SH13+psk CCS E100 · C CCS E53",
    ],
    "1.3-early-data": [
        "C CH+psk+early_data ED · S SH13+psk EE+early_data FIN · C EOED FIN",
        "C CH+psk+early_data CCS ED · S SH13+psk CCS EE+early_data FIN DATA · C EOED FIN · S NST",
        "C CH+psk+early_data · S SH13+psk CCS EE+early_data FIN · C EOED FIN",
        "C CH+psk+early_data · S SH13+psk · C ED · S EE FIN · C FIN",
        "C CH+psk+early_data CCS ED · S SH13 CCS EE CERT CV FIN · C FIN",
        "C CH+psk+early_data CCS ED · S HRR CCS · C CH+psk · S SH13+psk EE FIN · C FIN",
        "C CH+psk+early_data CCS ED · S HRR CCS · C CH+psk · S SH13 EE CERT CV FIN · C FIN",
        "C CH+psk+early_data CCS ED · S SH13+psk CCS E100 · C E21 E53",
        "C CH+psk+early_data CCS ED · S SH13+psk CCS · C E1000 · S E100 · C E500 E53",
    ],
    "rejected": [
        "C CH · S ALERT",
        "C CH · S HRR · C ALERT",
        "C CH · S SH=ecdhe CERT SKE SHD · C ALERT",
        "C CH · S SH=rsa CERT SHD · C CKE CCS FIN · S ALERT",
        "C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN DATA · S ALERT",
        "C CH · S SH13 CCS EE CERT CV FIN · C CCS ALERT",
        "C CH · S SH13 CCS E900 E53 · C CCS E19",
        "C CH · S SH13=ccm8 CCS E900 · C CCS E11",
        "C CH · S SH13 CCS EE CR CERT CV FIN · C CCS CERT FIN · S ALERT",
        "C CH · S SH13 CCS EE CR CERT CV FIN · C CCS CERT FIN DATA · S ALERT",
    ],
}
AGAIN = [  # after a first handshake
    f"C CH · S SH=ecdhe CERT SKE SHD · {END_12}",
    "S HREQ · C CH · S SH=rsa CERT CR SHD · C CERT CKE CV CCS FIN · S NST CCS FIN",
    f"S HREQ · C DATA · S DATA · C CH · S SH=anon SKE SHD · {END_12}",
    f"C CH · S SH=ecdhe CERT SKE SHD · C DATA · S DATA · {END_12}",
    "C CH · S SH=ecdhe CCS FIN · C CCS FIN",
    "C E240 · S E900 · C E61 CCS FIN? · S E210 CCS FIN?",
    "S E28 · C E240 · S E110 E900 E28 · C E61 CCS FIN? · S CCS FIN?",
    "C E240 · S E110 CCS FIN? · C CCS FIN?",
]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FIRST.items() for text in texts])
def test_first_handshakes(name, text):
    verdict = handshake(text)
    assert flow_of(verdict) == name
    assert (verdict.outcome == "documented") == (name == "1.2-rsa")
    assert sum(step.times for step in verdict.steps) == len(talk(text)), "every event is evidence"


@pytest.mark.parametrize("text", AGAIN)
def test_renegotiations(text):
    first, second = handshakes(f"C CH · S SH=rsa CERT SHD · {END_12} · C DATA · S DATA · {text}")
    assert (flow_of(first), flow_of(second)) == ("1.2-rsa", "1.2-renegotiation")


def test_what_the_article_draws_and_what_differs_from_it():
    drawn = handshake(FIRST["1.2-rsa"][0])
    assert (drawn.outcome, drawn.drawn_in_article, drawn.differs) == ("documented", "F6", [])
    differs = handshake("C CH · S SH=rsa CERT OCSP CR SHD · C CERT CKE CV CCS FIN · S NST CCS FIN")
    assert (differs.outcome, differs.drawn_in_article) == ("variant", "F6")
    assert differs.differs == ["stapled OCSP response", "client authentication", "session ticket"]
    assert "a certificate was sent" in differs.branches


@pytest.mark.parametrize(
    ("text", "branches"),
    [
        ("C CH+psk+early_data ED · S SH13+psk EE+early_data FIN · C EOED FIN", ["accepted", "data were sent at once"]),
        ("C CH+psk+early_data · S SH13+psk EE FIN · C FIN", ["rejected, but the session is resumed"]),
        ("C CH+psk+early_data · S SH13 EE CERT CV FIN · C FIN", ["rejected, and the session is not resumed"]),
        ("C CH+psk+early_data · S SH13 E900 · C E53", ["rejected, and the session is not resumed"]),
        ("C CH+psk+early_data · S HRR · C CH · S SH13+psk E900 · C E53", ["rejected by HelloRetryRequest"]),
        ("C CH+psk+early_data ED · S SH13+psk E99 · C E53", ["data were sent at once"]),  # hidden whether accepted
        ("C CH · S SH13 EE CR CERT CV FIN · C CERT CV FIN", ["client authentication", "a certificate was sent"]),
        ("C CH · S SH13 E900 · C E900 E53", []),
        ("C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN DATA · S CCS FIN", ["False Start"]),
        ("C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN · S CCS FIN · C DATA", []),
        ("C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS NPN FIN · S CCS FIN", ["next protocol negotiation"]),
        ("C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN? E40 · S CCS FIN?", []),
        ("C CH · S ALERT", ["the server rejects"]),
        ("C CH · S SH13 E900 · C E19", ["the client rejects"]),
    ],
)
def test_branches_tell_what_is_known(text, branches):
    assert handshake(text).branches == branches


@pytest.mark.parametrize(
    ("text", "nearest", "edits"),
    [
        (f"C CH · S SH=ecdhe CERT SHD · {END_12}", "1.2-ecdhe", ["server ServerKeyExchange missing after packet 2"]),
        (
            f"C CH · S SH=rsa CERT SKE SKE SHD · {END_12}",
            "1.2-rsa",
            ["server ServerKeyExchange at packet 2 is not in this flow"],
        ),
        ("C CH · S SH=ecdhe CERT SKE SHD · C CKE FIN · S CCS FIN", "1.2-ecdhe",
         ["client ChangeCipherSpec missing after packet 3"]),
        ("C CH · S SH13 EE CERT FIN · C FIN", "1.3-full", ["server CertificateVerify missing after packet 2"]),
        ("C CH+psk · S SH13+psk EE CERT FIN · C FIN", "1.3-psk",
         ["server Certificate at packet 2 is not in this flow"]),
        ("C CH+psk+early_data · S SH13+psk EE+early_data FIN · C FIN", "1.3-early-data",
         ["client EndOfEarlyData missing after packet 2"]),
    ],
)  # fmt: skip
def test_what_no_page_allows_is_explained(text, nearest, edits):
    # An alert could still come; as none does, and more follows, no page is left.
    verdict = handshake(text + " · S KU · C CKE", ended=True)
    assert (verdict.flow, verdict.outcome) == (None, "diverged")
    assert verdict.divergence.nearest == f"tls/{nearest}"
    assert verdict.divergence.edits[: len(edits)] == edits


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        ("C CH · S SH13 E900 · C E53 · S NST NST · C DATA", "1.3-full"),
        ("C CH · S SH13 EE CERT CV FIN · C FIN DATA · S NST NST DATA KU · C KU · S CR", "1.3-full"),
        ("C CH · S SH=rsa CERT SHD · C CKE CCS FIN · S CCS FIN · C DATA · S DATA · S E26 · C E26", "1.2-rsa"),
        ("C CH · S SH=rsa CERT SHD · C CKE CCS FIN · S CCS FIN · C DATA · C ALERT", "1.2-rsa"),
        ("C CH · S SH13 EE CERT CV FIN · C FIN DATA · S DATA ALERT", "1.3-full"),
    ],
)
def test_what_comes_after_a_complete_handshake_does_not_belong_to_it(text, flow):
    for ended in (False, True):
        assert flow_of(handshake(text, ended=ended)) == flow


def test_every_beginning_of_every_handshake_may_be_rejected():
    """Taken from the other pages, so that a page added later is not forgotten here."""
    automaton = library().automaton("tls")
    alert = automaton.steps.index("Alert")
    tested = 0
    for state, way in explore(automaton).items():
        names = [automaton.split(symbol)[1] for symbol in way]
        if state in (DEAD, START) or automaton.complete[state] or {"Application Data", "Alert"} & set(names):
            continue
        for side in (0, 1):
            reached = automaton.advance(state, automaton.symbol(side, alert))
            assert [match.page.id for match in automaton.completed(reached)] == ["tls/rejected"], automaton.text_of(way)
            tested += 1
    assert tested > 100


def test_no_two_pages_accept_the_same_events():
    assert [(found.first.id, found.second.id, found.events) for found in overlaps(library().automaton("tls"))] == []


def test_the_pages_are_bounded_and_leave_room_for_tests_of_a_users_pages():
    automaton = library().automaton("tls")
    explore(automaton)
    assert automaton.states < MAX_STATES // 3
    assert max(len(alternatives) for flow, _ in automaton.flows for alternatives in flow.states) <= 10
    assert len(automaton.tests) <= MAX_TESTS_WITHOUT_TABLE - 8
    assert automaton.tests[0] == RETRANSMISSION
    assert automaton.width == 0, "no table: it would be 2**tests wide"
    assert len(distinct_symbols(automaton)) < 100


def test_names():
    assert SCOPES["tls"].steps is tls.STEPS
    assert SCOPES["tls"].attributes == {**tls.ATTRIBUTES, **OF_A_TLS_RUN}
    assert set(tls.ATTRIBUTES) <= set(TlsEvent.__struct_fields__)
    assert not set(OF_A_TLS_RUN) & set(TlsEvent.__struct_fields__)
    drawn = {step.name for page in library().of_scope("tls") for step in steps_of(page.expression)}
    assert set(tls.STEPS) - drawn == {ENCRYPTED, "KeyUpdate"}, "what stands for shaded steps, and what comes later"


def test_pages_in_their_order():
    names = [page.id.removeprefix("tls/") for page in library().of_scope("tls")]
    others = [name for name in FIRST if name not in ("rejected",)]
    at = others.index("1.3-full")
    assert names == [*others[:at], "1.2-renegotiation", *others[at:], "rejected"]
    assert not any(page.either_side for page in library().of_scope("tls"))


WORDS = [*STEPS, "CH+ticket", "CH+early_data", "SH=rsa", "SH=ecdhe", "SH13", "SH13+psk", "FIN?", "E19", "E53", "E1000"]


@given(
    st.lists(st.tuples(st.sampled_from("CS"), st.sampled_from([word for word in WORDS if word != "E"]))), st.booleans()
)
def test_any_conversation_has_an_outcome(words, ended):
    events = [event(side, word, packet) for packet, (side, word) in enumerate(words, 1)]
    found = [one.verdict for one in LABELER.handshakes(events, 0, ended=ended)]
    assert found
    packets = [step.packet for verdict in found for step in verdict.steps]
    assert packets == sorted(packets)
    for verdict in found:
        assert (verdict.divergence is not None) == (verdict.outcome == "diverged")
        if verdict.outcome == "diverged":
            assert verdict.divergence.edits
            assert verdict.divergence.saw != ENCRYPTED
