"""Questions about all the events a scope's pages accept, not about the traffic at hand: how many states there are, and
whether two pages accept the same events."""

from __future__ import annotations

from collections import deque
from itertools import product
from math import prod
from typing import Final, NamedTuple, NoReturn

from analyzer.errors import FlowPageError
from analyzer.flows.expression import CLIENT, RETRANSMISSION, SERVER, AttributeTest, Step, span_of, steps_of
from analyzer.flows.library import Page
from analyzer.flows.matcher import START, Automaton

# Tests of one field of one step: every one of a text doubles the events that have to be told apart.
MOST_TESTS_OF_A_TEXT: Final = 8
# Sets of events, told apart by the tests of one step.
MOST_COMBINATIONS: Final = 1024


def explore(automaton: Automaton) -> dict[int, tuple[int, ...]]:
    """Builds every state that possible events can reach; returns a shortest way to each, as symbols.

    Raises FlowPageError if there are more than `automaton.max_states`.
    """
    symbols = distinct_symbols(automaton)
    ways: dict[int, tuple[int, ...]] = {START: ()}
    queue = deque([START])
    while queue:
        state = queue.popleft()
        for symbol in symbols:
            following = automaton.advance(state, symbol)
            if following not in ways:
                ways[following] = (*ways[state], symbol)
                queue.append(following)
    return ways


def distinct_symbols(automaton: Automaton) -> list[int]:
    """One symbol for each set of events that no page tells apart, leaving out impossible ones (both payload=0 and
    payload>0)."""
    seen: dict[tuple[frozenset[Step] | None, ...], int] = {}
    for step, name in enumerate(automaton.steps):
        # Tests that are used with other steps only cannot matter to this one.
        mattering = {RETRANSMISSION}.union(
            *(atom.tests for flow, _ in automaton.flows for atom in flow.atoms if atom.name == name)
        )
        tests = tuple(test for test in automaton.tests if test in mattering)
        combinations = possible_truths(tests)
        if not combinations:
            _refuse(automaton, name)
        for true, side in product(combinations, (CLIENT, SERVER)):
            truths = sum(1 << automaton.tests.index(test) for bit, test in enumerate(tests) if true >> bit & 1)
            symbol = automaton.symbol(side, step, truths)
            fits = tuple(automaton.fitting(flow, swapped, symbol) for flow, swapped in automaton.flows)
            seen.setdefault(fits, symbol)
    return list(seen.values())


def _refuse(automaton: Automaton, step: str) -> NoReturn:
    user = [flow.page for flow, _ in automaton.flows if not flow.page.builtin]
    page = next(
        (page for page in user if any(one.name == step and one.tests for one in steps_of(page.expression))),
        automaton.flows[0][0].page,
    )
    reason = f"the pages of scope {automaton.scope} put too many different attribute tests on `{step}`: use fewer"
    raise FlowPageError(page.path, 1, reason)


def possible_truths(tests: tuple[AttributeTest, ...]) -> list[int]:
    """The combinations of test results that an event can have, as bits.

    Numbers are decided by trying the values around each constant. Of texts, only what literal values settle is
    excluded; whether two globs can both hold is not examined, so a few impossible combinations may remain. Empty: there
    would be too many.
    """
    by_name: dict[str, list[tuple[int, AttributeTest]]] = {}
    for bit, test in enumerate(tests):
        by_name.setdefault(test.name, []).append((1 << bit, test))
    choices: list[list[int]] = []
    for group in by_name.values():
        valued = [test for _, test in group if test.operator]
        spans = [span for test in valued for value in test.values if (span := span_of(value)) is not None]
        if valued and len(spans) == sum(len(test.values) for test in valued):
            near: set[object] = {bound + by for span in spans for bound in span for by in (-1, 0, 1)}
            choices.append(sorted({_truths(group, value) for value in near | {None, 0}}))
            continue
        if valued and all(test.value == "false" for test in valued):  # a flag
            choices.append(sorted({_truths(group, value) for value in (None, False, True)}))
            continue
        if len(group) > MOST_TESTS_OF_A_TEXT:
            return []
        literal = [(bit, test) for bit, test in group if test.operator and not set("".join(test.values)) & set("*?")]
        # A value equal to no literal: then no `=` of a literal holds, and every `!=` of one does.
        never = sum(bit for bit, test in literal if test.operator == "=")
        always = sum(bit for bit, test in literal if test.operator == "!=")
        every = (sum(bits) for bits in product(*((0, bit) for bit, _ in group)))
        # Of `=` and `!=` with the same values exactly one holds, whatever the text is.
        bits = {(test.operator, test.values): bit for bit, test in group}
        pairs = [bits["=", value] | bits["!=", value] for sign, value in bits if sign == "=" and ("!=", value) in bits]
        other = {
            truths
            for truths in every
            if not truths & never
            and truths & always == always
            and all(truths & pair not in (0, pair) for pair in pairs)
        }
        literals = {value for test in valued for value in test.values if not set(value) & set("*?")}
        choices.append(sorted({0} | other | {_truths(group, value) for value in literals}))
    if prod(map(len, choices)) > MOST_COMBINATIONS:
        return []
    return sorted(sum(parts) for parts in product(*choices))


def _truths(group: list[tuple[int, AttributeTest]], value: object) -> int:
    return sum(bit for bit, test in group if test.holds(value))


class Overlap(NamedTuple):
    """Two pages that are complete after the same events."""

    first: Page
    second: Page
    events: str  # a shortest sequence
    decided: bool  # rule 8 prefers one of them because it uses more attribute tests


def overlaps(automaton: Automaton) -> list[Overlap]:
    """Which pages accept a common sequence of events: a search through the product of all pages, which is what the
    automaton's states are. Bounded by its number of states."""
    found: dict[tuple[str, str], Overlap] = {}
    for state, way in explore(automaton).items():
        matches = automaton.completed(state)
        for at, first in enumerate(matches):
            for second in matches[at + 1 :]:
                pair = first.page.id, second.page.id
                decided = first.tests != second.tests
                # One undecided sequence is enough to say the pages are not told apart.
                if pair not in found or (found[pair].decided and not decided):
                    found[pair] = Overlap(first.page, second.page, automaton.text_of(way), decided)
    return list(found.values())


def common_sequence(first: Page, second: Page, steps: tuple[str, ...]) -> str | None:
    """A shortest sequence of events after which both pages are complete, None if there is none."""
    found = overlaps(Automaton(first.scope, (first, second), steps))
    return found[0].events if found else None
