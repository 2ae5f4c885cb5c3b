"""The steps of a verdict beside the page they are held against: which were matched, which are missing, which are too
many. What a ladder draws, on a terminal or in HTML.

The verdict is the labeler's; nothing is judged here. Steps in a verdict are folded and have lost the fields that
attribute tests look at, so the way through the page is retraced by sides and names alone: it says where in the drawing
a step stands, never whether it was right to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from analyzer import model
from analyzer.flows.explain import AFTER
from analyzer.flows.expression import (
    EITHER,
    RETRANSMISSION,
    Branch,
    Expression,
    Loop,
    Option,
    Places,
    Step,
    fewest_steps,
    linear,
    walk,
)
from analyzer.flows.flow import ABORTS, VARIANT, Flow
from analyzer.flows.library import Library
from analyzer.flows.matcher import SIDE_NAMES

Mark = Literal[
    "matched",  # as the page draws it
    "again",  # a retransmission that the page does not draw: it changes nothing
    "unexpected",  # not in the flow
    "missing",  # drawn, and not seen: the flow went on or ended without it
    "to-come",  # drawn, and the capture ended before it
    "not-compared",  # there is no flow to hold it against, or it comes long after the divergence
]

_EDIT = re.compile(
    r"(?P<step>.+?) (?:(?P<how>missing)(?: (?P<where>after|before) packet (?P<near>\d+))?"
    r"|at packet (?P<packet>\d+) is not in this flow)"
)
_WAYS: Final = 32  # through a page, followed at once
_ROUNDS: Final = 3  # of a folded step: with more of them nothing new is left to do
_TO_COME: Final = 24  # steps drawn beyond the last one seen
_REMEMBERED: Final = 4096


class Rung(msgspec.Struct, frozen=True, gc=False):
    """A line of a ladder. `step`: the place of the step among the verdict's; None for one that was not seen."""

    mark: Mark
    side: model.Side | None  # who sends it; None: nobody, it is a verdict on a part
    name: str
    step: int | None = None
    drawn: str | None = None  # as the page has it, with its tests; None: there is no page, or it is not found there
    block: str | None = None  # the titles of the blocks around it, outermost first


class _Planned(NamedTuple):
    """A step to find in the page, in turn. `times`: how often it was seen; 0: it is missing."""

    side: int
    name: str
    mark: Mark
    step: int | None
    times: int
    again: bool = False  # a retransmission


class _Way(NamedTuple):
    """One way through the page: what is left of it, and where each planned step stands."""

    rest: Expression
    found: tuple[tuple[Step, Places] | None, ...]


class Aligner:
    """Aligns verdicts with the pages of a library. Keeps its answers: connections repeat the same conversation."""

    def __init__(self, library: Library):
        self._library = library
        self._memo: dict[tuple[object, ...], list[Rung]] = {}
        self._titles: dict[str, dict[int, str]] = {}

    def align(self, verdict: model.Verdict) -> list[Rung]:
        """The rungs of a verdict's ladder, in order. Shared: not to be changed."""
        divergence = verdict.divergence
        page = divergence.nearest if divergence else verdict.flow
        key = (
            page,
            verdict.outcome,
            verdict.cause,
            tuple((step.side, step.step, min(step.times, _ROUNDS), step.retransmission) for step in verdict.steps),
            (_diverged_at(verdict), *_places(verdict)) if divergence else (),
        )
        rungs = self._memo.get(key)
        if rungs is None:
            if len(self._memo) >= _REMEMBERED:
                self._memo.clear()
            rungs = self._memo[key] = self._align(verdict, page)
        return rungs

    def _align(self, verdict: model.Verdict, page: str | None) -> list[Rung]:
        planned = list(_plan(verdict))
        best: tuple[int, list[Rung]] | None = None
        for flow, swapped in self._flows(page):
            score, rungs = self._along(flow, swapped, planned, verdict)
            if best is None or score > best[0]:
                best = score, rungs
        return best[1] if best else [_unplaced(one) for one in planned]

    def _flows(self, page: str | None) -> list[tuple[Flow, bool]]:
        scope = page.partition("/")[0] if page else ""
        if scope not in self._library.scopes:
            return []
        return [(flow, swapped) for flow, swapped in self._library.automaton(scope).flows if flow.page.id == page]

    def _along(
        self, flow: Flow, swapped: bool, planned: Sequence[_Planned], verdict: model.Verdict
    ) -> tuple[int, list[Rung]]:
        """The rungs along one page, and how many steps were found in it."""
        ways = [_Way(flow.expression, ())]
        for place, one in enumerate(planned):
            ahead = planned[place + 1] if place + 1 < len(planned) else None
            ways = _advance(ways, one, swapped, paired=ahead is not None and ahead.times > 1 and one.times > 1)
        # What the labeler calls complete ends here; of one that is not, the shortest way on is what it lacks.
        way = min(ways, key=lambda way: (sum(one is None for one in way.found), fewest_steps(way.rest)))
        rungs = [
            _beside(one) if found is None else self._rung(flow, one, *found)
            for one, found in zip(planned, way.found, strict=True)
        ]
        if verdict.outcome == "incomplete":
            mark: Mark = "missing" if verdict.cause == "connection-ended" else "to-come"
            for atom, places in _shortest(way.rest, flow):
                side = None if atom.side == EITHER else SIDE_NAMES[atom.side ^ swapped]
                rungs.append(Rung(mark, side, atom.name, None, _drawn(atom), self._block(flow, places)))  # type: ignore[arg-type]
        return sum(one is not None for one in way.found), rungs

    def _rung(self, flow: Flow, one: _Planned, atom: Step, places: Places) -> Rung:
        plain = _unplaced(one)
        return Rung(plain.mark, plain.side, plain.name, plain.step, _drawn(atom), self._block(flow, places))

    def _block(self, flow: Flow, places: Places) -> str | None:
        titles = self._titles.get(flow.page.id)
        if titles is None:
            nodes = (node for node in walk(flow.expression) if isinstance(node, Option | Loop | Branch))
            titles = {node.place: node.title.removeprefix(VARIANT).strip() for node in nodes if node.place > 0}
            self._titles[flow.page.id] = titles
        around = [title for place in sorted(places) if (title := titles.get(place))]
        return " · ".join(dict.fromkeys(around)) or None


