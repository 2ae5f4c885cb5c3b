"""The rows of finished connections to connections with verdicts, scope by scope."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from analyzer import model
from analyzer.dissector.layout import *
from analyzer.dissector.tracker import Finished
from analyzer.flows.explain import Explainer, Seen
from analyzer.flows.library import Library
from analyzer.flows.matcher import DEAD, Automaton, Match

# A page that ends by silence is complete after this much of it (flow-page rules, 8).
SILENCE_NS = 1_000_000_000

_NEVER_OPENED = frozenset(f"tcp-open/{name}" for name in ("refused", "unanswered", "half-open", "icmp-unreachable"))
_SIDES: tuple[model.Side, model.Side] = ("client", "server")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Event(NamedTuple):
    """One entry of a connection's event list, decoded."""

    index: int  # among all events of the connection
    symbol: int
    again: bool  # a retransmission
    packet: int
    last_packet: int
    time_ns: int
    times: int


class _Scope:
    """The automaton of one scope, with what its symbols mean."""

    def __init__(self, automaton: Automaton):
        self.automaton = automaton
        self.explainer = Explainer(automaton)
        self._bits = len(automaton.tests)

    def side(self, symbol: int) -> int:
        return symbol >> self._bits & 1

    def name(self, symbol: int) -> str:
        return self.automaton.steps[symbol >> self._bits + 1]


