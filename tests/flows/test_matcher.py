"""The automaton: what each rule of docs/flows.md means, and that it agrees with a naive matcher on anything."""

import numpy as np
import pytest
from conversation import LETTERS, automaton_of, complete_after, event, page, play
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from reference import fits, words

from analyzer.errors import FlowPageError
from analyzer.flows.expression import RETRANSMISSION, Branch, Loop, Option, steps_of, walk
from analyzer.flows.language import common_sequence, distinct_symbols, explore, overlaps, possible_truths
from analyzer.flows.matcher import DEAD, START, UNKNOWN, Automaton, Run


def play_on(automaton, *texts):
    return play(*texts, automaton=automaton)


# The table, as the compiled packet stage sees it


def test_the_table_starts_unknown_and_grows_as_it_is_used():
    automaton = automaton_of(page("Client->>Server: A"))
    symbol = automaton.symbol_of(event("C A"))
    assert automaton.table.dtype == np.int32
    assert automaton.complete.dtype == np.int8
    assert automaton.table.shape[1] == len(LETTERS.steps) * 2 << len(automaton.tests)
    assert automaton.table[START, symbol] == UNKNOWN
    reached = automaton.grow(START, symbol)
    assert automaton.table[START, symbol] == reached == automaton.advance(START, symbol)
    assert automaton.complete[reached] == 1
    assert automaton.complete[START] == 0


def test_nothing_leads_out_of_the_dead_state():
    automaton = automaton_of(page("Client->>Server: A"))
    assert set(automaton.table[DEAD]) == {DEAD}
    assert automaton.advance(START, automaton.symbol_of(event("S A"))) == DEAD


def test_growing_keeps_what_was_there():
    automaton = automaton_of(page("Client->>Server: " + ", ".join(["A", "B"] * 100)))
    state = START
    for text in ["C A", "C B"] * 100:
        state = automaton.advance(state, automaton.symbol_of(event(text)))
    assert automaton.states == 202
    assert len(automaton.table) == len(automaton.complete) >= 202
    assert np.flatnonzero(automaton.complete).tolist() == [state]
    assert set(automaton.table[DEAD]) == {DEAD}


def test_a_symbol_is_side_step_and_the_truth_of_each_test_of_that_step():
    automaton = automaton_of(page("Client->>Server: A [payload>5], B [payload<9], C [sni=x]"))
    assert automaton.tests[0] == RETRANSMISSION
    assert [str(test) for test in automaton.tests] == ["retransmission", "payload>5", "payload<9", "sni=x"]
    assert automaton.symbol_of(event("S B 7")) == (1 * 2 + 1) << 4 | 0b0100
    assert automaton.symbol_of(event("C A 7")) == 0b0010
    assert automaton.symbol_of(event("C A 2 again")) == 0b0001
    assert automaton.split(automaton.symbol_of(event("S B 7"))) == (1, "B", 0b0100)
    assert automaton.text_of([automaton.symbol_of(event("S B 7"))]) == "server B [payload<9]"


# Rules


def test_a_flight_is_its_steps_in_order():
    automaton = automaton_of(page("Client->>Server: A, B"))
    assert complete_after(automaton, ["C A", "C B"]) == ["one"]
    assert complete_after(automaton, ["C B", "C A"]) == []


def test_events_outside_the_alphabet_are_not_offered():
    automaton = automaton_of(page("Client->>Server: A, B"))
    assert complete_after(automaton, ["C A", "S D", "C B"]) == ["one"]
    assert automaton.advance(START, automaton.symbol_of(event("C D"))) == START


def test_events_in_the_alphabet_must_be_consumed():
    automaton = automaton_of(page("Client->>Server: A, B"), page("Server->>Client: C", name="other"))
    assert complete_after(automaton, ["C A", "S C", "C B"]) == []


def test_a_users_extra_names_concern_only_the_pages_that_name_them():
    mine = page("Client->>Server: A, D, B", name="mine", builtin=False)
    automaton = automaton_of(page("Client->>Server: A, B"), mine)
    assert complete_after(automaton, ["C A", "C D", "C B"]) == ["one", "mine"]
    assert complete_after(automaton, ["C A", "C B"]) == ["one"]


