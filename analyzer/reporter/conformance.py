"""Captures held against a user's own pages: which connections follow which page, and where the others depart from it.

A connection that pages of a scope are about must follow one of them, and every one that is `required`. So must all the
connections between a client and a server together, where pages are about conversations. What cannot be told is no
success: a check that does not see is none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from analyzer import model
from analyzer.errors import FlowPageError, UsageError
from analyzer.flows.diagram import lines_of
from analyzer.flows.following import Followed, Follower, same_step
from analyzer.flows.library import SCOPES, Page
from analyzer.flows.whole import CONVERSATION
from analyzer.reporter import words
from analyzer.reporter.departure import Departure, expected_text, seen_text, seen_without
from analyzer.reporter.expected_values import range_check
from analyzer.reporter.filters import Predicate, parse_filter
from analyzer.reporter.observed import Life, Observed

_FOLLOWED: Final = ("documented", "variant")
# Where these are the reason, even what seems to follow a page may not: the steps that are not seen are not counted.
_NEVER_CERTAIN: Final = ("mid-stream", "one-sided", "no-keys", "evicted")


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What is held against a page: a connection, or all those of a client and a server that the page is about."""

    connections: tuple[model.Connection, ...]
    conversation: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(one.id for one in self.connections)

    @property
    def name(self) -> str:
        first = self.connections[0]
        if self.conversation:
            return f"{first.client.address} → {first.server.address}"
        return f"{words.endpoint(first.client)} → {words.endpoint(first.server)}"


@dataclasses.dataclass
class Held:
    """A page, who follows it, and who should and does not."""

    page: Page
    followed: list[Subject] = dataclasses.field(default_factory=list)
    departed: list[tuple[Subject, Departure]] = dataclasses.field(default_factory=list)
    miscounted: str | None = None  # what `times` says, where another number follows

    @property
    def fails(self) -> bool:
        return bool(self.departed) or self.miscounted is not None


@dataclasses.dataclass(frozen=True)
class Rule:
    """A page, and which connections it is about."""

    page: Page
    where: Predicate | None
    times: Callable[[int], bool] | None

    def about(self, connection: model.Connection) -> bool:
        return self.where is None or self.where(connection)


def rules_of(pages: Iterable[Page]) -> list[Rule]:
    """Raises FlowPageError where `where` or `times` cannot be used."""
    return [_rule(page) for page in pages]


def _rule(page: Page) -> Rule:
    where, times = None, None
    if page.where is not None:
        try:
            where = parse_filter(page.where)
        except UsageError as error:
            raise FlowPageError(page.path, page.lines["where"], f"`where` cannot be used: {error}") from None
    if page.times is not None:
        times = range_check(page.times)
        if times is None and page.times.isdecimal():
            wanted = int(page.times)
            times = lambda count: count == wanted  # noqa: E731
        if times is None:
            reason = f"`times` is a number such as 1, >=1 or 1..3, not `{page.times}`"
            raise FlowPageError(page.path, page.lines["times"], reason)
    return Rule(page, where, times)


def uses_headers(pages: Iterable[Page]) -> bool:
    """Whether a page tests header fields."""
    from analyzer.flows.expression import steps_of

    steps = (step for page in pages for step in (*steps_of(page.expression), *page.ignores))
    return any(test.name.startswith("header.") for step in steps for test in step.tests)


# Pages of the scopes that have built-in ones: their verdicts.


def groups(rules: Sequence[Rule]) -> Iterator[tuple[Rule, ...]]:
    """The rules about scopes with verdicts, by what is run together: those of a scope that are alternatives for the
    same connections, and each required one alone."""
    together: dict[str | None, list[Rule]] = {}
    for rule in rules:
        if SCOPES[rule.page.scope].whole:
            continue
        if rule.page.required:
            yield (rule,)
        else:
            together.setdefault(rule.page.where, []).append(rule)
    yield from map(tuple, together.values())


