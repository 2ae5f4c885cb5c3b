"""The built-in pages, as conversations."""

import itertools
from functools import partial

import pytest
from conversation import SILENCE, library, play

from analyzer.flows.expression import steps_of
from analyzer.flows.language import explore, overlaps
from analyzer.flows.library import PAGES, SCOPES

opening = partial(play, scope="tcp-open")
closing = partial(play, scope="tcp-close")

OPENINGS = {
    "three-way-handshake": [
        "C SYN · S SYN-ACK · C ACK",
        "C SYN · C SYN again · S SYN-ACK · S SYN-ACK again · C ACK",
    ],
    "simultaneous-open": [
        "C SYN · S SYN · C SYN-ACK · S SYN-ACK",
        "S SYN · C SYN · C SYN-ACK · S SYN-ACK",
        "C SYN · S SYN · S SYN-ACK · C SYN-ACK",
        "C SYN · S SYN · C SYN-ACK · S SYN-ACK · C ACK · S ACK",
        "C SYN · S SYN · C SYN-ACK · S ACK",  # split handshake
        "C SYN · S SYN · S ACK · C SYN-ACK",
        "C SYN · S SYN · S SYN-ACK · C ACK",
        "C SYN · S SYN · C ACK · S ACK",
        "C SYN · C SYN again · S SYN · C SYN-ACK · S SYN-ACK · C ACK",
    ],
    "fast-open": ["C SYN 100 · S SYN-ACK · C ACK", "C SYN 100 · C SYN again · S SYN-ACK · C ACK"],
    "refused": [
        "C SYN · S RST",
        "C SYN 100 · S RST",
        "C SYN · C SYN again · S RST",
    ],
    "icmp-unreachable": [
        "C SYN · S ICMP Unreachable",
        "C SYN · C SYN again · S ICMP Unreachable · C SYN again · S ICMP Unreachable · S ICMP Unreachable",
    ],
}

OPENINGS_BY_SILENCE = {
    "unanswered": ["C SYN", "C SYN 100", "C SYN · C SYN again · C SYN 100 again"],
    "half-open": [
        "C SYN · S SYN-ACK",
        "C SYN · S SYN-ACK · C RST",
        "C SYN · S SYN-ACK · C RST · S SYN-ACK again · C RST",
        "C SYN · C SYN again · S SYN-ACK · S SYN-ACK again · C SYN again · S RST",
    ],
}

# Begun by the client; each is also played with the sides exchanged.
CLOSINGS = {
    "four-way": ["C FIN · S ACK · S FIN · C ACK"],
    "three-segment": ["C FIN · S FIN-ACK · C ACK"],
    "simultaneous": ["C FIN · S FIN · S ACK · C ACK", "C FIN · S FIN · C ACK · S ACK"],
    "half-close": ["C FIN · S ACK · S DATA · S FIN · C ACK"],
    "reset": ["C RST"],
    "reset-after-fin": [
        f"{begun} · {last} RST"
        for begun in (
            "C FIN",
            "C FIN · S ACK",
            "C FIN · S ACK · S DATA",
            "C FIN · S ACK · S FIN",
            "C FIN · S ACK · S DATA · S FIN",
            "C FIN · S FIN-ACK",
            "C FIN · S FIN",
            "C FIN · S FIN · S ACK",
            "C FIN · S FIN · C ACK",
        )
        for last in "CS"
    ],
}

CLOSINGS_BY_SILENCE = {"half-closed-only": ["C FIN", "C FIN · S ACK", "C FIN · S ACK · S DATA"]}


def cases(table):
    return [(name, events.split(" · ")) for name, list_ in table.items() for events in list_]


def mirrored(events):
    return [("S" if event[0] == "C" else "C") + event[1:] for event in events]


def outcome_of(page):
    return "documented" if page.drawn_in_article else "variant"


@pytest.mark.parametrize(("name", "events"), cases(OPENINGS))
def test_openings(name, events):
    played = opening(*events)
    assert played.flow == f"tcp-open/{name}"
    assert played.outcome == outcome_of(library().page(played.flow))
    assert played.taken == len(events)


@pytest.mark.parametrize(("name", "events"), cases(OPENINGS_BY_SILENCE))
def test_openings_that_silence_ends(name, events):
    assert opening(*events, SILENCE).flow == f"tcp-open/{name}"
    assert opening(*events, SILENCE).outcome == "variant"
    assert opening(*events).outcome == "incomplete", "if the capture ends here nobody knows"