def test_retransmissions_concern_only_the_pages_that_name_them():
    plain = page("Client->>Server: SYN\nServer->>Client: A", name="plain")
    loop = page(
        "Client->>Server: SYN\nloop again\nClient->>Server: SYN [retransmission]\nend\nServer->>Client: RST",
        name="loop",
    )
    automaton = automaton_of(plain, loop)
    assert complete_after(automaton, ["C SYN", "C SYN again", "C SYN again", "S A"]) == ["plain"]
    assert complete_after(automaton, ["C SYN", "C SYN again", "C SYN again", "S RST"]) == ["loop"]
    assert complete_after(automaton, ["C SYN", "C SYN", "S RST"]) == [], "a second SYN that is no retransmission"
    assert complete_after(automaton, ["C SYN", "S A again", "S A"]) == ["plain"], "named by no page"


def test_a_step_without_the_test_is_no_retransmission():
    automaton = automaton_of(page("Client->>Server: A\nopt\nClient->>Server: A [retransmission]\nend"))
    assert complete_after(automaton, ["C A again"]) == []


def test_either_side_matches_with_the_sides_exchanged():
    automaton = automaton_of(page("Client->>Server: A\nServer->>Client: B", either_side=True))
    assert not play_on(automaton, "C A", "S B").swapped
    assert play_on(automaton, "S A", "C B").swapped
    assert play_on(automaton, "S A", "S B").outcome == "diverged"


def test_the_longest_match_counts():
    automaton = automaton_of(page("Client->>Server: A\nopt\nServer->>Client: B, C\nend"))
    assert play_on(automaton, "C A", "S B", "S C").taken == 3
    assert play_on(automaton, "C A", "S B", "S A").taken == 1
    run = Run(automaton)
    assert [run.offer(automaton.symbol_of(event(text))) for text in ("C A", "S A", "S B")] == [True, False, False]
    assert (run.ended, run.best == run.state, run.diverged_at) == (True, True, None)


def test_a_run_that_no_page_allows_says_where():
    automaton = automaton_of(page("Client->>Server: A, B"))
    run = Run(automaton)
    assert [run.offer(automaton.symbol_of(event(text))) for text in ("C A", "S A")] == [True, False]
    assert (run.ended, run.best, run.diverged_at) == (True, None, 1)
    assert automaton.expected(run.state) == ["client B"]


def test_outcomes_and_titles():
    automaton = automaton_of(
        page(
            """
            alt first way
                Client->>Server: A
            else second way
                Client->>Server: B
            end
            opt variant: with C
                Server->>Client: C
            end
            loop many
                Server->>Client: D
            end
            """,
            drawn="F1",
        )
    )
    assert play_on(automaton, "C A").outcome == "documented"
    assert play_on(automaton, "C A").branches == ("first way",)
    assert play_on(automaton, "C B", "S D", "S D").branches == ("second way", "many")
    with_c = play_on(automaton, "C A", "S C")
    assert (with_c.outcome, with_c.differs) == ("variant", ("with C",))
    assert with_c.branches == ("first way", "variant: with C")


def test_an_alt_of_optional_steps_is_taken_even_if_nothing_happens():
    text = "Client->>Server: A\nalt in plain\nopt\nServer->>Client: B\nend\nelse hidden\nServer->>Client: C\nend"
    automaton = automaton_of(page(text))
    assert play_on(automaton, "C A").branches == ("in plain",)
    assert play_on(automaton, "C A", "S C").branches == ("hidden",)


def test_of_complete_pages_more_tests_then_fewer_blocks_win():
    plain = page("Client->>Server: A", name="plain", drawn="F1")
    tested = page("Client->>Server: A [payload>0]", name="tested", order=9)
    looped = page("loop\nClient->>Server: A\nend", name="looped", drawn="F2")
    automaton = automaton_of(plain, tested, looped)
    assert complete_after(automaton, ["C A 5"]) == ["tested", "plain", "looped"]
    assert complete_after(automaton, ["C A"]) == ["plain", "looped"]


def test_pages_that_end_by_silence_come_last_and_do_not_complete_a_state():
    quiet = page("Client->>Server: A [payload>0]", name="quiet", silence=True)
    automaton = automaton_of(quiet, page("Client->>Server: A", name="loud"))
    state = automaton.advance(START, automaton.symbol_of(event("C A 5")))
    assert [(match.page.title, match.by_silence) for match in automaton.completed(state)] == [
        ("loud", False),
        ("quiet", True),
    ]
    alone = automaton_of(quiet)
    state = alone.advance(START, alone.symbol_of(event("C A 5")))
    assert (alone.complete[state], len(alone.completed(state))) == (0, 1)


