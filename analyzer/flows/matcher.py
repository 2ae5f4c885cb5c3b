"""All pages of a scope as one automaton, built lazily while traffic is seen.

A symbol is one event as an integer: side, step and which of the scope's attribute tests are true. A state says for
each page, and for a page with `either_side` once per orientation, what is left to do: a set of alternatives, because a
step may fit several places of a diagram. States are numbered when they are first reached and compared by content, so
the automaton grows only as far as the traffic goes. The compiled packet stage walks it as a table; scopes that are run
from Python alone need none, and so may have more symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import numpy as np

from analyzer.errors import FlowPageError
from analyzer.flows.expression import EITHER, RETRANSMISSION, AttributeTest, Expression, Step, linear
from analyzer.flows.flow import Alternative, Flow, Living, Match
from analyzer.flows.library import Page
from analyzer.flows.shading import ENCRYPTED, meant

if TYPE_CHECKING:
    import numpy.typing as npt

    from analyzer.model import Side

DEAD: Final = 0  # no page can consume what came
START: Final = 1
UNKNOWN: Final = -1  # table cell not built yet

SIDE_NAMES: Final = ("client", "server")
# Every further test doubles the width of the table, and without one the symbols that have to be explored.
MAX_TESTS: Final = 10
MAX_TESTS_WITHOUT_TABLE: Final = 32
MAX_STATES: Final = 4096
MAX_TABLE_CELLS: Final = 1 << 24  # 64 MiB of int32

_FIRST_CAPACITY: Final = 64
MAX_VALUES: Final = 4096  # of one field, whose tests' results are remembered
LONGEST_VALUE: Final = 256  # characters of such a value
NO_MORE: Final[Mapping[str, object]] = MappingProxyType({})


# A field, the tests of it with the bit of each, and the bits of values that were met before.
_Tested = tuple[str, tuple[tuple[AttributeTest, int], ...], dict[tuple[object, type], int]]


class Event(Protocol):
    """What an automaton needs of an event; attribute tests look up further fields by their names."""

    @property
    def side(self) -> Side: ...
    @property
    def step(self) -> str: ...


class Automaton:
    """All pages of one scope at once. See the module's text; `docs/flows.md` has the rules by number.

    `tabled`: keep `table`, (states, width) of int32, where the moves can be looked up without this class. `traced`: the
    states say which blocks of a page were taken; else `completed` and `living` need the events for that. `alphabet`:
    further names that must be consumed, besides those of the built-in ones among `pages`. `own_first`: of several
    complete pages a user's own comes before the built-in ones.
    """

    def __init__(
        self,
        scope: str,
        pages: Iterable[Page],
        steps: tuple[str, ...],
        *,
        tabled: bool = True,
        traced: bool = True,
        alphabet: frozenset[str] = frozenset(),
        own_first: bool = False,
    ):
        self.scope = scope
        self.traced = traced
        self._own_first = own_first
        self.steps = steps
        self.flows: list[tuple[Flow, bool]] = []  # with swapped
        pages = tuple(pages)
        whole = [page.expression for page in pages if page.builtin and not page.begins_like_others]
        for page in pages:
            flow = Flow(page, meant(page.expression, whole, shaded=ENCRYPTED in steps), traced)
            self.flows += [(flow, False), (flow, True)] if page.either_side else [(flow, False)]
        built_in = (flow.names for flow, _ in self.flows if flow.page.builtin)
        self.alphabet = alphabet.union(*built_in)
        self.names = self.alphabet.union(*(flow.names for flow, _ in self.flows))  # events that concern any page
        self.tests = self._collect_tests(MAX_TESTS if tabled else MAX_TESTS_WITHOUT_TABLE)
        self.width = len(steps) * 2 << len(self.tests) if tabled else 0
        self.max_states = min(MAX_STATES, MAX_TABLE_CELLS // self.width) if tabled else MAX_STATES
        self._codes = {name: code for code, name in enumerate(steps)}
        self._bits = {test: 1 << bit for bit, test in enumerate(self.tests)}
        self._tests_of = {step: self._tests_with(step) for step in steps}
        self._states: list[tuple[int, ...]] = []
        self._ids: dict[tuple[int, ...], int] = {}
        self._completed: dict[int, tuple[Match, ...]] = {}
        self._moves: dict[tuple[int, int], int] = {}
        self._fitting: dict[tuple[int, bool, int], frozenset[Step] | None] = {}
        self.table: npt.NDArray[np.int32] = np.full((_FIRST_CAPACITY, self.width), UNKNOWN, np.int32)
        self.complete: npt.NDArray[np.int8] = np.zeros(_FIRST_CAPACITY, np.int8)
        self._intern((0,) * len(self.flows))
        self._ids.clear()  # without pages the two are the same tuple, and nothing ever leaves START
        self._intern((1,) * len(self.flows))
        self._ids.setdefault((0,) * len(self.flows), DEAD)
        self.table[DEAD] = DEAD

    def _collect_tests(self, most: int) -> tuple[AttributeTest, ...]:
        tests = {RETRANSMISSION: None}
        for flow, _ in self.flows:
            tests |= dict.fromkeys(test for atom in flow.atoms for test in atom.tests)
            if len(tests) > most:
                reason = f"scope {self.scope} would use more than {most} different attribute tests: use fewer"
                raise FlowPageError(flow.page.path, 1, reason)
        return tuple(tests)

    def _tests_with(self, step: str) -> list[_Tested]:
        """What pages ask of the events of this name, by field."""
        asked: dict[str, dict[AttributeTest, int]] = {}
        atoms = [atom for flow, _ in self.flows for atom in flow.atoms if atom.name == step]
        for test in [RETRANSMISSION, *(test for atom in atoms for test in atom.tests)]:
            asked.setdefault(test.name, {})[test] = self._bits[test]
        return [(name, tuple(tests.items()), {}) for name, tests in asked.items()]

    # Symbols

    def symbol(self, side: int, step: int, truths: int = 0) -> int:
        """The integer of an event. side: 0 client, 1 server; step: index into `steps`; truths: bit i is tests[i]."""
        return (step * 2 + side) << len(self.tests) | truths

    def symbol_of(self, event: Event, more: Mapping[str, object] = NO_MORE) -> int:
        """The integer of an event; fields are looked up by the names in the tests, in `more` first; absent ones pass
        none."""
        step = event.step
        truths = 0
        for name, tests, known in self._tests_of[step]:
            value = more[name] if name in more else getattr(event, name, None)
            if value is None:
                continue  # passes no test
            bits = known.get((value, type(value)))
            if bits is None:
                bits = sum(bit for test, bit in tests if test.holds(value))
                if len(known) < MAX_VALUES and (not isinstance(value, str) or len(value) <= LONGEST_VALUE):
                    known[value, type(value)] = bits
            truths |= bits
        return self.symbol(SIDE_NAMES.index(event.side), self._codes[step], truths)

    def split(self, symbol: int) -> tuple[int, str, int]:
        """Side, step name and truths of a symbol."""
        step, side = divmod(symbol >> len(self.tests), 2)
        return side, self.steps[step], symbol & (1 << len(self.tests)) - 1

    def fitting(self, flow: Flow, swapped: bool, symbol: int) -> frozenset[Step] | None:
        """The steps of a page that fit the event; None if the event is not offered to the page."""
        key = id(flow), swapped, symbol
        if key not in self._fitting:
            self._fitting[key] = self._find_fitting(flow, swapped, symbol)
        return self._fitting[key]

    def _find_fitting(self, flow: Flow, swapped: bool, symbol: int) -> frozenset[Step] | None:
        side, name, truths = self.split(symbol)
        side ^= swapped
        retransmitted = bool(truths & 1)
        if not flow.offers(side, name, retransmitted, self.alphabet):
            return None
        return frozenset(
            atom
            for atom in flow.atoms
            if atom.name == name
            and atom.side in (side, EITHER)
            and all(truths & self._bits[test] for test in atom.tests)
            and (RETRANSMISSION in atom.tests or not retransmitted)
        )

    # States

    def advance(self, state: int, symbol: int) -> int:
        """The next state; DEAD if no page can consume the event."""
        following = self._moves.get((state, symbol))
        return self.grow(state, symbol) if following is None else following

    def grow(self, state: int, symbol: int) -> int:
        """Finds out the next state, and fills table[state, symbol] with it. May replace `table` and `complete` by
        larger arrays."""
        before = self._states[state]
        after = []
        for (flow, swapped), local in zip(self.flows, before, strict=True):
            fitting = self.fitting(flow, swapped, symbol) if local else None
            after.append(local if fitting is None else flow.advance(local, fitting))
        following = self._intern(tuple(after))
        self._moves[state, symbol] = following
        if self.width:
            self.table[state, symbol] = following
        return following

    def _intern(self, locals_: tuple[int, ...]) -> int:
        found = self._ids.get(locals_)
        if found is not None:
            return found
        number = len(self._states)
        if number >= self.max_states:
            # Not reachable with the built-in pages: a test explores them to the end. The library does so with a
            # user's pages when it loads them, so this is said before the first packet.
            widest = max((flow for flow, _ in self.flows), key=lambda flow: (not flow.page.builtin, len(flow.states)))
            reason = f"scope {self.scope} needs more than {self.max_states} states: use shorter `par` branches, "
            reason += "and fewer titled branches in loops"
            raise FlowPageError(widest.page.path, 1, reason)
        self._ids[locals_] = number
        self._states.append(locals_)
        if number == len(self.complete):
            self.table = np.concatenate([self.table, np.full_like(self.table, UNKNOWN)])
            self.complete = np.concatenate([self.complete, np.zeros_like(self.complete)])
        self.complete[number] = any(
            flow.complete(local) and not flow.page.ends_by_silence
            for (flow, _), local in zip(self.flows, locals_, strict=True)
        )
        return number

    @property
    def states(self) -> int:
        """How many states there are so far."""
        return len(self._states)

    # Verdicts

    def completed(self, state: int, events: Iterable[int] = ()) -> tuple[Match, ...]:
        """The pages complete in this state, best first (rule 8), those that end by silence after all others.

        `events`: the symbols that led there. Where states are not traced, the blocks taken follow from them.
        """
        if self.traced and state in self._completed:
            return self._completed[state]
        best: dict[str, Match] = {}
        for flow, swapped, alternatives in self._alternatives(state, events, complete=True):
            match = flow.match(alternatives, swapped)
            if match and (match.page.id not in best or _match_order(match) < _match_order(best[match.page.id])):
                best[match.page.id] = match
        found = tuple(sorted(best.values(), key=_match_order))
        if self._own_first:
            found = tuple(sorted(found, key=lambda match: match.page.builtin))
        if self.traced:
            self._completed[state] = found
        return found

    def living(self, state: int, events: Iterable[int] = ()) -> tuple[Living, ...]:
        """The pages alive, best first: not only by an abort, fewest further steps, then the order of the pages.
        `events` as for `completed`."""
        ways = self._alternatives(state, events)
        alive = [one for flow, swapped, alternatives in ways if (one := flow.living(alternatives, swapped))]
        return tuple(sorted(alive, key=lambda one: (one.by_abort, one.further, one.page.rank, one.swapped)))

    def _alternatives(
        self, state: int, events: Iterable[int], *, complete: bool = False
    ) -> Iterator[tuple[Flow, bool, tuple[Alternative, ...]]]:
        """The ways to read each page in this state, of all pages or of those that are complete."""
        events = tuple(events)
        for (flow, swapped), local in zip(self.flows, self._states[state], strict=True):
            if complete and not flow.complete(local):
                continue
            if self.traced or not events:
                yield flow, swapped, flow.states[local]
            elif local:
                yield flow, swapped, flow.retrace(self.fitting(flow, swapped, symbol) for symbol in events)

    def only_aborts(self, state: int) -> bool:
        """Whether the pages still alive can only end by an abort, which is never what was about to happen."""
        flows = zip(self.flows, self._states[state], strict=True)
        return all(flow.by_abort for (flow, _), local in flows if flow.states[local])

    def expected(self, state: int) -> list[str]:
        """What could come next, as "server FIN", sorted. Never expected are retransmissions, records that cannot be
        read where their steps have names, and what cuts any flow short."""
        names = {
            f"{SIDE_NAMES[atom.side ^ swapped]} {atom.name}" if atom.side != EITHER else atom.name
            for flow, swapped, rest in self.remaining(state)
            if not flow.page.begins_like_others
            for atom, _, _ in linear(rest)
            if RETRANSMISSION not in atom.tests and atom.name != ENCRYPTED
        }
        return sorted(names)

    def remaining(self, state: int) -> Iterator[tuple[Flow, bool, Expression]]:
        """What each living page still has to do, every alternative."""
        for (flow, swapped), local in zip(self.flows, self._states[state], strict=True):
            for rest in dict.fromkeys(alternative.rest for alternative in flow.states[local]):
                yield flow, swapped, rest

    # For people

    def text_of(self, symbols: Iterable[int]) -> str:
        """Symbols for people: "client SYN [payload=0], server SYN-ACK"."""
        texts = []
        for symbol in symbols:
            side, name, truths = self.split(symbol)
            true = " ".join(str(test) for test, bit in self._bits.items() if truths & bit)
            texts.append(f"{SIDE_NAMES[side]} {name}" + (f" [{true}]" if true else ""))
        return ", ".join(texts)


def _match_order(match: Match) -> tuple[object, ...]:
    return match.by_silence, -match.tests, match.blocks, match.page.rank, match.swapped


class Run(msgspec.Struct, eq=False):
    """One run of a scope (rule 6): takes events while some page can consume them, and remembers the longest match."""

    automaton: Automaton
    state: int = START
    best: int | None = None  # the last state in which a page was complete, silence apart
    best_length: int = 0  # how many events had been taken then
    length: int = 0  # events taken
    ended: bool = False
    diverged_at: int | None = None  # index of the event that ended the run, if no page had been complete

    def offer(self, symbol: int) -> bool:
        """Takes an event if it belongs to this run. One that does not ends the run and leaves `state` as it was."""
        if self.ended:
            return False
        following = self.automaton.advance(self.state, symbol)
        if following == DEAD:
            self.ended = True
            self.diverged_at = self.length if self.best is None else None
            return False
        self.state = following
        self.length += 1
        if self.automaton.complete[following]:
            self.best, self.best_length = following, self.length
        return True
