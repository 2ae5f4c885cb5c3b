"""What was found in a connection's HTTP/2, as the report's structs: its verdict of scope http2, and of each stream the
one of scope http2-stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from analyzer import model
from analyzer.dissector.http2 import ATTRIBUTES
from analyzer.dissector.http2 import exchanges as found
from analyzer.dissector.http2.connection import Dissector
from analyzer.flows.library import Library
from analyzer.flows.matcher import DEAD, START, Run
from analyzer.reporter.http import MOST_EXCHANGES, REDACTED, SECRET_FIELDS
from analyzer.reporter.shapes import Judged, Shape
from analyzer.reporter.verdicts import MOST_EVENTS_REMEMBERED, Circumstances, Memo, Ran, Scope, Symbols, label

UNKNOWN: Final = "?"  # an error code that was not captured

_VIOLATION: Final = "Violation"
_RESET: Final = "RST_STREAM"
_NEVER_EXPECTED: Final = (_VIOLATION, _RESET)  # what cuts any flow short is never what was about to happen

_Fields = dict[str, Any]  # of a verdict
_Shapes = Memo[tuple[object, ...], Shape]


class Http2Labeler:
    """Labels the HTTP/2 of connections. `headers`: list header fields; `secrets`: those that hold secrets, too."""

    def __init__(self, library: Library, *, headers: bool = False, secrets: bool = False):
        self._connections = Scope(library.automaton("http2"))
        self._names = self._connections.automaton.names
        self._symbols = Symbols(self._connections.automaton, ATTRIBUTES)
        self._shapes = _Shapes(MOST_EVENTS_REMEMBERED)
        self._streams = Streams(library)
        self._headers, self._secrets = headers, secrets

    def label(self, dissector: Dissector, around: Circumstances, *, tls: bool = False) -> tuple[model.Http, Judged]:
        """What one dissector found, and the connection's verdict. `tls`: it was inside TLS."""
        if around.lost == "mid-stream" and dissector.lost is None:
            around = around._replace(lost=None)  # the connection had not been used before the capture began
        settings, stalls = dissector.settings, dissector.stalls
        judged = self._connection(dissector, around, tls=tls)
        http = model.Http(
            version=dissector.version,
            connection=around.told(judged),
            max_concurrent=dissector.max_concurrent,
            exchanges=[self.exchange(one, around) for one in dissector.exchanges[:MOST_EXCHANGES]],
            exchanges_not_listed=max(0, len(dissector.exchanges) - MOST_EXCHANGES) + dissector.exchanges_beyond,
            settings=model.Settings(dict(settings[0]), dict(settings[1])),
            goaway=[model.Goaway(one.side, one.error, one.last_stream, one.packet) for one in dissector.goaways],
            frames=dissector.frames,
            headers_with_priority=dissector.headers_with_priority,
            frame_switches=sum(dissector.frame_switches),
            stalls=[
                model.Stall(one.stream, one.side, one.from_ns - around.start_ns, one.length_ns, one.packet)
                for one in stalls
            ],
            alternative_services=[
                model.AlternativeService(one.stream, one.origin, one.value, one.packet)
                for one in dissector.alternatives
            ],
            origins=[model.Origins(one.origins, one.packet) for one in dissector.origins],
            head_of_line_waits=len(dissector.head_of_line) + dissector.multiplexing.head_of_line_beyond,
        )
        return http, judged

    def exchange(self, one: found.Exchange, around: Circumstances) -> model.Exchange:
        """One stream, with its verdict."""
        start_ns, request = around.start_ns, one.request
        started, first, finished = one.started_ns, one.first_byte_ns, one.finished_ns
        return model.Exchange(
            one.stream,
            None if request is None else self._request(request),
            None if one.response is None else self._response(one.response),
            None if started is None else started - start_ns,
            None if first is None else first - start_ns,
            None if finished is None else finished - start_ns,
            one.multiplexed_with,
            one.interleaved,
            one.pushed,
            one.interim,
            around.told(self._streams.judge(one, around)),
            max(0, one.multiplexed - len(one.multiplexed_with)),
            None if request is None else request.protocol,
            self._trailers(one) if self._headers else None,
            None if one.grpc is None else _grpc(one.grpc),
            None if one.closed_by_reset is None else _reset(one, one.closed_by_reset),
        )

    def _request(self, one: found.Request) -> model.Request | None:
        if one.method is None and one.target is None and not one.header_bytes:
            return None  # a field block that nobody can read
        return model.Request(
            one.method, one.target, one.authority, one.packet, one.header_bytes, one.header_bytes_on_wire,
            one.body_bytes, one.body_lost, self._shown(one.header_fields) if self._headers else None,
            one.fields_unknown,
        )  # fmt: skip

    def _response(self, one: found.Response) -> model.Response:
        return model.Response(
            one.status, one.packet, one.header_bytes, one.header_bytes_on_wire, one.body_bytes, one.last_packet,
            one.complete, one.body_lost, self._shown(one.header_fields) if self._headers else None, one.fields_unknown,
        )  # fmt: skip

    def _trailers(self, one: found.Exchange) -> list[tuple[str, str]] | None:
        """Of the request, then of the response."""
        messages = (one.request, one.response)
        fields = [field for message in messages if message is not None for field in message.trailers]
        return self._shown(fields) if fields else None

    def _shown(self, fields: Sequence[found.Field]) -> list[tuple[str, str]]:
        return [
            (name, value if self._secrets or name.lower() not in SECRET_FIELDS else REDACTED) for name, value in fields
        ]

    def _connection(self, dissector: Dissector, around: Circumstances, *, tls: bool) -> Judged:
        lost, ended = around.lost, around.ended
        events = [event for event in dissector.events if event.step in self._names]
        if lost == "mid-stream" or not events:
            cause: model.Cause = lost or ("connection-ended" if ended else "open-at-end")
            return Judged.of(model.Verdict(flow=None, outcome="unseen" if lost else "incomplete", cause=cause))
        symbols = [self._symbols.of(event, "tls", tls) for event in events]
        folded, numbers = fold(events, around.start_ns)
        key = (*symbols, lost, ended, around.evicted)
        shape = self._shapes.get(key)
        if shape is None:
            steps = [_step(event, around.start_ns) for event in events]
            fields = _judge(self._connections, symbols, steps, around, quiet=ended)
            if fields["outcome"] in ("documented", "variant") and not any(event.step == "GOAWAY" for event in events):
                said = "no GOAWAY" if ended and not lost else "no GOAWAY was captured"
                fields |= {"outcome": "variant", "differs": [*fields["differs"], said]}
            fields["begun_by"] = "client"  # both sides begin at once
            steps = [model.Step(one.side, one.step, 0, 0, 0) for one in folded]
            shape = Shape(model.Verdict(**fields, steps=steps))
            _remember(self._shapes, key, shape)
        return Judged(shape, numbers)


