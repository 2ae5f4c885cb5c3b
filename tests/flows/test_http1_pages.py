"""The pages of scope http1, as conversations of HTTP/1 steps, and as what the dissector makes of real bytes."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from conversation import library

from analyzer.dissector import http1
from analyzer.dissector.http1.connection import Dissector
from analyzer.dissector.http1.exchanges import HttpEvent
from analyzer.flows.explain import Explainer, Seen
from analyzer.flows.expression import steps_of
from analyzer.flows.language import explore, overlaps
from analyzer.flows.library import SCOPES
from analyzer.flows.matcher import SIDE_NAMES, Run

sys.path.append(str(Path(__file__).parents[2]))
from tests.dissector.http_talk import GET, OK, talk

# Letters: Q a request and Q+ a pipelined one, I an interim response, A the answer to the last request outstanding and
# A+ one that leaves others, X a cut response, W and H an upgrade to WebSocket and to h2c, U another one, T a tunnel.
LETTERS = {
    "Q": (0, "HTTP Request", 0, None),
    "Q+": (0, "HTTP Request", 1, None),
    "I": (1, "Interim Response", 0, None),
    "A": (1, "HTTP Response", 0, None),
    "A+": (1, "HTTP Response", 1, None),
    "X": (1, "Cut Response", 0, None),
    "W": (1, "Upgrade", 0, "websocket"),
    "H": (1, "Upgrade", 0, "h2c"),
    "U": (1, "Upgrade", 0, "tls/1.0"),
    "T": (1, "Tunnel", 0, None),
}


@dataclasses.dataclass
class Event:
    """What the pages see of a step."""

    side: str
    step: str
    packet: int
    outstanding: int
    protocol: str | None


def events(text: str) -> list[Event]:
    found = []
    for packet, letter in enumerate(text.split(), 1):
        side, step, outstanding, protocol = LETTERS[letter]
        found.append(Event(SIDE_NAMES[side], step, packet, outstanding, protocol))
    return found


def judge(steps: list[Event], *, silence: bool = False) -> tuple[str, str, tuple[str, ...]]:
    """Flow, outcome, differs."""
    automaton = library().automaton("http1")
    run = Run(automaton)
    seen = [Seen(automaton.symbol_of(event), event.packet) for event in steps]
    for symbol, _ in seen:
        run.offer(symbol)
    matches = automaton.completed(run.state if not run.ended else run.best or 0)
    if matches and (silence or run.ended or not matches[0].by_silence):
        return matches[0].page.id.removeprefix("http1/"), matches[0].outcome, matches[0].differs
    if not run.ended:
        return automaton.living(run.state)[0].page.id.removeprefix("http1/"), "incomplete", ()
    nearest = Explainer(automaton).nearest(seen, run.length)
    return "", "diverged", (nearest.page.id.removeprefix("http1/"),) if nearest else ()


FLOWS = {
    "single-exchange": ["Q A", "Q I A", "Q I I A", "Q X", "Q I X"],
    "keep-alive": ["Q A Q A", "Q A Q A Q A Q A Q A", "Q I A Q A", "Q A Q I A", "Q A Q X", "Q A Q A Q I X"],
    "pipelined": [
        "Q Q+ A+ A",
        "Q Q+ Q+ A+ A+ A",
        "Q Q+ A+ Q+ A+ A",
        "Q A Q Q+ A+ A",
        "Q Q+ A+ A Q A",
        "Q Q+ I A+ I A",
        "Q Q+ A+ X",
        "Q Q+ A+ W",
        "Q Q+ A+ T",
    ],
    "upgrade-websocket": ["Q W", "Q A Q W", "Q A Q A Q I W"],
    "upgrade-h2c": ["Q H", "Q I H", "Q A Q H"],
    "upgrade-other": ["Q U", "Q A Q U"],
    "connect-tunnel": ["Q T", "Q A Q T"],
}
BY_SILENCE = ["Q", "Q I", "Q A Q", "Q A Q A Q I", "Q Q+", "Q Q+ A+", "Q Q+ Q+ A+ A+", "Q Q+ A+ I", "Q Q+ A+ A Q"]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FLOWS.items() for text in texts])
def test_flows(name, text):
    flow, outcome, differs = judge(events(text))
    assert flow == name
    assert (outcome == "documented") == (text == "Q A")
    if name == "single-exchange":
        assert ("interim responses came first" in differs) == ("I" in text)
        assert ("the response was cut short" in differs) == ("X" in text)


@pytest.mark.parametrize("text", BY_SILENCE)
def test_requests_that_nobody_answers(text):
    assert judge(events(text), silence=True)[:2] == ("no-response", "variant")
    assert judge(events(text))[1] == "incomplete"


@pytest.mark.parametrize("text", ["A", "A Q", "I Q A", "X", "Q Q", "Q+ A"])
def test_what_no_flow_allows(text):
    flow, outcome, _ = judge(events(text), silence=True)
    assert (flow, outcome) == ("", "diverged")


@pytest.mark.parametrize(
    ("text", "flow"),
    [
        ("Q A A", "single-exchange"),  # as 408 for a client that stays silent; a fault, and no divergence
        ("Q A Q A A Q A", "keep-alive"),
        ("Q Q+ A+ A A", "pipelined"),
        ("Q X Q", "single-exchange"),
        ("Q W Q A", "upgrade-websocket"),
        ("Q T A", "connect-tunnel"),
    ],
)
def test_what_comes_after_a_complete_flow_does_not_belong_to_it(text, flow):
    assert judge(events(text), silence=True)[0] == flow


def test_no_two_pages_accept_the_same_events():
    assert [(found.first.id, found.second.id, found.events) for found in overlaps(library().automaton("http1"))] == []


def test_the_pages_need_few_states_and_leave_room_for_tests_of_a_users_pages():
    automaton = library().automaton("http1")
    explore(automaton)
    assert automaton.states < 400
    assert len(automaton.tests) <= 7


def test_names():
    assert SCOPES["http1"].steps is http1.STEPS
    assert SCOPES["http1"].attributes is http1.ATTRIBUTES
    assert [name for name in http1.STEPS if f"`{name}`" not in http1.__doc__] == []
    used = {step.name for page in library().of_scope("http1") for step in steps_of(page.expression)}
    assert used == set(http1.STEPS)
    assert [name for name in http1.ATTRIBUTES if not hasattr(HttpEvent(), name)] == []


def test_pages_in_their_order():
    assert [page.id.removeprefix("http1/") for page in library().of_scope("http1")] == [*FLOWS, "no-response"]
    drawn = {page.id: page.drawn_in_article for page in library().of_scope("http1") if page.drawn_in_article}
    assert drawn == {"http1/single-exchange": "F2"}
    assert not any(page.either_side for page in library().of_scope("http1"))


CONNECT = "C CONNECT b:443 HTTP/1.1|Host: b||"
UPGRADE = "C GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: {}||"
SWITCH = "S HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: {}||"


@pytest.mark.parametrize(
    ("turns", "flow"),
    [
        ([GET, OK, "C fin", "S fin"], "single-exchange"),
        ([GET, "S HTTP/1.0 200 OK||x", "S fin"], "single-exchange"),
        ([GET, "S HTTP/1.0 200 OK||x", "S rst"], "single-exchange"),
        ([GET, "S HTTP/1.1 103 Early Hints||", OK, GET, OK], "keep-alive"),
        ([GET + GET[2:], OK + OK[2:]], "pipelined"),
        ([GET, "S HTTP/1.1 200 OK|Content-Length: 4||ab", GET, "S cd", OK], "pipelined"),
        ([UPGRADE.format("websocket"), SWITCH.format("WebSocket"), "S \x81\x02ok"], "upgrade-websocket"),
        ([UPGRADE.format("h2c"), SWITCH.format("h2c"), "C PRI * HTTP/2.0||SM||"], "upgrade-h2c"),
        ([UPGRADE.format("tcp"), SWITCH.format("tcp"), "C x"], "upgrade-other"),
        ([CONNECT, "S HTTP/1.1 407 No|Content-Length: 0||", CONNECT, "S HTTP/1.0 200 OK||", "C x"], "connect-tunnel"),
        ([GET, OK, GET, "S fin", "C fin"], "no-response"),
    ],
)
def test_from_bytes_to_flows(turns, flow):
    found: Dissector = talk(*turns)
    assert judge(found.events, silence=True)[0] == flow
