"""Shaded steps, readable and unreadable, and beginnings of other flows: on pages of one or two steps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from conversation import diagram
from hypothesis import given, reject
from hypothesis import strategies as st

from analyzer.errors import FlowPageError
from analyzer.flows.diagram import parse
from analyzer.flows.expression import Beginning, Loop, Reference, Sequence, Shaded, Step, steps_of, walk
from analyzer.flows.language import explore
from analyzer.flows.library import Vocabulary, parse_page
from analyzer.flows.matcher import DEAD, START, Automaton
from analyzer.flows.shading import ENCRYPTED, UNREAD, meant, unread

RECORDS = Vocabulary(
    ("A", "B", "C", "Finished", "Alert", "Encrypted"), {"payload": "number", "early": "flag"}, traced=False
)


@dataclass(frozen=True)
class Event:
    side: str
    step: str
    sized: str | None = None
    seen: str = "observed"


def page(text, name="one", order=1):
    front = (
        f"id: records/{name}\nscope: records\ntitle: {name}\ndrawn_in_article: none\nstandard: none\n"
        f"either_side: false\norder: {order}\n"
    )
    whole = f"---\n{front}---\n\n```mermaid\n{diagram(text)}\n```\n"
    return parse_page(whole, f"{name}.md", scopes={"records": RECORDS}, builtin=True)


def automaton_of(*pages, traced=False):
    return Automaton("records", pages, RECORDS.steps, tabled=False, traced=traced)


def events(text):
    """ "C A · S E · S E53 · S E19": a step, an unreadable record, one long enough for a Finished, one as long as an
    alert."""
    found = []
    for one in text.split(" · ") if text else []:
        side, step = one.split()
        sized = {"E": "other", "E53": "finished", "E19": "alert"}.get(step)
        seen = "inferred" if step.endswith("?") else "observed"
        step = "Encrypted" if sized else step.rstrip("?")
        found.append(Event({"C": "client", "S": "server"}[side], step, sized, seen))
    return found


def read(automaton, text):
    """Titles of the complete pages with their branches; None if nothing can follow."""
    state, symbols = START, [automaton.symbol_of(event) for event in events(text)]
    for symbol in symbols:
        state = automaton.advance(state, symbol)
    if state == DEAD:
        return None
    return {match.page.title: match.branches for match in automaton.completed(state, symbols)}


FLIGHT = "Client->>Server: A\nrect rgb(1,2,3)\nServer->>Client: A, B\nopt C came\nServer->>Client: C\nend\nend"
END = "\nClient->>Server: B"


@pytest.mark.parametrize("flight", ["S A · S B", "S A · S B · S C", "S E", "S E · S E53 · S E"])
def test_a_shaded_run_is_its_steps_or_one_or_more_records(flight):
    assert list(read(automaton_of(page(FLIGHT + END)), f"C A · {flight} · C B")) == ["one"]


@pytest.mark.parametrize("flight", ["S A", "S B · S A", "C E", "S E19", "S A · S E", "S E · S B"])
def test_nothing_else_is_a_shaded_run(flight):
    assert read(automaton_of(page(FLIGHT + END)), f"C A · {flight} · C B") is None


def test_a_run_of_optional_steps_may_be_no_record_at_all():
    automaton = automaton_of(page("rect rgb(1,2,3)\nopt\nServer->>Client: A\nend\nend\nClient->>Server: B"))
    for text in ("C B", "S A · C B", "S E · C B", "S E · S E · C B"):
        assert list(read(automaton, text)) == ["one"]


def test_the_size_of_a_record_rules_things_out():
    automaton = automaton_of(page("rect rgb(1,2,3)\nServer->>Client: Finished\nend"), page("Client->>Server: A", "a"))
    assert read(automaton, "S E") == {}, "a shorter record may come before it"
    assert list(read(automaton, "S E · S E53")) == ["one"]
    assert read(automaton, "S E19") is None
    alert = automaton_of(page("rect rgb(1,2,3)\nServer->>Client: Alert\nend"))
    assert list(read(alert, "S E19")) == ["one"]
    assert read(alert, "S E53") is None


def test_an_inferred_finished_may_have_been_something_before_it():
    text = "rect rgb(1,2,3)\nopt A came\nClient->>Server: A\nend\nClient->>Server: Finished\nend\nServer->>Client: B"
    automaton = automaton_of(page(text))
    assert read(automaton, "C A · C Finished · S B") == {"one": ("A came",)}
    assert read(automaton, "C Finished? · C E · S B") == {"one": ()}
    assert read(automaton, "C Finished · C E · S B") is None


def test_runs_of_both_sides_stand_in_one_rect():
    automaton = automaton_of(page("rect rgb(1,2,3)\nServer->>Client: A\nServer->>Client: B\nClient->>Server: C\nend"))
    assert list(read(automaton, "S E · C E")) == ["one"]
    assert read(automaton, "S E") == {}
    assert read(automaton, "C E") is None


def test_each_rect_is_read_or_not_by_itself():
    automaton = automaton_of(page("rect rgb(1,2,3)\nServer->>Client: A\nend\nrect rgb(1,2,3)\nClient->>Server: B\nend"))
    for text in ("S A · C B", "S E · C B", "S A · C E", "S E · C E"):
        assert list(read(automaton, text)) == ["one"]


WAYS = """
alt taken
    rect rgb(1,2,3)
        Server->>Client: A
    end
    Client->>Server: C