class Streams:
    """Holds streams against the pages of scope http2-stream. A connection has thousands of them, most of them alike:
    what follows from their symbols alone is worked out once."""

    def __init__(self, library: Library):
        self._scope = Scope(library.automaton("http2-stream"))
        self._symbols = Symbols(self._scope.automaton, ATTRIBUTES)
        self._shapes = _Shapes(MOST_EVENTS_REMEMBERED)

    def judge(self, one: found.Exchange, around: Circumstances) -> Judged:
        events = in_order(one.events)
        start_ns = around.start_ns
        if not events:
            cause: model.Cause = around.lost or ("connection-ended" if around.ended else "open-at-end")
            return Judged.of(model.Verdict(flow=None, outcome="unseen" if around.lost else "incomplete", cause=cause))
        symbols = [self._symbol(event, one) for event in events]
        quiet = around.ended or one.above_goaway
        key = (*symbols, around.lost, around.ended, around.evicted, quiet)
        shape = self._shapes.get(key)
        if shape is None:
            steps = [_step(event, start_ns) for event in events]
            fields = _judge(self._scope, symbols, steps, around, quiet=quiet)
            shape = Shape(model.Verdict(steps=steps, **fields))
            _remember(self._shapes, key, shape)
        numbers: list[int] = []
        for event in events:
            packet = event.packet
            numbers += (packet, event.last_packet or packet, event.at_ns - start_ns, event.times)
        return Judged(shape, numbers)

    def _symbol(self, event: found.Http2Event, one: found.Exchange) -> int:
        if event.step != "HEADERS":
            return self._symbols.of(event)
        if event.side == "server":
            return self._symbols.of(event, "tunnel", _tunnel(one))
        return self._symbols.of(event, "above_goaway", one.above_goaway)