def verdicts_of(connection: model.Connection, scope: str) -> list[model.Verdict]:
    """The verdicts of a scope, as far as the connection has any."""
    if scope == "tcp-open":
        return [connection.open]
    if scope == "tcp-close":
        return [] if connection.close.cause == "never-opened" else [connection.close]
    if scope == "tls":
        return [one for tls in words.secured(connection) for one in tls.handshakes]
    if scope == "lifecycle":
        return [connection.lifecycle] if connection.lifecycle else []
    spoken = words.spoken(connection)
    if scope == "http2-stream":
        return [one.verdict for http in spoken for one in http.exchanges if one.verdict is not None]
    return [http.connection for http in spoken if (http.version == "HTTP/2") == (scope == "http2")]


@dataclasses.dataclass
class _Tried:
    """How a subject did with the pages of one scope that are alternatives."""

    follows: list[Held] = dataclasses.field(default_factory=list)
    departs: list[tuple[int, Held, Departure]] = dataclasses.field(default_factory=list)  # how far it got first


class _Unfollowed(NamedTuple):
    """A verdict that is not one of the pages that it should be."""

    life: Life
    scope: str
    at: int  # which of the scope's verdicts of the connection
    verdict: model.Verdict
    pages: dict[str, Held]
    trial: _Tried


class Conformance:
    """Holds one capture against pages. `lives`: its connections, labelled with the built-in pages."""

    def __init__(self, rules: Sequence[Rule], lives: Iterable[Life]):
        self._rules = rules
        self._lives = sorted(lives, key=lambda life: life.connection.id)
        self._by_id = {life.connection.id: life for life in self._lives}
        self._held = {rule.page.id: Held(rule.page) for rule in rules}
        self._tried: dict[tuple[str, tuple[int, ...], int], tuple[Subject, _Tried]] = {}

    def judged(self, group: Sequence[Rule], connections: Iterable[model.Connection]) -> list[_Unfollowed]:
        """Takes in a run of the pipeline in which the pages of the group stand before the built-in ones of their
        scopes: theirs is the verdict if they are complete where the longest match ends. Returns who follows none."""
        found: list[_Unfollowed] = []
        for connection in sorted(connections, key=lambda one: one.id):
            life = self._by_id[connection.id]
            about = [rule for rule in group if rule.about(life.connection)]
            for scope in dict.fromkeys(rule.page.scope for rule in about):
                pages = {rule.page.id: self._held[rule.page.id] for rule in about if rule.page.scope == scope}
                for at, verdict in enumerate(verdicts_of(connection, scope)):
                    trial = self._trial(Subject((life.connection,)), next(iter(pages.values())).page, at)
                    if verdict.outcome in _FOLLOWED and verdict.flow in pages:
                        trial.follows.append(pages[verdict.flow])
                    else:
                        found.append(_Unfollowed(life, scope, at, verdict, pages, trial))
        return found

    def explained(self, unfollowed: Sequence[_Unfollowed], connections: Iterable[model.Connection]) -> None:
        """Takes in a run of the pipeline in which the pages of the group are alone in their scopes: it says why they
        are not followed."""
        by_id = {connection.id: connection for connection in connections}
        for one in unfollowed:
            verdicts = verdicts_of(by_id[one.life.connection.id], one.scope)
            verdict = verdicts[one.at] if one.at < len(verdicts) else one.verdict
            nearest = verdict.flow or (verdict.divergence.nearest if verdict.divergence else None)
            held = one.pages.get(nearest or "") or next(iter(one.pages.values()))
            wrong = verdict.divergence.packet if verdict.divergence else None
            got = sum(1 for step in verdict.steps if wrong is None or step.packet < wrong)
            if verdict.outcome in _FOLLOWED:
                departure = _goes_on(verdict, one.verdict, held.page, one.life)
            else:
                departure = _departure_of(verdict, held.page, one.life)
            one.trial.departs.append((got, held, departure))

    def _trial(self, subject: Subject, page: Page, at: int = 0) -> _Tried:
        """Pages that are alternatives for a subject share its trial."""
        key = page.id if page.required else page.scope, subject.ids, at
        return self._tried.setdefault(key, (subject, _Tried()))[1]

    # Pages about whole connections and conversations: their steps.

    def follow_whole(self) -> None:
        """Follows the pages that have no verdicts."""
        for rule in self._rules:
            if SCOPES[rule.page.scope].whole:
                follower = Follower(rule.page)
                for lives in self._subjects(rule):
                    self._hold(follower, lives)

    def _subjects(self, rule: Rule) -> Iterable[Sequence[Life]]:
        about = [life for life in self._lives if rule.about(life.connection)]
        if rule.page.scope != CONVERSATION:
            return [[life] for life in about]
        by_ends: dict[tuple[str, str], list[Life]] = {}
        for life in about:
            ends = life.connection.client.address, life.connection.server.address
            by_ends.setdefault(ends, []).append(life)
        return list(by_ends.values())

    def _hold(self, follower: Follower, lives: Sequence[Life]) -> None:
        page = follower.page
        steps = in_order(lives)
        hidden = [
            one.cause for life in lives for one in life.hidden if not one.names or one.names & follower.names
        ]  # fmt: skip
        found = follower.follow(steps)
        if not found.offered and not hidden and page.where is None:
            return  # it speaks of nothing that is there
        subject = Subject(tuple(life.connection for life in lives), page.scope == CONVERSATION)
        tried = self._trial(subject, page)
        departure = _departure(found, steps, hidden, lives)
        if departure is None:
            tried.follows.append(self._held[page.id])
        else:
            tried.departs.append((found.taken, self._held[page.id], departure))

    def results(self) -> list[Held]:
        """Every page with who follows it and who departs from it, in the order of the pages. Who follows none of
        several alternatives is told with the one it followed longest."""
        tried = sorted(self._tried.items(), key=lambda one: one[0][1:])
        for _, (subject, trial) in tried:
            if not trial.follows:
                _, held, departure = max(trial.departs, key=lambda one: one[0])
                if not held.departed or held.departed[-1][0].ids != subject.ids:  # of several streams the first
                    held.departed.append((subject, departure))
        known = {(held.page.id, one.ids) for held in self._held.values() for one, _ in held.departed}
        for _, (subject, trial) in tried:  # of several handshakes or streams all must follow
            for held in trial.follows:
                if (held.page.id, subject.ids) not in known:
                    known.add((held.page.id, subject.ids))
                    held.followed.append(subject)
        for rule in self._rules:
            held = self._held[rule.page.id]
            if rule.times is not None and not rule.times(len(held.followed)):
                held.miscounted = rule.page.times
        return list(self._held.values())