else refused
    rect rgb(1,2,3)
        Server->>Client: B
    end
    {last}
end
"""


@pytest.mark.parametrize("traced", [True, False])
def test_titles_that_nobody_can_know_are_not_told(traced):
    same = automaton_of(page(WAYS.format(last="Client->>Server: C")), traced=traced)
    assert read(same, "S A · C C") == {"one": ("taken",)}
    assert read(same, "S B · C C") == {"one": ("refused",)}
    assert read(same, "S E · C C") == {"one": ()}
    other = automaton_of(page(WAYS.format(last="Client->>Server: B")), traced=traced)
    assert read(other, "S E · C B") == {"one": ("refused",)}


def test_what_follows_of_an_incomplete_flow_is_known_no_better():
    automaton = automaton_of(page(WAYS.format(last="Client->>Server: C")))
    symbols = [automaton.symbol_of(event) for event in events("S E")]
    state = automaton.advance(START, symbols[0])
    assert automaton.living(state, symbols)[0].branches == ()
    assert automaton.expected(state) == ["client C"]


def test_records_are_not_expected_where_their_steps_have_names():
    assert automaton_of(page(FLIGHT)).expected(START) == ["client A"]
    automaton = automaton_of(page(FLIGHT))
    state = automaton.advance(START, automaton.symbol_of(Event("client", "A")))
    assert automaton.expected(state) == ["server A"]


def test_without_encrypted_among_its_steps_a_scope_has_no_shading():
    steps = ("A", "B")
    vocabulary = {"plain": Vocabulary(steps)}
    text = (
        "---\nid: plain/one\nscope: plain\ntitle: x\ndrawn_in_article: none\nstandard: none\neither_side: false\n---\n"
        "```mermaid\nsequenceDiagram\nrect rgb(1,2,3)\nClient->>Server: A\nend\n```\n"
    )
    automaton = Automaton("plain", [parse_page(text, "x.md", scopes=vocabulary)], steps)
    assert {atom.name for flow, _ in automaton.flows for atom in flow.atoms} == {"A"}


# Beginnings of other flows

CUT = """
Note over Client,Server: ref beginning
alt by the client
    Client->>Server: Alert
else by the server
    Server->>Client: Alert