@pytest.mark.parametrize(("name", "events"), cases(CLOSINGS))
@pytest.mark.parametrize("begun_by", ["client", "server"])
def test_closings(name, events, begun_by):
    played = closing(*(events if begun_by == "client" else mirrored(events)))
    page = library().page(f"tcp-close/{name}")
    assert (played.flow, played.outcome, played.taken) == (page.id, outcome_of(page), len(events))
    assert played.swapped == (begun_by == "server" and page.either_side)


@pytest.mark.parametrize(("name", "events"), cases(CLOSINGS_BY_SILENCE))
def test_closings_that_silence_ends(name, events):
    for one in (events, mirrored(events)):
        assert closing(*one, SILENCE).flow == f"tcp-close/{name}"
        assert closing(*one).outcome == "incomplete"


def test_what_the_article_draws():
    assert opening("C SYN", "S SYN-ACK", "C ACK").outcome == "documented"
    assert closing("S FIN", "C ACK", "C FIN", "S ACK").outcome == "documented"
    drawn = {page.id: page.drawn_in_article for page in library().pages if page.drawn_in_article}
    assert drawn == {
        "tcp-open/three-way-handshake": "F1", "tcp-close/four-way": "F3", "http1/single-exchange": "F2",
        "lifecycle/http1-connection": "F4", "lifecycle/https-connection": "F7", "tls/1.2-rsa": "F6",
        "lifecycle/http2-connection": "F5", "http2/over-tls": "F8", "http2-stream/exchange": "F9",
    }  # fmt: skip


def test_branches_tell_how():
    assert opening("C SYN", "S SYN-ACK", "C RST", SILENCE).branches == (
        "the ACK never comes",
        "the client resets, as after a SYN scan",
    )
    assert closing("C FIN", "S FIN-ACK", "C RST").branches == (
        "the close went on",
        "the server closed with the acknowledgement",
        "the side that closed first resets",
    )


@pytest.mark.parametrize(
    ("events", "flow"),
    [
        ("C SYN · C SYN again", "tcp-open/unanswered"),
        ("C SYN · S SYN", "tcp-open/simultaneous-open"),
        ("C SYN · S SYN-ACK", "tcp-open/half-open"),
    ],
)
def test_openings_cut_off_by_the_end_of_the_capture(events, flow):
    played = opening(*events.split(" · "))
    assert (played.flow, played.outcome) == (flow, "incomplete")


@pytest.mark.parametrize(
    ("events", "flow"),
    [
        ("C FIN · S FIN-ACK", "tcp-close/three-segment"),
        ("C FIN · S FIN · C ACK", "tcp-close/simultaneous"),
        ("C FIN · S ACK · S FIN", "tcp-close/four-way"),
    ],
)
def test_closings_cut_off_by_the_end_of_the_connection(events, flow):
    for end in ((), (SILENCE,)):
        played = closing(*events.split(" · "), *end)
        assert (played.flow, played.outcome) == (flow, "incomplete")


@pytest.mark.parametrize(
    ("events", "expected", "nearest"),
    [
        ("C SYN · C ACK", ("server SYN", "server SYN-ACK"), "tcp-open/three-way-handshake"),
        ("S SYN-ACK · C ACK", ("client SYN",), "tcp-open/three-way-handshake"),
        ("C SYN · S SYN-ACK · S ACK", ("client ACK",), "tcp-open/half-open"),
    ],
)
def test_openings_that_no_page_allows(events, expected, nearest):
    played = opening(*events.split(" · "))
    assert (played.flow, played.outcome, played.nearest) == (None, "diverged", nearest)
    assert set(expected) <= set(played.expected)
    assert len(played.edits) == 1


def test_what_follows_a_complete_close_does_not_belong_to_it():
    played = closing("C FIN", "S ACK", "S FIN", "C ACK", "C RST")
    assert (played.flow, played.taken) == ("tcp-close/four-way", 4)