def in_order(lives: Sequence[Life]) -> list[Observed]:
    """The steps of connections in one order; each knows which connection it is of, counted from 1."""
    for number, life in enumerate(lives, 1):
        for step in life.steps:
            step.connection = number
    if len(lives) == 1:
        return lives[0].steps
    return sorted((step for life in lives for step in life.steps), key=lambda step: step.packet)


def _departure(
    found: Followed, steps: Sequence[Observed], hidden: Sequence[model.Cause], lives: Sequence[Life]
) -> Departure | None:
    """Why a page is not followed; None if it is."""
    cause: model.Cause | None = next((one for one in hidden if one in _NEVER_CERTAIN), None)
    if cause is None and not found.follows and hidden:
        cause = hidden[0]
    if found.follows and cause is None:
        return None
    page, last = found.page, None
    packet: int | None
    if found.taken:
        last = steps[found.offered[found.taken - 1]]
    lines = lines_of(page.mermaid, page.diagram_line)
    nearest = found.expected
    if found.diverged_at is not None:
        event = steps[found.diverged_at]
        nearest = tuple(one for one in found.expected if same_step(event, one, swapped=found.swapped)) or nearest
        cause = cause or _unknown(event, nearest, found.swapped)
        seen, connection = seen_text(event, nearest), event.of.id
        packet = event.packet
    else:
        ended = "the capture ended" if any(_open_at_end(life) for life in lives) else "it was over"
        seen = "nothing more: " + ended
        connection = last.of.id if last else lives[-1].connection.id
        packet = last.packet if last else None
    line = min((lines.get(step.place, page.diagram_line) for step in nearest), default=page.diagram_line)
    if not found.expected:
        line = max(lines.values(), default=page.diagram_line)
    outcome: model.Outcome = "unseen" if cause else "diverged" if found.diverged_at is not None else "incomplete"
    return Departure(
        outcome,
        cause,
        "to see it" if found.follows else expected_text(nearest, found.swapped, complete=found.complete),
        seen_without(cause, seen if not found.follows else None),
        line,
        connection,
        packet,
        None if last is None else seen_text(last, ()),
        None if last is None else last.packet,
    )


