"""A run of a scope to a verdict: rules 6, 8 and 10 of `docs/flows.md`, for every protocol alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

from analyzer import model
from analyzer.flows.explain import Explainer, Seen
from analyzer.flows.flow import Living, Match
from analyzer.flows.matcher import DEAD, LONGEST_VALUE, NO_MORE, Automaton, Event
from analyzer.reporter.shapes import Judged

MOST_EVENTS_REMEMBERED: Final = 65_536  # of all connections whose verdicts are remembered
MOST_KINDS_REMEMBERED: Final = 4096  # of events
_Ended = tuple[int, tuple[int, ...]]  # a state, and the symbols that led there if they matter
_T = TypeVar("_T")


_Key = TypeVar("_Key", bound=tuple[object, ...])


class Memo(dict[_Key, _T]):
    """What was worked out, by all it depends on. Forgets everything rather than hold more than `most` entries, or more
    than entries of that size together; those with long texts or large alone are not remembered."""

    def __init__(self, most: int):
        super().__init__()
        self._most, self._size = most, 0

    def remember(self, key: _Key, value: _T, *, size: int = 1) -> None:
        """`size`: what the entry counts for."""
        if size > self._most >> 4 or any(isinstance(part, str) and len(part) > LONGEST_VALUE for part in key):
            return
        if self._size + size > self._most:
            self.clear()
            self._size = 0
        self._size += size
        self[key] = value


class Circumstances(NamedTuple):
    """What a verdict about something inside a connection depends on, besides its own events."""

    start_ns: int  # of the connection
    lost: model.Cause | None  # why the capture may lack steps
    ended: bool  # the connection is over
    evicted: bool  # it had to make room
    written: bool = False  # its report is only written: verdicts are wanted as text

    def told(self, judged: Judged) -> model.Verdict:
        """A verdict as it is wanted: if as text, a `msgspec.Raw` that stands for it."""
        return cast("model.Verdict", judged.text) if self.written else judged.verdict


class Symbols:
    """`automaton.symbol_of`, remembered by what the pages ask of an event. `attributes`: those that events have."""

    def __init__(self, automaton: Automaton, attributes: Iterable[str]):
        self._automaton = automaton
        asked = {test.name for test in automaton.tests}
        self._asked = attrgetter("side", "step", *(name for name in attributes if name in asked))
        self._known: Memo[tuple[object, ...], int] = Memo(MOST_KINDS_REMEMBERED)

    def of(self, event: Event, name: str = "", value: object = None) -> int:
        """The symbol of an event. `name`, `value`: an attribute that it does not have by itself."""
        key = (name, value, *self._asked(event))
        symbol = self._known.get(key)
        if symbol is None:
            symbol = self._automaton.symbol_of(event, {name: value} if name else NO_MORE)
            self._known.remember(key, symbol)
        return symbol


class Scope:
    """The automaton of one scope, and what has been worked out of it so far."""

    def __init__(self, automaton: Automaton):
        self.automaton = automaton
        self.explainer = Explainer(automaton)
        self._completed: Memo[_Ended, tuple[Match, ...]] = Memo(MOST_EVENTS_REMEMBERED)
        self._matched: Memo[_Ended, dict[str, Any]] = Memo(MOST_EVENTS_REMEMBERED)
        self._likeliest: Memo[_Ended, dict[str, Any]] = Memo(MOST_EVENTS_REMEMBERED)

    def completed(self, state: int, symbols: Sequence[int]) -> tuple[Match, ...]:
        """The pages complete in a state, best first; `symbols` led there."""
        return self._remembered(self._completed, state, symbols, self.automaton.completed)

    def matched(self, state: int, symbols: Sequence[int]) -> dict[str, Any]:
        """The fields of a verdict that follow from a state in which a page is complete, and, where states do not say
        all, from the events that led there."""
        found = self._remembered(self._matched, state, symbols, self._find_matched)
        return found | {"branches": list(found["branches"]), "differs": list(found["differs"])}

    def likeliest(self, state: int, symbols: Sequence[int]) -> dict[str, Any]:
        """The same for a state in which a page is alive: of the one that is complete or most likely to be next."""
        found = self._remembered(self._likeliest, state, symbols, self._find_likeliest)
        return found | {"branches": list(found["branches"])}

    def _find_matched(self, state: int, symbols: Sequence[int]) -> dict[str, Any]:
        match = self.completed(state, symbols)[0]
        return _of_page(match) | {"outcome": match.outcome, "differs": match.differs}

    def _find_likeliest(self, state: int, symbols: Sequence[int]) -> dict[str, Any]:
        completed = self.completed(state, symbols)
        return _of_page(completed[0] if completed else self.automaton.living(state, symbols)[0])

    def _remembered(
        self, known: Memo[_Ended, _T], state: int, symbols: Sequence[int], find: Callable[[int, Sequence[int]], _T]
    ) -> _T:
        key = state, () if self.automaton.traced else tuple(symbols)
        found = known.get(key)
        if found is None:
            found = find(state, symbols)
            known.remember(key, found, size=1 + len(key[1]))
        return found


def _of_page(found: Match | Living) -> dict[str, Any]:
    return {
        "flow": found.page.id,
        "drawn_in_article": found.page.drawn_in_article,
        "standard": found.page.standard,
        "branches": found.branches,
    }


@dataclasses.dataclass(slots=True)
class Ran:
    """How far the events of one connection got in a scope."""

    steps: list[model.Step]
    symbols: list[int]  # of the steps
    best: int  # the last state in which a page was complete that does not end by silence; DEAD: none
    state: int  # the last state in which a page was alive
    over: bool = False  # an event that no page could consume ended the run
    diverged_at: int | None = None  # index of the first step that no page allows
    retransmitted: int = 0


def label(
    scope: Scope, ran: Ran, *, lost: model.Cause | None, ended: bool, evicted: bool, quiet: bool
) -> dict[str, Any]:
    """A verdict's fields.

    `lost`: why the capture may lack steps of this scope, or None; `ended`: the connection is over, `evicted`: it had to
    make room; `quiet`: nothing happened for long enough after the last step.
    """
    steps = ran.steps
    fields: dict[str, Any] = {"begun_by": steps[0].side, "retransmitted": ran.retransmitted, "steps": steps}
    if ran.best != DEAD and (ran.best == ran.state or ran.over):
        while steps[-1].retransmission:  # sent again after the flow was complete: counted, not part of it
            steps.pop()
        return fields | scope.matched(ran.best, ran.symbols)
    if ran.diverged_at is not None:
        return fields | (_unseen(lost) if lost else _diverged(scope, ran, ran.diverged_at))
    completed = scope.completed(ran.state, ran.symbols)
    if lost and (completed or ended):
        return fields | _unseen(lost)
    if evicted:
        return fields | _unseen("evicted")
    if completed and quiet:
        return fields | scope.matched(ran.state, ran.symbols)
    cause = "connection-ended" if ended else "open-at-end"
    return fields | scope.likeliest(ran.state, ran.symbols) | {"outcome": "incomplete", "cause": cause}


def _unseen(cause: model.Cause) -> dict[str, Any]:
    return {"flow": None, "outcome": "unseen", "cause": cause}


def _diverged(scope: Scope, ran: Ran, at: int) -> dict[str, Any]:
    saw = ran.steps[at]
    seen = [Seen(symbol, step.packet) for symbol, step in zip(ran.symbols, ran.steps, strict=True)]
    explanation = scope.explainer.nearest(seen, at)
    divergence = model.Divergence(
        packet=saw.packet,
        side=saw.side,
        saw=saw.step,
        expected=scope.automaton.expected(ran.state),
        nearest=explanation.page.id if explanation else None,
        edits=list(explanation.edits) if explanation else [],
    )
    return {"flow": None, "outcome": "diverged", "divergence": divergence}


class Faulty(Protocol):
    """A dissector's faults: those listed, and how many more there were."""

    @property
    def faults(self) -> list[model.Fault]: ...
    @property
    def faults_beyond(self) -> int: ...


def faults_of(found: Faulty) -> list[model.Fault]:
    """What was wrong, and how much of it is not listed."""
    faults = list(found.faults)
    if found.faults_beyond:
        last = faults[-1]
        faults.append(model.Fault(last.packet, last.layer, f"{found.faults_beyond} further faults are not listed"))
    return faults
