"""What was found in a connection's HTTP, as the report's structs, and its verdict of scope http1."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer import model
from analyzer.dissector.http1 import ATTRIBUTES
from analyzer.dissector.http1 import exchanges as found
from analyzer.dissector.http1.connection import Dissector
from analyzer.dissector.websocket import Dissector as WebSocket
from analyzer.flows.library import Library
from analyzer.flows.matcher import DEAD, START, Run
from analyzer.reporter.lifecycle import in_words
from analyzer.reporter.shapes import Judged
from analyzer.reporter.verdicts import Circumstances, Ran, Scope, Symbols, label

# Exchanges listed per connection; further ones are counted.
MOST_EXCHANGES = 10_000

SECRET_FIELDS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
REDACTED = "(not shown)"


class HttpLabeler:
    """Labels the HTTP of connections. `headers`: list header fields; `secrets`: those that hold secrets, too."""

    def __init__(self, library: Library, *, headers: bool = False, secrets: bool = False):
        self._scope = Scope(library.automaton("http1"))
        self._symbols = Symbols(self._scope.automaton, ATTRIBUTES)
        self._headers, self._secrets = headers, secrets

    def label(self, dissector: Dissector, around: Circumstances) -> tuple[model.Http, Judged]:
        """What one dissector found, and the connection's verdict."""
        inner = dissector.handover.inner if dissector.handover else None
        websocket = websocket_of(inner) if isinstance(inner, WebSocket) else None
        judged = Judged.of(self._verdict(dissector, around))
        http = model.Http(
            version=dissector.version,
            connection=around.told(judged),
            max_concurrent=dissector.max_outstanding,
            exchanges=[self.exchange(one, around.start_ns) for one in dissector.exchanges[:MOST_EXCHANGES]],
            exchanges_not_listed=max(0, len(dissector.exchanges) - MOST_EXCHANGES) + dissector.exchanges_beyond,
            websocket=websocket,
        )
        return http, judged

    def exchange(self, one: found.Exchange, start_ns: int) -> model.Exchange:
        """`start_ns`: of the connection."""

        def relative(at_ns: int | None) -> int | None:
            return None if at_ns is None else at_ns - start_ns

        return model.Exchange(
            None,
            None if one.request is None else self._request(one.request),
            None if one.response is None else self._response(one.response),
            relative(one.started_ns),
            relative(one.first_byte_ns),
            relative(one.finished_ns),
            interim=one.interim,
        )

    def _request(self, one: found.Request) -> model.Request:
        return model.Request(
            one.method, one.target, one.authority, one.packet, one.header_bytes, one.header_bytes_on_wire,
            one.body_bytes, one.body_lost, self._fields(one),
        )  # fmt: skip

    def _response(self, one: found.Response) -> model.Response:
        return model.Response(
            one.status, one.packet, one.header_bytes, one.header_bytes_on_wire, one.body_bytes, one.last_packet,
            one.complete, one.body_lost, self._fields(one),
        )  # fmt: skip

    def _fields(self, message: found.Message) -> list[tuple[str, str]] | None:
        if not self._headers:
            return None
        return [
            (name, value if self._secrets or name.lower() not in SECRET_FIELDS else REDACTED)
            for name, value in message.fields
        ]

    def _verdict(self, dissector: Dissector, around: Circumstances) -> model.Verdict:
        lost, ended = around.lost, around.ended
        if lost == "mid-stream" or not dissector.events:
            cause: model.Cause = lost or ("connection-ended" if ended else "open-at-end")
            return model.Verdict(flow=None, outcome="unseen" if lost else "incomplete", cause=cause)
        run = Run(self._scope.automaton)
        symbols = [self._symbols.of(event) for event in dissector.events]
        for symbol in symbols:
            if not run.offer(symbol):
                break
        steps, where = fold(dissector.events, around.start_ns)
        if lost and run.ended:
            # What follows the flow that was complete is not something else, but more of it with a part missing.
            return model.Verdict(flow=None, outcome="unseen", cause=lost, begun_by=steps[0].side, steps=steps)
        ran = Ran(
            steps,
            [symbols[index] for index in where],
            best=run.best if run.best is not None else DEAD,
            state=run.state if run.length else START,
            over=run.ended,
            diverged_at=None
            if run.diverged_at is None
            else max(place for place, at in enumerate(where) if at <= run.diverged_at),
        )
        fields = label(self._scope, ran, lost=lost, ended=ended, evicted=around.evicted, quiet=ended)
        count = len(dissector.exchanges) + dissector.exchanges_beyond
        if count != 1 and fields["outcome"] == "variant":
            fields["differs"] = [*fields["differs"], f"{in_words(count)} exchanges, drawn: one"]
        return model.Verdict(**fields)


def websocket_of(dissector: WebSocket) -> model.WebSocket:
    return model.WebSocket(model.Frames(*(dict(frames) for frames in dissector.frames)), dissector.close_code)


def fold(events: Sequence[found.HttpEvent], start_ns: int) -> tuple[list[model.Step], list[int]]:
    """Events as steps, and the index of the first event of each. What repeats, alone or in pairs, is one step each:
    request, response, request, response … become two."""
    steps: list[model.Step] = []
    where: list[int] = []
    turn = -1  # place of the step that the last event became, from the end
    for index, event in enumerate(events):
        folded = False
        for place in (turn, -3 - turn):  # the same step again, or the other one of the pair
            if 1 <= -place <= min(2, len(steps)):
                step = steps[place]
                if (step.side, step.step) == (event.side, event.step):
                    steps[place] = model.Step(
                        step.side, step.step, step.packet, event.packet, step.at_ns, step.times + 1
                    )
                    turn, folded = place, True
                    break
        if not folded:
            steps.append(model.Step(event.side, event.step, event.packet, event.packet, event.at_ns - start_ns))
            where.append(index)
            turn = -1
    return steps, where