def _unplaced(one: _Planned) -> Rung:
    side = None if one.side == EITHER else SIDE_NAMES[one.side]
    return Rung(one.mark, side, one.name, one.step)  # type: ignore[arg-type]


def _beside(one: _Planned) -> Rung:
    """Of a step that the page has no place for."""
    return _unplaced(one._replace(mark="again") if one.again and one.mark == "matched" else one)


def _plan(verdict: model.Verdict) -> Iterator[_Planned]:
    """The steps of the verdict, and between them those that its edits call missing."""
    edits = dict[int, list[tuple[str, str]]]()  # place of a step → what is missing before it, what it is
    unexpected = set[int]()
    mark: Mark = "matched" if verdict.flow or verdict.divergence else "not-compared"
    last = len(verdict.steps)
    if verdict.divergence:
        for place, lacking in _places(verdict):
            if lacking is None:
                unexpected.add(place)
            else:
                edits.setdefault(place, []).append(lacking)
        diverged = _diverged_at(verdict)
        last = diverged + AFTER
        if verdict.divergence.nearest is None:
            mark, last = "not-compared", len(verdict.steps)
            unexpected.add(diverged)
    for at, step in enumerate(verdict.steps):
        for side, name in edits.pop(at, ()):
            yield _missing(side, name)
        shown: Mark = "unexpected" if at in unexpected else mark if at < last else "not-compared"
        number = SIDE_NAMES.index(step.side)
        yield _Planned(number, step.step, shown, at, step.times, step.retransmission)
    for _, missing in sorted(edits.items()):
        for side, name in missing:
            yield _missing(side, name)


def _missing(side: str, name: str) -> _Planned:
    return _Planned(SIDE_NAMES.index(side) if side else EITHER, name, "missing", None, 0)


def diverges(verdict: model.Verdict, step: model.Step) -> bool:
    """Whether the verdict says of this step that no flow allows it."""
    found = verdict.divergence
    return found is not None and (found.packet, found.side, found.saw) == (step.packet, step.side, step.step)


def _diverged_at(verdict: model.Verdict) -> int:
    return next((at for at, step in enumerate(verdict.steps) if diverges(verdict, step)), len(verdict.steps))


def _places(verdict: model.Verdict) -> Iterator[tuple[int, tuple[str, str] | None]]:
    """Where each edit of a divergence belongs: before the step at this place something is missing (side and name), or
    that step is too many (None)."""
    steps, taken = verdict.steps, set[int]()
    at = 0  # edits come in the order of the steps
    for edit in verdict.divergence.edits if verdict.divergence else ():
        match = _EDIT.fullmatch(edit)
        if match is None:
            continue
        side, _, name = match["step"].partition(" ")
        if side not in get_args(model.Side):
            side, name = "", match["step"]
        if match["how"]:
            if match["near"] and match["where"] == "after":
                near = int(match["near"])
                at = max(at, *(place + 1 for place, step in enumerate(steps) if step.packet <= near), 0)
            yield at, (side, name)
            continue
        for place, step in enumerate(steps):
            if place not in taken and (step.packet, step.side, step.step) == (int(match["packet"]), side, name):
                taken.add(place)
                yield place, None
                break


def _advance(ways: list[_Way], one: _Planned, swapped: bool, *, paired: bool) -> list[_Way]:
    """The ways after one step. Where none has it, the step stands beside the page and all go on without it."""
    if one.mark in ("unexpected", "not-compared"):
        return [_Way(rest, (*found, None)) for rest, found in ways]
    following: dict[Expression, _Way] = {}
    fresh = ways
    for round_ in range(1 if paired else min(max(one.times, 1), _ROUNDS)):
        nexts: list[_Way] = []
        for rest, found in fresh:
            for atom, after, places in linear(rest):
                if _fits(atom, one, swapped) and after not in following:
                    way = _Way(after, (*found, (atom, places)) if not round_ else found)
                    following[after] = way
                    nexts.append(way)
                    if len(following) >= _WAYS:
                        return list(following.values())
        fresh = nexts
    return list(following.values()) or [_Way(rest, (*found, None)) for rest, found in ways]


def _fits(atom: Step, one: _Planned, swapped: bool) -> bool:
    side = atom.side if atom.side == EITHER else atom.side ^ swapped
    return atom.name == one.name and side in (one.side, EITHER) and (RETRANSMISSION in atom.tests) == one.again


def _shortest(rest: Expression, flow: Flow) -> Iterator[tuple[Step, Places]]:
    """The fewest steps after which nothing is left to do, as the page has them; no abort where there is another way."""
    for _ in range(_TO_COME):
        left = fewest_steps(rest)
        if not left:
            return
        ways = [one for one in linear(rest) if fewest_steps(one[1]) < left]
        if not ways:
            return
        atom, rest, places = min(ways, key=lambda one: one[0].name in ABORTS and not flow.by_abort)
        yield atom, places


def _drawn(atom: Step) -> str:
    tests = " ".join(map(str, atom.tests))
    return f"{atom.name} [{tests}]" if tests and atom.place > 0 else atom.name