def test_every_beginning_of_every_close_may_be_cut_short_by_a_reset():
    """Taken from the other pages, so that a page added later is not forgotten here."""
    automaton = library().automaton("tcp-close")
    rst = automaton.steps.index("RST")
    for state, way in explore(automaton).items():
        names = [automaton.split(symbol)[1] for symbol in way]
        if state == 0 or automaton.complete[state] or not names or "RST" in names:
            continue
        for side in (0, 1):
            flows = [
                match.page.id for match in automaton.completed(automaton.advance(state, automaton.symbol(side, rst)))
            ]
            assert flows == ["tcp-close/reset-after-fin"], automaton.text_of(way)


@pytest.mark.parametrize("scope", ["tcp-open", "tcp-close"])
def test_no_two_pages_accept_the_same_events(scope):
    assert [found.events for found in overlaps(library().automaton(scope))] == []


@pytest.mark.parametrize("scope", ["tcp-open", "tcp-close"])
def test_the_pages_of_a_scope_need_few_states(scope):
    automaton = library().automaton(scope)
    explore(automaton)
    assert automaton.states < 200
    assert all(len(alternatives) <= 1 for flow, _ in automaton.flows for alternatives in flow.states)


def test_pages_are_listed_in_their_documented_order():
    names = [page.id for page in library().pages]
    assert names == [f"tcp-open/{name}" for name in ["three-way-handshake", "simultaneous-open", "fast-open"]] + [
        f"tcp-open/{name}" for name in ["refused", "unanswered", "half-open", "icmp-unreachable"]
    ] + [f"tcp-close/{name}" for name in ["four-way", "three-segment", "simultaneous", "half-close"]] + [
        f"tcp-close/{name}" for name in ["reset", "reset-after-fin", "half-closed-only"]
    ] + [f"tls/1.2-{name}" for name in ["rsa", "ecdhe", "dhe", "psk", "other", "resumption-session-id"]] + [
        f"tls/1.2-{name}" for name in ["resumption-ticket", "renegotiation"]
    ] + [f"tls/1.3-{name}" for name in ["full", "hello-retry", "psk", "early-data"]] + ["tls/rejected"] + [
        f"http1/{name}" for name in ["single-exchange", "keep-alive", "pipelined", "upgrade-websocket"]
    ] + [f"http1/{name}" for name in ["upgrade-h2c", "upgrade-other", "connect-tunnel", "no-response"]] + [
        f"http2/{name}" for name in ["over-tls", "prior-knowledge", "upgraded"]
    ] + [f"http2-stream/{name}" for name in ["exchange", "exchange-with-trailers", "interim-response", "pushed"]] + [
        f"http2-stream/{name}" for name in ["reset", "refused", "unanswered", "tunnel"]
    ] + [f"lifecycle/{name}" for name in ["http1-connection", "https-connection", "http2-connection"]] + [
        f"lifecycle/{name}" for name in ["tls-only", "tcp-only"]
    ]


@pytest.mark.parametrize("page", library().pages, ids=lambda page: page.id)
def test_every_page_is_documentation(page):
    assert len(page.prose) > 200, "prose for people"
    assert page.standard.startswith("RFC ")
    assert all(len(line) <= 120 for line in page.prose.splitlines())
    titles = [other.title for other in library().pages]
    assert titles.count(page.title) == 1


def test_every_step_name_is_used_by_some_page():
    for scope in (scope for scope in library().scopes if not SCOPES[scope].whole):
        used = {step.name for page in library().of_scope(scope) for step in steps_of(page.expression)}
        if scope == "tcp-open":  # the two scopes of TCP share their names
            used |= {step.name for page in library().of_scope("tcp-close") for step in steps_of(page.expression)}
        assert used <= set(library().automaton(scope).steps)
        # What TLS and HTTP/2 leave out is in test_tls_pages.py and test_http2_pages.py.
        if scope not in ("tcp-close", "tls", "http2"):
            assert used == set(library().automaton(scope).steps)


def test_there_is_no_stray_file_among_the_pages():
    found = {f"{file.parent.name}/{file.stem}" for file in PAGES.glob("*/*.md")}
    assert found == {page.id for page in library().pages}


def test_any_conversation_has_an_outcome():
    events = ["C FIN", "S FIN", "C ACK", "S ACK", "C FIN-ACK", "S FIN-ACK", "C DATA", "S DATA", "C RST", "S RST"]
    for length in range(1, 4):
        for conversation in itertools.product(events, repeat=length):
            played = closing(*conversation)
            assert (played.flow is None) == (played.outcome == "diverged") == bool(played.edits)
