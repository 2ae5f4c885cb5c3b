"""The handshakes of a TLS connection, each held against the pages of scope tls."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from analyzer import model
from analyzer.dissector.tls.steps import TlsEvent
from analyzer.flows.library import Library
from analyzer.flows.matcher import DEAD, START, Run
from analyzer.flows.shading import ENCRYPTED
from analyzer.reporter.shapes import Judged, Shape
from analyzer.reporter.verdicts import MOST_EVENTS_REMEMBERED, MOST_KINDS_REMEMBERED, Memo, Ran, Scope, label

_TLS_1_3: Final = "TLS 1.3"  # drafts of it begin like this

# What is looked at here of every event, whatever the pages ask for; and of unreadable records their `length`.
_LOOKED_AT: Final = frozenset({"side", "step", "seen", "version", "cipher_suite", "key_exchange"})


class _Sizes(NamedTuple):
    """How long two records of TLS 1.3 are, in bytes of their fragment: content, one byte for its type, and the tag of
    the AEAD (RFC 8446 §5.2)."""

    alert: int
    finished: int

    @classmethod
    def under(cls, cipher_suite: str | None) -> _Sizes:
        """The suites of RFC 8446 §B.4: their tags have 16 bytes, CCM_8's has 8; a Finished is a header of 4 bytes and
        one hash (§4.4.4)."""
        suite = cipher_suite or ""
        beside = 1 + (8 if "_CCM_8_" in suite else 16)
        return cls(2 + beside, 4 + (48 if suite.endswith("SHA384") else 32) + beside)


# All sizes that any suite makes special: what two lengths have in common that lie alike among them is all that counts.
_SPECIAL: Final = sorted(
    {size for suite in ("", "_SHA384", "_CCM_8_", "_CCM_8_SHA384") for size in _Sizes.under(suite)}
)


class _Judged(NamedTuple):
    """One run, and the index of the event after it."""

    verdict: model.Verdict
    end: int


class _Handshakes(NamedTuple):
    """A handshake of all connections that are alike."""

    shape: Shape
    spans: tuple[tuple[int, int, int], ...]  # of each step the indices of its first and last event, and how often


class HandshakeLabeler:
    """Labels the handshakes of connections.

    Most connections of a capture look like another one: the same events with the same attributes, in other packets. The
    verdicts follow from these alone, so they are worked out once, of events that are numbered instead of having packets
    and times, and the connection's own are filled in.
    """

    def __init__(self, library: Library):
        self._scope = Scope(library.automaton("tls"))
        automaton = self._scope.automaton
        self._names = automaton.names
        asked = _LOOKED_AT.union(test.name for test in automaton.tests)
        self._attributes = attrgetter(*(field for field in TlsEvent.__struct_fields__ if field in asked))
        self._kinds: Memo[tuple[object, ...], int] = Memo(MOST_KINDS_REMEMBERED)
        self._last_kind = 0
        self._known: Memo[tuple[object, ...], list[_Handshakes] | None] = Memo(MOST_EVENTS_REMEMBERED)

    def handshakes(
        self,
        events: Sequence[TlsEvent],
        start_ns: int,
        *,
        lost: model.Cause | None = None,
        ended: bool = False,
        evicted: bool = False,
    ) -> list[Judged]:
        """The first handshake of a connection and its renegotiations (rule 6), at least one verdict.

        `events` in the order of their packets; `start_ns`: when the connection began; `lost`: why the capture may lack
        steps, `ended`: the connection is over, `evicted`: it had to make room.
        """
        key = (lost, ended, evicted, *self._alike(events))
        if key in self._known:
            found = self._known[key]
        else:
            numbered = [msgspec.structs.replace(event, packet=at, at_ns=at) for at, event in enumerate(events)]
            verdicts = self._judge(numbered, 0, lost=lost, ended=ended, evicted=evicted)
            diverged = any(one.divergence is not None for one in verdicts)  # explanations name packets
            found = None if diverged else [_handshake(one) for one in verdicts]
            self._known.remember(key, found, size=len(key))
        if found is None:
            verdicts = self._judge(events, start_ns, lost=lost, ended=ended, evicted=evicted)
            return [Judged.of(one) for one in verdicts]
        return [Judged(shape, _numbers(spans, events, start_ns)) for shape, spans in found]

    def _alike(self, events: Sequence[TlsEvent]) -> list[int]:
        """Of each event a number that stands for all that verdicts depend on, but for the length of an unreadable
        record; those have odd numbers, and where their length lies follows."""
        found = []
        kinds, attributes = self._kinds, self._attributes
        for event in events:
            key = attributes(event)
            kind = kinds.get(key)
            if kind is None:
                # A number never gets a second meaning, so that what was remembered under it stays true.
                self._last_kind += 2
                kind = self._last_kind + (event.step == ENCRYPTED)
                kinds.remember(key, kind)
            found.append(kind)
            if kind & 1:
                found.append(bisect_left(_SPECIAL, event.length) + bisect_right(_SPECIAL, event.length))
        return found

    def _judge(
        self, events: Sequence[TlsEvent], start_ns: int, *, lost: model.Cause | None, ended: bool, evicted: bool
    ) -> list[model.Verdict]:
        events = [event for event in events if event.step in self._names]
        change = max((at for at, event in enumerate(events) if event.step == "ChangeCipherSpec"), default=0)
        found = []
        if not events or (lost == "mid-stream" and events[0].step != "ClientHello"):
            cause: model.Cause = lost or ("connection-ended" if ended else "open-at-end")
            found.append(model.Verdict(flow=None, outcome="unseen" if lost else "incomplete", cause=cause))
            at = self._next(events, 0, 0)
        else:
            at = 0
        if lost == "mid-stream":
            lost = None  # what begins with a ClientHello was captured from its beginning
        while at < len(events):
            judged = _Handshake(self._scope, events, at, start_ns, again=bool(found)).judge(lost, ended, evicted)
            found.append(judged.verdict)
            at = self._next(events, judged.end, 0 if _is_1_3(events[at : judged.end]) else change)
        return found

    def _next(self, events: Sequence[TlsEvent], at: int, change: int) -> int:
        """The index of the next event that begins a handshake; len(events) if there is none.

        Up to TLS 1.2 an unreadable record may be the first message of a renegotiation, or an alert. It can only be the
        former if somebody changes keys afterwards, which is always readable. `change`: index of the last time, or 0.
        """
        for i in range(at, len(events)):
            if events[i].step == ENCRYPTED and i >= change:
                continue
            symbol = _symbol(self._scope, events[i], {"renegotiation": True, "sized": "other"})
            if self._scope.automaton.advance(START, symbol) not in (DEAD, START):
                return i
        return len(events)


class _Handshake:
    """One run of scope tls."""

    def __init__(self, scope: Scope, events: Sequence[TlsEvent], begin: int, start_ns: int, *, again: bool):
        self._scope = scope
        self._events = events
        self._begin = begin
        self._start_ns = start_ns
        self._again = again
        self._sizes: _Sizes | None = None  # from ServerHello on, in TLS 1.3
        self._run = Run(scope.automaton)
        self._completed_at: int | None = None  # index of the event after the one that first completed a page

    def judge(self, lost: model.Cause | None, ended: bool, evicted: bool) -> _Judged:
        run, events, automaton = self._run, self._events, self._scope.automaton
        symbols: list[int] = []
        end = self._begin
        while end < len(events):
            event = events[end]
            symbol = self._symbol(event)
            if event.step == ENCRYPTED and run.best is not None and not self._still_complete(event, symbol):
                break
            symbols.append(symbol)
            if not run.offer(symbol):
                break
            end += 1
            if self._completed_at is None and run.best is not None:
                self._completed_at = end
        if run.best is not None and (end < len(events) or run.best == run.state or automaton.only_aborts(run.state)):
            return self._complete(symbols[: run.best_length])
        diverged_at = run.diverged_at
        if diverged_at is not None:
            if events[end].step == ENCRYPTED:
                lost = lost or "no-keys"  # what no page allows may be what nobody could read
            end = self._end_of_diverged(end + 1)
            symbols += [self._symbol(event) for event in events[self._begin + len(symbols) : end]]
        ran = Ran(
            [self._step(event) for event in events[self._begin : end]],
            symbols,
            best=DEAD,
            state=run.state,
            diverged_at=diverged_at,
        )
        fields = label(self._scope, ran, lost=lost, ended=ended, evicted=evicted, quiet=ended)
        return _Judged(model.Verdict(**fields | {"steps": fold(ran.steps)}), end)

    def _still_complete(self, event: TlsEvent, symbol: int) -> bool:
        """Whether an unreadable record may belong to a handshake that seems complete (rule 4): a client's flight may
        be several records, and each of them long enough to be the last. An alert comes after it."""
        automaton = self._scope.automaton
        return self._sized(event) != "alert" and bool(automaton.complete[automaton.advance(self._run.state, symbol)])

    def _complete(self, symbols: list[int]) -> _Judged:
        run = self._run
        end = self._begin + run.best_length
        steps = [self._step(event) for event in self._events[self._begin : end]]
        assert run.best is not None
        ran = Ran(steps, symbols, best=run.best, state=run.best)
        fields = label(self._scope, ran, lost=None, ended=False, evicted=False, quiet=False)
        unclear = self._unclear(end)
        if unclear is not None and fields["flow"] != "tls/rejected":
            fields |= {"flow": None, "outcome": "unseen", "cause": "no-keys", "branches": [], "differs": []}
            fields |= {"drawn_in_article": None, "standard": None}
            steps.append(self._step(unclear))
        else:
            self._infer_last(steps, end - 1)
        return _Judged(model.Verdict(**fields | {"steps": fold(steps)}), end)

    def _unclear(self, end: int) -> TlsEvent | None:
        """The record that is a side's first after completion and has the size of an alert (rule 4): an error alert
        would reject the handshake, close_notify would not."""
        # Tickets and data that still belong to the flow come after completion, too.
        later = self._events[self._completed_at : end]
        met: set[str] = {event.side for event in later if event.step != ENCRYPTED}
        for at in range(end, len(self._events)):
            event = self._events[at]
            if event.step in ("ClientHello", "HelloRequest") or len(met) == 2:
                return None
            if event.side not in met and self._sized(event) == "alert":
                return event
            met.add(event.side)
        return None

    def _infer_last(self, steps: list[model.Step], at: int) -> None:
        """What an unreadable record at the end most likely was, by its size."""
        event = self._events[at]
        if event.step != ENCRYPTED or self._sizes is None:
            return
        name = {self._sizes.alert: "Alert", self._sizes.finished: "Finished"}.get(event.length)
        if name is not None:
            steps[-1] = model.Step(event.side, name, event.packet, event.packet, steps[-1].at_ns, seen="inferred")

    def _end_of_diverged(self, at: int) -> int:
        """Everything up to the next ClientHello is evidence."""
        return next(
            (i for i in range(at, len(self._events)) if self._events[i].step == "ClientHello"), len(self._events)
        )

    def _symbol(self, event: TlsEvent) -> int:
        if event.step == "ServerHello":
            self._sizes = _Sizes.under(event.cipher_suite) if (event.version or "").startswith(_TLS_1_3) else None
        return _symbol(
            self._scope,
            event,
            {
                "renegotiation": self._again,
                "completed": self._run.best is not None,
                "sized": self._sized(event),
            },
        )

    def _sized(self, event: TlsEvent) -> str | None:
        """What the size of an unreadable record allows (`flows/shading.py`)."""
        if event.step != ENCRYPTED:
            return None
        if self._sizes is not None and event.length == self._sizes.alert:
            return "alert"
        return "finished" if self._sizes is not None and event.length >= self._sizes.finished else "other"

    def _step(self, event: TlsEvent) -> model.Step:
        at_ns = event.at_ns - self._start_ns
        return model.Step(event.side, event.step, event.packet, event.packet, at_ns, seen=event.seen)


def _handshake(numbered: model.Verdict) -> _Handshakes:
    """`numbered`: of events whose packets and times are their indices."""
    return _Handshakes(Shape(numbered), tuple((one.packet, one.last_packet, one.times) for one in numbered.steps))


def _numbers(spans: Sequence[tuple[int, int, int]], events: Sequence[TlsEvent], start_ns: int) -> list[int]:
    numbers: list[int] = []
    for first, last, times in spans:
        event = events[first]
        numbers += (event.packet, events[last].packet, event.at_ns - start_ns, times)
    return numbers


def fold(steps: Sequence[model.Step]) -> list[model.Step]:
    """Unreadable records that follow each other on one side are one step."""
    folded: list[model.Step] = []
    for step in steps:
        last = folded[-1] if folded else None
        if last is not None and last.step == step.step == ENCRYPTED and last.side == step.side:
            folded[-1] = model.Step(
                last.side, last.step, last.packet, step.packet, last.at_ns, last.times + 1, seen=last.seen
            )
        else:
            folded.append(step)
    return folded


def _symbol(scope: Scope, event: TlsEvent, of_the_run: dict[str, object]) -> int:
    if event.step == "ServerHello":
        # Suites and versions nobody has registered are others than those the pages name.
        of_the_run |= {"version": event.version or "unknown", "key_exchange": event.key_exchange or "unknown"}
    return scope.automaton.symbol_of(event, of_the_run)


def _is_1_3(events: Sequence[TlsEvent]) -> bool:
    return any(event.step == "ServerHello" and (event.version or "").startswith(_TLS_1_3) for event in events)