end
"""


def test_a_beginning_is_drawn_as_a_reference_of_its_own():
    expression = parse(diagram(CUT), steps=RECORDS.steps)
    assert isinstance(expression, Sequence)
    assert expression.items[0] == Beginning()
    assert not any(isinstance(node, Reference) for node in walk(expression))
    assert page(CUT).begins_like_others
    assert not page(FLIGHT).begins_like_others


def test_any_beginning_of_any_other_flow_may_be_cut_short():
    automaton = automaton_of(
        page("Client->>Server: A\nServer->>Client: B\nopt\nServer->>Client: C\nend"),
        page("Client->>Server: C, C", "two"),
        page(CUT, "cut"),
    )
    for text in ("C A", "C A · S B", "C A · S B · S C", "C C", "C C · C C"):
        assert read(automaton, f"{text} · C Alert") == {"cut": ("by the client",)}
        assert read(automaton, f"{text} · S Alert") == {"cut": ("by the server",)}
    for text in ("C Alert", "S B · C Alert", "C A · C C · S Alert", "C A · S Alert · S B"):
        assert read(automaton, text) is None


def test_nothing_is_alive_only_because_it_could_be_cut_short():
    automaton = automaton_of(page("Client->>Server: A\nServer->>Client: B"), page(CUT, "cut"))
    assert read(automaton, "C A · C A") is None
    state = automaton.advance(START, automaton.symbol_of(Event("client", "A")))
    assert [one.page.title for one in automaton.living(state)] == ["one", "cut"]
    assert automaton.expected(state) == ["server B"], "nobody expects to be cut short"
    assert not automaton.only_aborts(state)
    state = automaton.advance(state, automaton.symbol_of(Event("server", "B")))
    assert [one.page.title for one in automaton.living(state)] == ["one", "cut"]


# Properties

MESSAGES = st.builds(
    "{}: {}".format,
    st.sampled_from(["Client->>Server", "Server->>Client"]),
    st.sampled_from(["A", "B", "A, B", "Finished"]),
)


def blocks(inner):
    body = st.lists(inner, min_size=1, max_size=2).map("\n".join)
    return st.one_of(
        body.map(lambda text: f"opt maybe\n{text}\nend"),
        body.map(lambda text: f"loop\n{text}\nend"),
        body.map(lambda text: f"rect rgb(1,2,3)\n{text}\nend"),
        st.tuples(body, body).map(lambda two: f"alt one\n{two[0]}\nelse two\n{two[1]}\nend"),
        st.tuples(body, body).map(lambda two: f"par\n{two[0]}\nand\n{two[1]}\nend"),
    )


DIAGRAMS = st.lists(st.recursive(MESSAGES, blocks, max_leaves=4), min_size=1, max_size=3).map("\n".join)


@given(DIAGRAMS)
def test_unread_steps_are_records_and_nothing_else(text):
    expression = unread(parse(diagram(f"rect rgb(1,2,3)\n{text}\nend")))
    assert {step.name for step in steps_of(expression)} <= {ENCRYPTED, "Finished"}
    assert all(step.place == 0 for step in steps_of(expression))
    assert not any(isinstance(node, Shaded) for node in walk(expression))


@given(DIAGRAMS)
def test_where_everything_can_be_read_shading_changes_nothing(text):
    """The readable words of a page are the same, shaded or not: compared state by state."""
    everything = page("Client->>Server: A, B, C, Finished, Alert", "names")
    drawn = automaton_of(page(text), everything)
    bare = Automaton("records", (page(text), everything), RECORDS.steps[:-1], tabled=False, traced=False)
    pairs, seen = [(START, START)], {(START, START)}
    while pairs and len(seen) < 200:
        left, right = pairs.pop()
        names = [[match.page.title for match in one.completed(at)] for one, at in ((drawn, left), (bare, right))]
        assert names[0] == names[1]
        for side in ("client", "server"):
            for step in ("A", "B", "Finished"):
                event = Event(side, step)
                following = (
                    drawn.advance(left, drawn.symbol_of(event)), bare.advance(right, bare.symbol_of(event))
                )  # fmt: skip
                if following not in seen:
                    seen.add(following)
                    pairs.append(following)


@given(DIAGRAMS)
def test_states_without_traces_accept_the_same(text):
    traced, plain = automaton_of(page(text), traced=True), automaton_of(page(text))
    try:
        ways = explore(traced)
    except FlowPageError:  # more states than an automaton may have: that is why there are some without traces
        reject()
    for state, way in list(ways.items())[:100]:
        at = START
        for symbol in way:
            at = plain.advance(at, symbol)
        assert (at == DEAD) == (state == DEAD)
        assert plain.complete[at] == traced.complete[state]
        ours = [(match.tests, match.blocks, match.branches) for match in plain.completed(at, way)]
        assert ours == [(match.tests, match.blocks, match.branches) for match in traced.completed(state)]


def test_a_record_is_marked_where_a_rect_was_gone_through_unread():
    expression = meant(parse(diagram("rect rgb(1,2,3)\nopt\nServer->>Client: A\nend\nend")), (), shaded=True)
    assert UNREAD in {branch.place for branch in walk(expression) if hasattr(branch, "title")}
    assert any(isinstance(node, Loop) for node in walk(expression))
    assert {step.name for step in steps_of(expression)} == {"A", ENCRYPTED}
    assert all(isinstance(step, Step) for step in steps_of(expression))