class Labeler:
    """Makes the report's connections out of one capture's finished rows."""

    def __init__(self, capture: str, library: Library):
        self.capture = capture
        self._open = _Scope(library.automaton("tcp-open"))
        self._close = _Scope(library.automaton("tcp-close"))

    def connections(self, finished: Finished, clock_ns: int) -> Iterator[model.Connection]:
        """Connections in the order in which they finished. `clock_ns`: the capture's latest time so far."""
        begin = 0
        rows, keys, ends = finished.rows.tolist(), finished.keys.tolist(), finished.ends.tolist()
        events = finished.events.tolist()
        for row, key, end in zip(rows, keys, ends, strict=True):
            yield self._connection(row, key, events[begin:end], clock_ns)
            begin = end

    def _connection(self, row: list[int], key: list[int], events: list[list[int]], clock_ns: int) -> model.Connection:
        flags = row[FLAGS]
        start = row[START_NS]
        client, server = (SIDES, SIDES + SIDE_WORDS) if not flags & SWAPPED else (SIDES + SIDE_WORDS, SIDES)
        a, b = _endpoints(*key[: KEY_PORTS + 1])
        client_is_a = bool(flags & FIRST_IS_A) != bool(flags & SWAPPED)
        opening: list[_Event] = []
        closing: list[_Event] = []
        for index, (_, code, packet, last_packet, time_ns, times) in enumerate(events):
            event = _Event(index, code >> 2, bool(code & 1), packet, last_packet, time_ns - start, times)
            (closing if code & 2 else opening).append(event)
        open_verdict = self._label_open(row, client, server, opening, clock_ns)
        handshake = row[OPENED_NS] - start - opening[0].time_ns if flags & OPENED and opening else None
        return model.Connection(
            capture=self.capture,
            id=row[ID],
            tcp_stream=row[STREAM],
            client=a if client_is_a else b,
            server=b if client_is_a else a,
            oriented_by="syn" if flags & BY_SYN else "port" if flags & BY_PORT else "first-packet",
            vlan=_vlan_ids(row[VLAN]) if row[VLAN] else [],
            first_packet=row[FIRST_PACKET],
            last_packet=row[LAST_PACKET],
            start=_timestamp(start),
            duration_ns=max(0, row[LAST_NS] - start),
            packets=model.PerSide(row[client + PACKETS], row[server + PACKETS]),
            payload_bytes=model.PerSide(row[client + BYTES], row[server + BYTES]),
            tcp=model.Tcp(_syn_options(row, client), _syn_options(row, server)),
            open=open_verdict,
            close=self._label_close(row, client, server, closing, clock_ns, open_verdict),
            timing=model.Timing(handshake_ns=handshake),
            notes=model.Notes(*row[RETRANSMISSIONS : RESETS_IGNORED + 1]),
            faults=_faults(row) if flags & (BAD_SYN_ACK | RETRIED | EVENTS_FULL) else [],
        )

    def _label_open(
        self, row: list[int], client: int, server: int, events: list[_Event], clock_ns: int
    ) -> model.Verdict:
        if not row[client + STATE] & SYN_SEEN or not events:
            # The SYN is not in the capture: whatever else there is, the beginning is missing.
            one_sided = row[client + PACKETS] == 0 and row[server + STATE] & SYN_ACK_SEEN
            return model.Verdict(flow=None, outcome="unseen", cause="one-sided" if one_sided else "mid-stream")
        lost: model.Cause | None = None
        if (row[client + STATE] | row[server + STATE]) & MOVED_ON and not row[FLAGS] & OPENED:
            lost = "one-sided" if row[server + PACKETS] == 0 else "lost-in-capture"
        return model.Verdict(**self._label(self._open, row, row[OPEN_RUN], events, lost, clock_ns))

    def _label_close(
        self, row: list[int], client: int, server: int, events: list[_Event], clock_ns: int, opened: model.Verdict
    ) -> model.CloseVerdict:
        flags = row[FLAGS]
        if not events:
            if opened.flow in _NEVER_OPENED or (opened.outcome == "diverged" and not flags & OPENED):
                return model.CloseVerdict(flow=None, outcome="unseen", cause="never-opened")
            if flags & EVICTED:
                return model.CloseVerdict(flow=None, outcome="unseen", cause="evicted")
            cause: model.Cause = "connection-ended" if flags & (REUSED | ENDED) else "open-at-end"
            return model.CloseVerdict(flow=None, outcome="incomplete", cause=cause)
        lost: model.Cause | None = None
        if row[client + PACKETS] == 0 or row[server + PACKETS] == 0:
            lost = "one-sided"
        elif (row[client + STATE] | row[server + STATE]) & LOST:
            lost = "lost-in-capture"
        verdict = self._label(self._close, row, row[CLOSE_RUN], events, lost, clock_ns)
        return model.CloseVerdict(**verdict, closed_by=verdict["begun_by"] if verdict["flow"] else None)

    def _label(
        self, scope: _Scope, row: list[int], run: int, events: list[_Event], lost: model.Cause | None, clock_ns: int
    ) -> dict[str, object]:
        """A verdict's fields: rules 6, 8 and 10 of the flow pages.

        `lost`: why the capture may lack steps of this scope, or None; `run`: the connection's RUN word for it.
        """
        automaton = scope.automaton
        state = run & RUN_STATE_MASK
        best = run >> RUN_BEST_SHIFT & RUN_STATE_MASK
        diverged = run >> RUN_DIVERGED_SHIFT & 0xFFFF
        ended = row[FLAGS] & (ENDED | REUSED)
        fields: dict[str, object] = {"retransmitted": sum(event.times for event in events if event.again)}
        fields["begun_by"] = _SIDES[scope.side(events[0].symbol)]
        if best != DEAD:
            match = automaton.completed(best)[0]
            return fields | self._matched(scope, match, events, whole=False)
        if diverged:
            if lost:
                return fields | _unseen(scope, lost, events)
            return fields | self._diverged(scope, state, diverged - 1, events)
        completed = automaton.completed(state)
        if completed:
            quiet = ended or clock_ns - row[START_NS] - _last(events).time_ns >= SILENCE_NS
            if lost:
                return fields | _unseen(scope, lost, events)
            if quiet and not row[FLAGS] & EVICTED:
                return fields | self._matched(scope, completed[0], events, whole=True)
        if row[FLAGS] & EVICTED:
            return fields | _unseen(scope, "evicted", events)
        if lost and ended:
            return fields | _unseen(scope, lost, events)
        living = completed[0] if completed else automaton.living(state)[0]
        return fields | {
            "flow": living.page.id,
            "outcome": "incomplete",
            "cause": "connection-ended" if ended else "open-at-end",
            "drawn_in_article": living.page.drawn_in_article,
            "standard": living.page.standard,
            "branches": list(living.branches),
            "steps": _steps(scope, events),
        }

    def _matched(self, scope: _Scope, match: Match, events: list[_Event], whole: bool) -> dict[str, object]:
        """`whole`: retransmissions after the last step are part of the flow, as in an unanswered opening."""
        if not whole:
            while events and events[-1].again:
                events = events[:-1]
        return {
            "flow": match.page.id,
            "outcome": match.outcome,
            "drawn_in_article": match.page.drawn_in_article,
            "standard": match.page.standard,
            "branches": list(match.branches),
            "differs": list(match.differs),
            "steps": _steps(scope, events),
        }

    def _diverged(self, scope: _Scope, state: int, index: int, events: list[_Event]) -> dict[str, object]:
        """`index`: place of the first event that no page allows, among all events of the connection."""
        at = next((place for place, event in enumerate(events) if event.index >= index), len(events) - 1)
        saw = events[at]
        explanation = scope.explainer.nearest([Seen(event.symbol, event.packet) for event in events], at)
        divergence = model.Divergence(
            packet=saw.packet,
            side=_SIDES[scope.side(saw.symbol)],
            saw=scope.name(saw.symbol),
            expected=scope.automaton.expected(state),
            nearest=explanation.page.id if explanation else None,
            edits=explanation.edits if explanation else [],
        )
        return {"flow": None, "outcome": "diverged", "divergence": divergence, "steps": _steps(scope, events)}


