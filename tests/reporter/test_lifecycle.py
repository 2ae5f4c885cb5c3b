"""The whole life of a connection, from the verdicts of its parts."""

from __future__ import annotations

import pytest

from analyzer import model
from analyzer.flows import load_library
from analyzer.reporter.lifecycle import HIDDEN, LifecycleLabeler

LABELER = LifecycleLabeler(load_library())

PARTS = {
    "O": ("tcp-open", "tcp-open/three-way-handshake"),
    "O+": ("tcp-open", "tcp-open/fast-open"),
    "T": ("tls", "tls/1.2-rsa"),
    "T+": ("tls", "tls/1.3-full"),
    "R": ("tls", "tls/1.2-renegotiation"),
    "X": ("tls", "tls/rejected"),
    "H": ("http1", "http1/single-exchange"),
    "H+": ("http1", "http1/keep-alive"),
    "C": ("tcp-close", "tcp-close/four-way"),
    "C+": ("tcp-close", "tcp-close/reset"),
}


def part(letter, packet=1, **fields):
    scope, flow = PARTS[letter]
    step = model.Step("client", "x", packet, packet, packet)
    return scope, model.Verdict(**{"flow": flow, "outcome": "documented", "steps": [step]} | fields)


def life(text, exchanges=None, unread=None, **last):
    letters = text.split()
    parts = [part(letter, packet) for packet, letter in enumerate(letters, 1)]
    if last:
        parts[-1] = part(letters[-1], len(letters), **last)
    return LABELER.label(parts, exchanges, unread=unread)


@pytest.mark.parametrize(
    ("text", "exchanges", "flow", "drawn"),
    [
        ("O H C", 1, "http1-connection", "F4"),
        ("O T H C", 1, "https-connection", "F7"),
    ],
)
def test_as_drawn(text, exchanges, flow, drawn):
    found = life(text, exchanges)
    assert (found.flow, found.outcome, found.drawn_in_article) == (f"lifecycle/{flow}", "documented", drawn)
    assert found.differs == []
    assert [step.step for step in found.steps] == [f"ref {PARTS[letter][0]}" for letter in text.split()]


@pytest.mark.parametrize(
    ("text", "exchanges", "flow", "differs"),
    [
        ("O H+ C", 5, "http1-connection", ["five exchanges, drawn: one"]),
        ("O+ H C+", 1, "http1-connection", ["TCP Fast Open", "TCP connection reset"]),
        ("O T+ H C", 1, "https-connection", ["TLS 1.3 handshake, drawn: TLS 1.2 handshake with RSA key exchange"]),
        (
            "O T R H C",
            1,
            "https-connection",
            ["negotiated anew", "TLS 1.2 handshake on a connection already encrypted"],
        ),
        ("O T C", None, "tls-only", []),
        ("O T R R C", None, "tls-only", []),
        ("O X C", None, "tls-only", []),
        ("O C", None, "tcp-only", []),
    ],
)
def test_variants(text, exchanges, flow, differs):
    found = life(text, exchanges)
    assert (found.flow, found.outcome) == (f"lifecycle/{flow}", "variant")
    assert len(found.differs) == len(differs)
    assert all(said.startswith(begin) for said, begin in zip(found.differs, differs, strict=True))


def test_tls_that_nobody_could_read():
    hidden = life("O T+ C", unread=HIDDEN)
    assert (hidden.flow, hidden.outcome, hidden.cause) == (None, "unseen", "no-keys")
    named = life("O T C", unread="http1")
    assert (named.flow, named.outcome) == ("lifecycle/https-connection", "variant")
    assert named.differs == ["the exchanges could not be read"]
    assert [step.step for step in named.steps] == ["ref tcp-open", "ref tls", "ref tcp-close"], (
        "evidence is what was seen"
    )


@pytest.mark.parametrize(
    ("text", "fields", "outcome", "cause"),
    [
        ("O T H", {"flow": None, "outcome": "unseen", "cause": "snaplen"}, "unseen", "snaplen"),
        ("O T", {"flow": None, "outcome": "diverged"}, "diverged", None),
        ("O T H C", {"flow": None, "outcome": "incomplete", "cause": "open-at-end"}, "incomplete", "open-at-end"),
    ],
)
def test_a_life_is_no_better_known_than_its_least_known_part(text, fields, outcome, cause):
    found = life(text, 1, **fields)
    assert (found.outcome, found.cause) == (outcome, cause)
    assert found.flow == ("lifecycle/https-connection" if outcome == "incomplete" else None)


@pytest.mark.parametrize(
    ("text", "flow"), [("O T C", "tls-only"), ("O C", "tcp-only"), ("O H C", "http1-connection"), ("O", "tcp-only")]
)
def test_a_life_still_going_on(text, flow):
    found = life(text, 1, flow=None, outcome="incomplete", cause="open-at-end", steps=[])
    assert (found.flow, found.outcome) == (f"lifecycle/{flow}", "incomplete")


def test_a_rejected_handshake_that_diverged_says_why():
    divergence = model.Divergence(3, "client", "Certificate", [], None, [])
    found = life("O T", flow=None, outcome="diverged", divergence=divergence)
    assert found.divergence == divergence
