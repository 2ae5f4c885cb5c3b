"""Why a run follows no flow: the nearest page, and the fewest edits that would make the events follow it.

An edit takes one event away (it "is not in this flow") or adds one (it is "missing"). The fewest edits are a shortest
path: a place is (events read, what the page still has to do); reading an event the page allows costs nothing, every
edit costs one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final, NamedTuple

from analyzer.flows.expression import EITHER, RETRANSMISSION, Expression
from analyzer.flows.flow import ABORTS, Flow
from analyzer.flows.following import Remainders
from analyzer.flows.library import Page
from analyzer.flows.matcher import DEAD, SIDE_NAMES, START, Automaton

# Events compared before and after the divergence. Before it some page was still alive, so the cause is rarely far back.
BEFORE: Final = 48
AFTER: Final = 16

# Places looked at per page. A page that is near at all is found much earlier; one that is not is not worth naming.
MOST_PLACES: Final = 1000

_MEMO_LIMIT: Final = 4096


class Seen(NamedTuple):
    """One event of a run, matched or not."""

    symbol: int
    packet: int


class Edit(NamedTuple):
    """`at`: index of the event that is too many, or of the event before which a step is missing."""

    kind: str  # "missing" or "unexpected"
    at: int
    step: str  # "server FIN"


class Explanation(NamedTuple):
    """The nearest page."""

    page: Page
    swapped: bool
    edits: list[str]  # as in the report: "server FIN missing after packet 8"


_Found = tuple[int, tuple[Edit, ...]]  # index into automaton.flows
_Node = tuple[int, int]  # events read, number of what the page still has to do


class Explainer:
    """Explains the diverged runs of one scope. Keeps its answers: captures repeat the same divergence many times."""

    def __init__(self, automaton: Automaton):
        self.automaton = automaton
        self._memo: dict[tuple[int, tuple[int, ...], bool], _Found | None] = {}
        self._remainders = Remainders()

    def nearest(self, seen: Sequence[Seen], diverged_at: int | None = None) -> Explanation | None:
        """The page that the fewest edits lead to; of several the one that does not end by silence, then by rank.

        `diverged_at` is the index of the first event that no page allows, found here if not given. Of a long run only
        the events around it are compared: those before the window as the automaton read them, and if events after it
        are left out, the page need not be complete at its end. None if the scope has no pages or none is near.
        """
        state, states = START, [START]
        for at, (symbol, _) in enumerate(seen[:diverged_at]):
            state = self.automaton.advance(state, symbol)
            if state == DEAD:
                diverged_at = at
                break
            states.append(state)
        end_of_life = len(states) - 1
        begin = max(0, end_of_life - BEFORE)
        window = tuple(symbol for symbol, _ in seen[begin : end_of_life + AFTER])
        cut = begin + len(window) < len(seen)
        key = states[begin], window, cut
        if key not in self._memo:
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[key] = self._nearest(*key)
        found = self._memo[key]
        if found is None:
            return None
        flow, swapped = self.automaton.flows[found[0]]
        return Explanation(flow.page, swapped, [self._text(edit, begin, seen) for edit in found[1]])

    def _nearest(self, state: int, window: tuple[int, ...], cut: bool) -> _Found | None:
        starts: dict[int, list[Expression]] = {}
        indices = {(id(flow), swapped): index for index, (flow, swapped) in enumerate(self.automaton.flows)}
        for flow, swapped, rest in self.automaton.remaining(state):
            starts.setdefault(indices[id(flow), swapped], []).append(rest)
        best: _Found | None = None
        for index in sorted(starts, key=self._rank):
            limit = None if best is None else len(best[1])
            edits = self._fewest_edits(index, starts[index], window, cut, limit)
            if edits is not None:
                best = index, edits
        return best

    def _rank(self, index: int) -> tuple[object, ...]:
        flow, swapped = self.automaton.flows[index]
        return flow.page.ends_by_silence, flow.page.rank, swapped

    def _fewest_edits(
        self, index: int, starts: list[Expression], window: tuple[int, ...], cut: bool, limit: int | None
    ) -> tuple[Edit, ...] | None:
        """The fewest edits to one page, if they are fewer than `limit`. Dijkstra; of equally short paths the one that
        was found first, and reading an event is tried before any edit."""
        flow, swapped = self.automaton.flows[index]
        order = count()
        remainders = self._remainders
        begin = [remainders.number(rest) for rest in starts]
        cost: dict[_Node, int] = {(0, rest): 0 for rest in begin}
        came: dict[_Node, tuple[_Node, Edit | None]] = {}
        queue = [(0, next(order), (0, rest)) for rest in begin]
        for _ in range(MOST_PLACES):
            if not queue:
                break
            spent, _, node = heapq.heappop(queue)
            if limit is not None and spent >= limit:
                return None
            if spent > cost[node]:
                continue
            at, rest = node
            if at == len(window) and (cut or remainders.complete(rest)):
                return _edits_to(node, came)
            for edit, following in self._moves(flow, swapped, window, node):
                price = spent + (edit is not None)
                if price < cost.get(following, price + 1):
                    cost[following], came[following] = price, (node, edit)
                    heapq.heappush(queue, (price, next(order), following))
        return None

    def _moves(
        self, flow: Flow, swapped: bool, window: tuple[int, ...], node: _Node
    ) -> Iterator[tuple[Edit | None, _Node]]:
        at, rest = node
        if at < len(window):
            fitting = self.automaton.fitting(flow, swapped, window[at])
            if fitting is None:  # not offered to this page: read over it
                yield None, (at + 1, rest)
                return
            for atom, after in self._remainders.after(rest):
                if atom in fitting:
                    yield None, (at + 1, after)
            side, name, _ = self.automaton.split(window[at])
            yield Edit("unexpected", at, f"{SIDE_NAMES[side]} {name}"), (at + 1, rest)
        for atom, after in self._remainders.after(rest):
            if RETRANSMISSION not in atom.tests and atom.name not in ABORTS:  # nobody misses these
                step = atom.name if atom.side == EITHER else f"{SIDE_NAMES[atom.side ^ swapped]} {atom.name}"
                yield Edit("missing", at, step), (at, after)

    @staticmethod
    def _text(edit: Edit, begin: int, seen: Sequence[Seen]) -> str:
        at = begin + edit.at
        if edit.kind == "unexpected":
            return f"{edit.step} at packet {seen[at].packet} is not in this flow"
        if at:
            return f"{edit.step} missing after packet {seen[at - 1].packet}"
        return f"{edit.step} missing before packet {seen[0].packet}" if seen else f"{edit.step} missing"


def _edits_to(node: _Node, came: dict[_Node, tuple[_Node, Edit | None]]) -> tuple[Edit, ...]:
    edits: list[Edit] = []
    while node in came:
        node, edit = came[node]
        if edit is not None:
            edits.append(edit)
    return tuple(reversed(edits))