def test_living_pages_are_sorted_by_what_they_still_need():
    far = page("Client->>Server: A, B, C", name="far", drawn="F1")
    near = page("Client->>Server: A, B", name="near", order=2)
    drawn = page("Client->>Server: A, C", name="drawn", order=3, drawn="F2")
    first = page("Client->>Server: A, D", name="first", order=1)
    automaton = automaton_of(far, near, drawn, first)
    state = automaton.advance(START, automaton.symbol_of(event("C A")))
    assert [(one.page.title, one.further) for one in automaton.living(state)] == [
        ("drawn", 1),
        ("first", 1),
        ("near", 1),
        ("far", 2),
    ]
    assert automaton.expected(state) == ["client B", "client C", "client D"]


def test_loops_do_not_make_ever_more_states():
    automaton = automaton_of(page("loop a\nopt b\nClient->>Server: A [payload>0]\nend\nServer->>Client: B\nend"))
    explore(automaton)
    before = automaton.states
    play_on(automaton, *["C A 1", "S B"] * 50)
    assert automaton.states == before < 10


def test_references_are_steps_of_neither_side():
    from analyzer.flows.library import Vocabulary, parse_page

    steps = ("ref tls", "A")
    text = (
        "---\nid: whole/one\nscope: whole\ntitle: x\ndrawn_in_article: none\nstandard: none\neither_side: false\n---\n"
        "```mermaid\nsequenceDiagram\nNote over Client,Server: ref tls\nClient->>Server: A\n```\n"
    )
    automaton = Automaton("whole", [parse_page(text, "x.md", scopes={"whole": Vocabulary(steps)})], steps)
    assert complete_after(automaton, ["S ref tls", "C A"]) == complete_after(automaton, ["C ref tls", "C A"]) == ["one"]
    assert automaton.expected(START) == ["ref tls"]


# Bounds and overlaps


def test_too_many_states_are_refused():
    branches = ["Client->>Server: " + ", ".join([name] * 7) for name in "ABCD"]
    wide = page("par\n" + "\nand\n".join(branches) + "\nend", name="wide")
    with pytest.raises(FlowPageError, match=r"wide.md:1: scope letters needs more than \d+ states"):
        explore(automaton_of(page("Client->>Server: A"), wide))


def test_too_many_readings_are_refused():
    same = page("par\n" + "\nand\n".join(["Client->>Server: " + ", ".join("ABAB" * 4)] * 4) + "\nend", name="same")
    with pytest.raises(FlowPageError, match=r"same.md:1: the diagram can be read in more than 128 ways at once"):
        explore(automaton_of(same))


def test_a_scope_without_pages_takes_anything_and_completes_nothing():
    automaton = automaton_of()
    assert automaton.advance(START, automaton.symbol_of(event("C A"))) == START
    assert (automaton.completed(START), automaton.living(START), automaton.expected(START)) == ((), (), [])


def test_too_many_tests_are_refused():
    many = page("Client->>Server: " + ", ".join(f"A [payload={n}]" for n in range(20)))
    with pytest.raises(FlowPageError, match="more than 10 different attribute tests"):
        automaton_of(many)


def test_overlapping_pages_are_found_with_a_shortest_sequence():
    one = page("Client->>Server: A\nloop\nServer->>Client: B\nend", name="one")
    two = page("opt\nServer->>Client: C\nend\nClient->>Server: A\nServer->>Client: B", name="two")
    assert common_sequence(one, two, LETTERS.steps) == "client A, server B"
    (found,) = overlaps(automaton_of(one, two))
    assert not found.decided


def test_attribute_tests_decide_or_exclude_an_overlap():
    plain = page("Client->>Server: A", name="plain")
    full = page("Client->>Server: A [payload>0]", name="full")
    empty = page("Client->>Server: A [payload=0]", name="empty")
    assert [found.decided for found in overlaps(automaton_of(plain, full))] == [True]
    assert common_sequence(full, empty, LETTERS.steps) is None


@pytest.mark.parametrize(
    ("tests", "possible"),
    [
        ("payload=0 payload>0", {"", "payload=0", "payload>0"}),
        ("payload>0 payload>9", {"", "payload>0", "payload>0 payload>9"}),
        ("sni=a sni=b", {"", "sni=a", "sni=b"}),
        ("sni=a sni!=a", {"", "sni=a", "sni!=a"}),
        ("sni=a sni=a*", {"", "sni=a*", "sni=a sni=a*"}),
    ],
)
def test_possible_truths(tests, possible):
    found = automaton_of(page(f"Client->>Server: A [{tests}]")).tests[1:]
    texts = {" ".join(str(t) for bit, t in enumerate(found) if truths >> bit & 1) for truths in possible_truths(found)}
    assert texts == possible


# Against the naive matcher

