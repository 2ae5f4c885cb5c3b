"""One page followed event by event, without an automaton: what pages about whole connections are run with.

Their events have more fields than a table could have columns, and there are few pages at a time. A position is a set of
remainders, what is left to do. There are at most `library.MAX_REMAINDERS` of them for a page, so that the time per
event has a bound that does not depend on the traffic, and no page can make it exponential.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from analyzer.flows.expression import EITHER, Expression, Step, linear, passed_over, steps_of
from analyzer.flows.library import Page
from analyzer.flows.whole import must_follow


class Event(Protocol):
    """A step as it was seen."""

    @property
    def side(self) -> int: ...
    @property
    def name(self) -> str: ...
    def value(self, field: str) -> object:
        """What a test compares: None where it is not known, ABSENT where it is known not to be there."""


class Remainders:
    """What may be left to do of pages, numbered, so that whole expressions need not be compared."""

    def __init__(self) -> None:
        self._expressions: list[Expression] = []
        self._numbers: dict[Expression, int] = {}
        self._after: dict[int, list[tuple[Step, int]]] = {}

    def number(self, expression: Expression) -> int:
        found = self._numbers.setdefault(expression, len(self._expressions))
        if found == len(self._expressions):
            self._expressions.append(expression)
        return found

    def complete(self, number: int) -> bool:
        return passed_over(self._expressions[number]) is not None

    def after(self, number: int) -> list[tuple[Step, int]]:
        """The steps that can come next, and what is left after each."""
        found = self._after.get(number)
        if found is None:
            found = [(atom, self.number(rest)) for atom, rest, _ in linear(self._expressions[number])]
            self._after[number] = found
        return found


class Followed(msgspec.Struct, frozen=True):
    """How far events went along a page."""

    page: Page
    swapped: bool  # with client and server exchanged
    taken: int  # events the page allowed
    offered: tuple[int, ...]  # indices of the events that concern the page
    diverged_at: int | None  # index of the event it does not allow
    expected: tuple[Step, ...]  # instead of it, or after the last one
    complete: bool  # nothing need follow

    @property
    def follows(self) -> bool:
        return self.complete and self.diverged_at is None


class Follower:
    """Holds events against one page."""

    def __init__(self, page: Page):
        self.page = page
        self._remainders = Remainders()
        self._begin = self._remainders.number(page.expression)
        self.names = must_follow(frozenset(step.name for step in steps_of(page.expression)))

    def concerns(self, event: Event) -> bool:
        """Whether the event must be consumed: a page that names a step must take all of that layer, but for what it
        ignores."""
        return event.name in self.names and not any(fits(event, one, swapped=False) for one in self.page.ignores)

    def follow(self, events: Sequence[Event]) -> Followed:
        """All the events of a connection or conversation, in their order."""
        offered = tuple(at for at, event in enumerate(events) if self.concerns(event))
        found = self._follow(events, offered, swapped=False)
        if self.page.either_side and not found.follows:
            other = self._follow(events, offered, swapped=True)
            if other.follows or other.taken > found.taken:
                return other
        return found

    def _follow(self, events: Sequence[Event], offered: tuple[int, ...], *, swapped: bool) -> Followed:
        after = self._remainders.after
        position = [self._begin]
        complete = self._remainders.complete(self._begin)
        for taken, at in enumerate(offered):
            event = events[at]
            fitting: dict[Step, bool] = {}
            following: dict[int, None] = {}
            for rest in position:
                for atom, left in after(rest):
                    if left in following:
                        continue
                    fit = fitting.get(atom)
                    if fit is None:
                        fit = fitting[atom] = fits(event, atom, swapped=swapped)
                    if fit:
                        following[left] = None
            if not following:
                return Followed(self.page, swapped, taken, offered, at, self._expected(position), complete)
            position = list(following)
            complete = any(map(self._remainders.complete, position))
        return Followed(self.page, swapped, len(offered), offered, None, self._expected(position), complete)

    def _expected(self, position: list[int]) -> tuple[Step, ...]:
        """What can come next, in the order of the page."""
        atoms = dict.fromkeys(atom for rest in position for atom, _ in self._remainders.after(rest))
        return tuple(sorted(atoms, key=lambda atom: atom.place))


def fits(event: Event, step: Step, *, swapped: bool) -> bool:
    """Whether an event is what a step of a page says."""
    return same_step(event, step, swapped=swapped) and all(test.holds(event.value(test.name)) for test in step.tests)


def same_step(event: Event, step: Step, *, swapped: bool) -> bool:
    """Whether an event is what a step of a page says, but for its attribute tests. A reference stands for a verdict
    that names a flow."""
    if event.name != step.name or step.side not in (EITHER, event.side ^ swapped):
        return False
    return not event.name.startswith("ref ") or event.value("flow") is not None