def _judge(scope: Scope, symbols: list[int], steps: list[model.Step], around: Circumstances, *, quiet: bool) -> _Fields:
    """A verdict's fields, but for its steps. What a side must not do is part of a flow only if its peer has answered
    it; else the run has diverged there, even if a flow was complete before."""
    automaton = scope.automaton
    run = Run(automaton)
    states = [START]  # before each event that was taken, and after the last one
    for symbol in symbols:
        if not run.offer(symbol):
            break
        states.append(run.state)
    complete = run.best is not None and (run.ended or run.best == run.state)
    answered = run.best_length if complete else 0
    diverged_at, state = run.diverged_at, run.state
    violation = next((at for at in range(answered, len(steps)) if steps[at].step == _VIOLATION), None)
    if violation is not None and (diverged_at is None or violation < diverged_at):
        diverged_at, state = violation, states[min(violation, len(states) - 1)]
    best = DEAD
    if complete and diverged_at is None:
        assert run.best is not None
        best, symbols = run.best, symbols[: run.best_length]
    ran = Ran(steps, symbols, best, state, run.ended, diverged_at)
    fields = label(scope, ran, lost=around.lost, ended=around.ended, evicted=around.evicted, quiet=quiet)
    divergence = fields.get("divergence")
    if divergence is not None:
        expected = [one for one in divergence.expected if not one.endswith(_NEVER_EXPECTED)]
        fields["divergence"] = msgspec.structs.replace(divergence, expected=expected)
    del fields["steps"]
    return fields


def _remember(shapes: _Shapes, key: tuple[object, ...], shape: Shape) -> None:
    if shape.verdict.outcome != "diverged":  # which names packets
        shapes.remember(key, shape, size=len(key))


def _tunnel(one: found.Exchange) -> bool | None:
    """RFC 9113 §8.5. None: not known."""
    request, response = one.request, one.response
    if request is None or request.method != "CONNECT":
        return None if request is not None and request.method is None and request.fields_unknown else False
    if response is None or response.status is None:
        return None
    return 200 <= response.status < 300


def in_order(events: Sequence[found.Http2Event]) -> Sequence[found.Http2Event]:
    """A request that was captured after its response comes first all the same."""
    if events and events[0].side == "server" and events[0].step != "PUSH_PROMISE":
        at = next((at for at, event in enumerate(events) if event.side == "client" and event.step == "HEADERS"), 0)
        if at:
            return [events[at], *events[:at], *events[at + 1 :]]
    return events


def _step(event: found.Http2Event, start_ns: int) -> model.Step:
    return model.Step(
        event.side, event.step, event.packet, event.last_packet or event.packet, event.at_ns - start_ns, event.times
    )


def fold(events: Sequence[found.Http2Event], start_ns: int) -> tuple[list[found.Http2Event], list[int]]:
    """Equal steps that follow each other are one: the first event of each, and the numbers of all (`Judged`)."""
    first: list[found.Http2Event] = []
    numbers: list[int] = []
    for event in events:
        packet = event.packet
        if first and first[-1].step == event.step and first[-1].side == event.side:
            numbers[-3] = event.last_packet or packet
            numbers[-1] += event.times
        else:
            first.append(event)
            numbers += (packet, event.last_packet or packet, event.at_ns - start_ns, event.times)
    return first, numbers


def _grpc(call: found.Grpc) -> model.Grpc:
    """How many messages there were is not known where bytes that tell it are missing."""
    if call.client_messages is None or call.server_messages is None:
        return model.Grpc(call.status, None)
    return model.Grpc(call.status, model.PerSide(call.client_messages, call.server_messages))


def _reset(one: found.Exchange, side: model.Side) -> model.Reset:
    packet = next((event.packet for event in reversed(one.events) if event.step == _RESET), 0)
    return model.Reset(side, one.error if one.error is not None else UNKNOWN, packet)
