"""One page's own lazy automaton, and what can be said about the page in each of its states."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Many
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from analyzer.errors import FlowPageError
from analyzer.flows.expression import (
    NOWHERE,
    RETRANSMISSION,
    Branch,
    Expression,
    Loop,
    Option,
    Places,
    Step,
    fewest_steps,
    last_steps,
    linear,
    passed_over,
    steps_among,
    walk,
)
from analyzer.flows.library import Page
from analyzer.flows.shading import UNREAD

VARIANT: Final = "variant:"

# Steps that can follow anything, and so are never what was about to happen.
ABORTS: Final = frozenset({"RST", "RST_STREAM", "Alert"})

# Readings of a diagram that are possible at the same time. Ours need one; nobody can follow a diagram with this many.
MAX_ALTERNATIVES: Final = 128


class Alternative(NamedTuple):
    """One way to read what a page has seen: what is left, and the places gone through (blocks, branches, tests)."""

    rest: Expression
    taken: Places


# What rule 8 prefers, smallest first: more attribute tests, fewer opt and loop, then the way further up the page.
_Preference = tuple[int, int, tuple[int, ...]]


class Match(msgspec.Struct, frozen=True):
    """A page that is complete."""

    page: Page
    swapped: bool  # matched with client and server exchanged
    branches: tuple[str, ...]  # titles of the blocks taken, in the order of the page
    differs: tuple[str, ...]  # of these the `variant: …` ones, without the prefix
    by_silence: bool  # holds only if the connection ends or falls silent here
    tests: int  # attribute tests used
    blocks: int  # `opt` and `loop` taken

    @property
    def outcome(self) -> str:
        """`documented` if the article draws the flow and no `variant: …` block was taken, else `variant`."""
        return "documented" if self.page.drawn_in_article and not self.differs else "variant"


class Living(msgspec.Struct, frozen=True):
    """A page that can still become complete, or is."""

    page: Page
    swapped: bool
    further: int  # steps needed at least
    branches: tuple[str, ...]
    by_abort: bool  # it can only end by an abort


class Flow(msgspec.Struct, eq=False):
    """One page's own lazy automaton. Its states are numbered too: 0 dead, 1 start.

    `traced`: they tell the ways to the same remainder apart by the places gone through. Else only the remainders count,
    and `retrace` says afterwards what was gone through.
    """

    page: Page
    expression: Expression  # what the page's diagram means
    traced: bool = True
    states: list[tuple[Alternative, ...]] = msgspec.field(default_factory=list)
    _ids: dict[frozenset[Alternative], int] = msgspec.field(default_factory=dict)
    _moves: dict[tuple[int, frozenset[Step]], int] = msgspec.field(default_factory=dict)
    atoms: tuple[Step, ...] = ()
    names: frozenset[str] = frozenset()
    retransmitted: frozenset[tuple[int, str]] = frozenset()  # steps the page names with [retransmission]
    _titles: dict[int, str] = msgspec.field(default_factory=dict)
    _blocks: Places = NOWHERE
    by_abort: bool = False  # it can only end by an abort
    _tests: dict[int, int] = msgspec.field(default_factory=dict)  # place of a step -> how many tests it has

    def __post_init__(self) -> None:
        nodes = list(walk(self.expression))
        self.atoms = tuple(dict.fromkeys(steps_among(nodes)))
        self.names = frozenset(atom.name for atom in self.atoms)
        self.retransmitted = frozenset((atom.side, atom.name) for atom in self.atoms if RETRANSMISSION in atom.tests)
        self._tests = {atom.place: len(atom.tests) for atom in self.atoms if atom.tests and atom.place > 0}
        blocks = [node for node in nodes if isinstance(node, Option | Loop | Branch)]
        self._titles = {node.place: node.title for node in blocks if node.place > 0}
        self.by_abort = last_steps(self.page.expression) <= ABORTS
        self._blocks = frozenset(node.place for node in blocks if not isinstance(node, Branch))
        self._intern(frozenset())
        self._intern(frozenset((Alternative(self.expression, NOWHERE),)))

    def offers(self, side: int, name: str, retransmitted: bool, alphabet: frozenset[str]) -> bool:
        """Whether an event concerns this page at all (rules 2 and 7)."""
        if retransmitted:
            return (side, name) in self.retransmitted
        return name in alphabet or name in self.names

    def advance(self, local: int, fitting: frozenset[Step]) -> int:
        """The next state when exactly the steps `fitting` of the page fit the event."""
        key = local, fitting
        found = self._moves.get(key)
        if found is None:
            found = self._moves[key] = self._intern(_following(self.states[local], fitting))
        return found

    def retrace(self, fittings: Iterable[frozenset[Step] | None]) -> tuple[Alternative, ...]:
        """The ways through the page that events can have gone, best first. `fittings`: of each event the steps of the
        page that fit it, None where it was not offered to the page."""
        ways = [Alternative(self.expression, NOWHERE)]
        for fitting in fittings:
            if fitting is not None:
                ways = self._best_first(_following(ways, fitting))[:MAX_ALTERNATIVES]
        return tuple(ways)

    def _intern(self, alternatives: frozenset[Alternative]) -> int:
        if not self.traced:
            alternatives = frozenset(Alternative(rest, NOWHERE) for rest, _ in alternatives)
        found = self._ids.get(alternatives)
        if found is None:
            best = self._best_first(alternatives)
            if len(best) > MAX_ALTERNATIVES:
                reason = (
                    f"the diagram can be read in more than {MAX_ALTERNATIVES} ways at once: use fewer `par` branches"
                )
                raise FlowPageError(self.page.path, 1, f"{reason} and loops with the same steps")
            pruned = frozenset(best)
            found = self._ids.get(pruned)
            if found is None:
                found = self._ids[pruned] = len(self.states)
                self.states.append(tuple(best))
            self._ids[alternatives] = found
        return found

    def _best_first(self, alternatives: frozenset[Alternative]) -> list[Alternative]:
        undominated = self._undominated(alternatives)
        if len(undominated) < 2:
            return undominated
        # Sets have no order of their own: without the text the answer could differ from process to process.
        return sorted(undominated, key=lambda one: (self.preference(one.taken), _text(one.rest)))

    def _undominated(self, alternatives: frozenset[Alternative]) -> list[Alternative]:
        """Without those that need not be kept because another one leaves the same to do and is preferred by rule 8
        whatever comes: it went through at least the same tests, and at most the same blocks."""
        by_rest: dict[Expression, list[Places]] = {}
        for rest, taken in alternatives:
            by_rest.setdefault(rest, []).append(taken)
        return [
            Alternative(rest, taken)
            for rest, ways in by_rest.items()
            for taken in ways
            if not any(
                other != taken and taken - other <= self._blocks and other - taken <= self._tests.keys()
                for other in ways
            )
        ]

    def preference(self, taken: Places) -> _Preference:
        tests = sum(self._tests.get(place, 0) for place in taken)
        return -tests, len(taken & self._blocks), tuple(sorted(taken))

    def titles(self, taken: Places) -> tuple[str, ...]:
        titles = (self._titles.get(place, "") for place in sorted(taken))
        return tuple(dict.fromkeys(title for title in titles if title))

    def complete(self, local: int) -> bool:
        return any(passed_over(rest) is not None for rest, _ in self.states[local])

    def match(self, alternatives: Many[Alternative], swapped: bool) -> Match | None:
        """The best complete alternative."""
        ends = [(passed_over(rest), taken) for rest, taken in alternatives]
        complete = [taken | over for over, taken in ends if over is not None]
        if not complete:
            return None
        taken = min(complete, key=self.preference)
        tests, blocks, _ = self.preference(taken)
        branches = self._known_titles(taken, complete)
        differs = tuple(title[len(VARIANT) :].strip() for title in branches if title.startswith(VARIANT))
        return Match(self.page, swapped, branches, differs, self.page.ends_by_silence, -tests, blocks)

    def living(self, alternatives: Many[Alternative], swapped: bool) -> Living | None:
        """The alternative closest to completion."""
        if not alternatives:
            return None
        further, _, taken = min(
            (fewest_steps(rest), self.preference(taken), taken) for rest, taken in alternatives
        )  # preferences differ wherever the places do, so the places themselves are never compared
        branches = self._known_titles(taken, [taken for _, taken in alternatives])
        return Living(self.page, swapped, further, branches, self.by_abort)

    def _known_titles(self, taken: Places, ways: list[Places]) -> tuple[str, ...]:
        """The titles of one way through the page. If it goes through records nobody could read, only those that all
        `ways` have in common: which of them was gone is hidden."""
        titles = self.titles(taken)
        if UNREAD not in taken:
            return titles
        common = frozenset[str].intersection(*(frozenset(self.titles(way)) for way in ways))
        return tuple(title for title in titles if title in common)


@lru_cache(maxsize=1 << 14)
def _text(expression: Expression) -> str:
    return repr(expression)


def _following(alternatives: Iterable[Alternative], fitting: frozenset[Step]) -> frozenset[Alternative]:
    """What is left after an event that exactly the steps `fitting` fit."""
    return frozenset(
        Alternative(rest, taken | places)
        for before, taken in alternatives
        for atom, rest, places in linear(before)
        if atom in fitting
    )