def _open_at_end(life: Life) -> bool:
    return life.connection.close.cause == "open-at-end"


def _unknown(event: Observed, expected: Sequence[object], swapped: bool) -> model.Cause | None:
    """Why it cannot be told whether an event is one of those expected: a field that a test needs is not known, where
    encryption hides it."""
    from analyzer.flows.expression import Step

    tls = event.of.tls
    if tls is None or tls.decrypted or event.name != "ref tls":
        return None
    for step in expected:
        if isinstance(step, Step) and same_step(event, step, swapped=swapped):
            values = [(test, event.value(test.name)) for test in step.tests]
            if all(value is None or test.holds(value) for test, value in values):
                return "no-keys"
    return None


def _goes_on(verdict: model.Verdict, whole: model.Verdict, page: Page, life: Life) -> Departure:
    """`verdict` follows the page, but the `whole` goes on where the page ends."""
    last = verdict.steps[-1]
    later = [step for step in whole.steps if step.packet > last.last_packet or step not in verdict.steps]
    line = max(lines_of(page.mermaid, page.diagram_line).values(), default=page.diagram_line)
    seen = f"{later[0].side} {later[0].step}" if later else "more steps"
    if whole.flow is not None:
        seen += f": as a whole it is {whole.flow}"
    packet = later[0].packet if later else last.last_packet
    return Departure(
        "diverged", None, "nothing more", seen, line, life.connection.id, packet,
        f"{last.side} {last.step}" if later else None, last.last_packet if later else None,
    )  # fmt: skip


def _departure_of(verdict: model.Verdict, page: Page, life: Life) -> Departure:
    """The same for a verdict that is not one of the pages'."""
    lines: Mapping[int, int] = lines_of(page.mermaid, page.diagram_line)
    last = verdict.steps[-1] if verdict.steps else None
    connection = life.connection.id
    divergence = verdict.divergence
    if divergence is None:
        packet = last.last_packet if last else None
        seen = "nothing more" if verdict.outcome == "incomplete" else None
        expected = "the rest of the flow" if last else "its steps"
        return Departure(
            verdict.outcome, verdict.cause, expected, seen_without(verdict.cause, seen), page.diagram_line, connection,
            packet, None if last is None else f"{last.side} {last.step}", packet,
        )  # fmt: skip
    return _departure_from(divergence, verdict, page, life, lines)


def _departure_from(
    divergence: model.Divergence, verdict: model.Verdict, page: Page, life: Life, lines: Mapping[int, int]
) -> Departure:
    from analyzer.flows.expression import SERVER, steps_of

    side = int(divergence.side == "server") * SERVER
    alike = [
        step
        for step in steps_of(page.expression)
        if step.name == divergence.saw and (step.side == side or page.either_side) and step.tests
    ]
    event = next(
        (
            step
            for step in life.steps
            if (step.packet, step.name, step.side) == (divergence.packet, divergence.saw, side)
        ),
        None,
    )
    said = f"{divergence.side} {divergence.saw}"
    expected, line = " or ".join(divergence.expected) or "nothing more", page.diagram_line
    seen = seen_text(event, alike) if event is not None else said
    if said in divergence.expected and alike:
        # The step may come here, but its fields are not those of the page.
        expected = expected_text(alike, swapped=False, complete=False)
        line = min((lines.get(step.place, line) for step in alike), default=line)
    elif divergence.edits:
        expected += f" ({'; '.join(divergence.edits[:3])})"
    before = [step for step in verdict.steps if step.packet < divergence.packet]
    last = before[-1] if before else None
    return Departure(
        "diverged", None, expected, seen, line, life.connection.id, divergence.packet,
        None if last is None else f"{last.side} {last.step}", None if last is None else last.packet,
    )  # fmt: skip