def _last(events: list[_Event]) -> _Event:
    return events[-1]


def _unseen(scope: _Scope, cause: model.Cause, events: list[_Event]) -> dict[str, object]:
    return {"flow": None, "outcome": "unseen", "cause": cause, "steps": _steps(scope, events)}


def _steps(scope: _Scope, events: list[_Event]) -> list[model.Step]:
    return [
        model.Step(
            _SIDES[scope.side(event.symbol)], scope.name(event.symbol), event.packet, event.last_packet,
            event.time_ns, event.times, "observed", event.again,
        )
        for event in events
    ]  # fmt: skip


def _faults(row: list[int]) -> list[model.Fault]:
    faults = []
    if row[FLAGS] & BAD_SYN_ACK:
        message = "a SYN-ACK does not acknowledge the SYN that was sent (RFC 9293 §3.10.7.3); it was not counted"
        faults.append(model.Fault(row[FAULT_PACKET], "tcp", message))
    if row[FLAGS] & RETRIED:
        message = "the same SYN again after a reset: an earlier attempt to open was refused; the last one is labelled"
        faults.append(model.Fault(row[FAULT_PACKET], "tcp", message))
    if row[FLAGS] & EVENTS_FULL:
        message = f"more than {MOST_EVENTS} steps; the later ones are not listed"
        faults.append(model.Fault(row[LAST_PACKET], "tcp", message))
    return faults


@functools.lru_cache(4096)
def _options(packed: int) -> tuple[int | None, int | None, bool, bool, bool, bool, bool]:
    mss = (packed >> SYN_OPTION_MSS_SHIFT) - 1
    scale = (packed >> SYN_OPTION_SCALE_SHIFT & 0xFFFF) - 1
    bits = [bool(packed & bit) for bit in (SYN_OPTION_SACK, SYN_OPTION_TIMESTAMPS, SYN_OPTION_FAST_OPEN,
                                           SYN_OPTION_MPTCP, SYN_OPTION_ECN)]  # fmt: skip
    return (mss if mss >= 0 else None, scale if scale >= 0 else None, *bits)  # type: ignore[return-value]


_NO_SYN = model.TcpOptions()


def _syn_options(row: list[int], side: int) -> model.TcpOptions:
    packed = row[side + SYN_OPTIONS]
    return model.TcpOptions(row[side + ISN], *_options(packed)) if packed else _NO_SYN


def _endpoints(high_a: int, low_a: int, high_b: int, low_b: int, ports: int) -> tuple[model.Endpoint, model.Endpoint]:
    version = ports & 0xFFFF
    return (
        model.Endpoint(_address(version, high_a, low_a), ports >> 32),
        model.Endpoint(_address(version, high_b, low_b), ports >> 16 & 0xFFFF),
    )


@functools.lru_cache(65536)
def _address(version: int, high: int, low: int) -> str:
    if version == 4:
        return f"{low >> 24}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    return socket.inet_ntop(socket.AF_INET6, high.to_bytes(8, "big") + low.to_bytes(8, "big"))


def _vlan_ids(packed: int) -> list[int]:
    ids = []
    while packed:
        ids.append((packed & 0x1FFF) - 1)
        packed >>= 13
    return ids


def _timestamp(time_ns: int) -> str:
    """RFC 3339 with nanoseconds, UTC."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds:09d}Z"


@functools.lru_cache(1024)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