LIMIT = 4
TESTS = st.sampled_from(["", "", "", " [payload>0]", " [payload=0]", " [retransmission]"])
MESSAGES = st.builds(
    lambda sides, name, tests: f"{sides}: {name}{tests}",
    st.sampled_from(["Client->>Server", "Server->>Client"]),
    st.sampled_from("AB"),
    TESTS,
)


def blocks(inner):
    body = st.lists(inner, min_size=1, max_size=2).map("\n".join)
    return st.one_of(
        body.map(lambda text: f"opt maybe {text.count('A')}\n{text}\nend"),
        body.map(lambda text: f"loop some\n{text}\nend"),
        body.map(lambda text: f"rect rgb(1,2,3)\n{text}\nend"),
        st.tuples(body, body).map(lambda two: f"alt variant: one\n{two[0]}\nelse\n{two[1]}\nend"),
        st.tuples(body, body).map(lambda two: f"alt one\n{two[0]}\nelse two\n{two[1]}\nend"),
        st.tuples(body, body).map(lambda two: f"par\n{two[0]}\nand\n{two[1]}\nend"),
    )


DIAGRAMS = st.lists(st.recursive(MESSAGES, blocks, max_leaves=5), min_size=1, max_size=3).map("\n".join)
EVENTS = st.lists(
    st.tuples(st.sampled_from("CS"), st.sampled_from("AB"), st.sampled_from([0, 0, 7]), st.sampled_from([0, 0, 0, 1])),
    max_size=LIMIT,
)


def naive_best(one, swapped, events):
    """Tests, blocks and titles of the best way through the page that these events are; None if there is none."""
    atoms = list(steps_of(one.expression))
    again = {(atom.side, atom.name) for atom in atoms if RETRANSMISSION in atom.tests}
    offered = [
        ("CS".index(side) ^ swapped, name, {"payload": payload, "retransmission": bool(retransmission)})
        for side, name, payload, retransmission in events
        if not retransmission or ("CS".index(side) ^ swapped, name) in again
    ]
    nodes = {node.place: node for node in walk(one.expression) if isinstance(node, Option | Loop | Branch)}
    tests = {atom.place: len(atom.tests) for atom in atoms}
    ways = [
        (
            -sum(tests.get(place, 0) for place in taken),
            sum(isinstance(nodes.get(place), Option | Loop) for place in taken),
            sorted(taken),
        )
        for steps, taken in words(one.expression, LIMIT)
        if len(steps) == len(offered) and all(fits(step, *one) for step, one in zip(steps, offered, strict=True))
    ]
    if not ways:
        return None
    more_tests, fewer_blocks, taken = min(ways)
    titles = dict.fromkeys(nodes[place].title for place in taken if place in nodes)
    return -more_tests, fewer_blocks, tuple(titles)


@given(DIAGRAMS, DIAGRAMS, EVENTS)
def test_the_automaton_agrees_with_the_naive_matcher(first, second, events):
    # D keeps every name in the alphabet, whatever the two diagrams use.
    all_names = page("Client->>Server: D, D, D, D, D, A, B", name="all-names")
    pages = [page(first, name="first"), page(second, name="second", either_side=True), all_names]
    automaton = automaton_of(*pages)
    state = START
    for length in range(len(events) + 1):
        expected = {}
        for one, sides in ((pages[0], (False,)), (pages[1], (False, True))):
            found = [best for swapped in sides if (best := naive_best(one, swapped, events[:length]))]
            if found:
                expected[one.title] = min(found, key=lambda best: (-best[0], best[1]))
        matches = automaton.completed(state)
        assert {match.page.title: (match.tests, match.blocks, match.branches) for match in matches} == expected
        assert automaton.complete[state] == bool(expected)
        assert list(matches) == sorted(matches, key=lambda match: (-match.tests, match.blocks))
        if length < len(events):
            side, name, payload, again = events[length]
            state = automaton.advance(
                state, automaton.symbol_of(event(f"{side} {name} {payload}" + " again" * bool(again)))
            )


@settings(max_examples=50)
@given(DIAGRAMS)
def test_a_page_is_alive_exactly_while_it_can_be_completed(text):
    automaton = automaton_of(page(text))
    try:
        ways = explore(automaton)
    except FlowPageError:
        reject()  # a few random pages need too many states
    steps = {state: {automaton.advance(state, symbol) for symbol in distinct_symbols(automaton)} for state in ways}
    for state in ways.keys() - {DEAD}:
        distance, reached = 0, {state}
        while not any(automaton.complete[one] for one in reached):
            distance, reached = distance + 1, set().union(*(steps[one] for one in reached))
            assert distance < 50
        assert automaton.living(state)[0].further == distance
