"""What the line writer needs to know of labels: the text of a connection, with placeholders for its numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from analyzer import model
from analyzer.dissector import layout
from analyzer.dissector.tracker import Finished
from analyzer.reporter import exchange_lines, filling, lines
from analyzer.reporter.labels import Labeler, address, second

if TYPE_CHECKING:
    from analyzer.dissector.applications import Application
    from analyzer.dissector.http1.exchanges import Exchange
    from analyzer.reporter.inside import Written

_NOTHING = np.zeros((0, 0), np.int64)
_EMPTY = Finished(_NOTHING, np.zeros((0, 0), np.uint64), _NOTHING, np.zeros(0, np.int64))


class Lines:
    """JSON Lines of finished connections: the same text as encoding what `Labeler.connections` yields, much faster."""

    def __init__(self, labeler: Labeler):
        self._labeler = labeler
        self._encoder = msgspec.json.Encoder()
        inside = labeler.inside
        self._writer = lines.LineWriter(
            self,
            inside and inside.applications,
            inside.automaton if inside and not inside.headers else None,
        )
        self._batch, self._clock_ns = _EMPTY, 0
        # A capture whose name looks like a placeholder, or cannot be written as UTF-8, is written one by one.
        self._plain = not labeler.capture.isascii() or str(filling.PLACEHOLDER)[:12] in labeler.capture

    def write(self, finished: Finished, clock_ns: int) -> Iterator[bytes]:
        """One line per connection, some at a time. `clock_ns`: the capture's latest time so far."""
        self._batch, self._clock_ns = finished, clock_ns
        first = 0
        while first < len(finished.rows):
            yield self._writer.write(*finished, clock_ns, first)
            first = self._writer.next

    # Asked by the writer.

    def line(self, i: int, content: Any) -> bytes:
        return encode_line(self._encoder, self._connection(i, content))

    def template(self, i: int, content: Any, *, written: bool) -> bytes | None:
        if self._plain:
            return None
        begin = self._batch.ends[i - 1] if i else 0
        codes = self._batch.events[begin : self._batch.ends[i], layout.EVENT_CODE].tolist()
        connection = self._connection(i, content)
        return encode_line(self._encoder, _with_placeholders(connection, codes, written=written))

    def written(self, content: Application, start_ns: int, flags: int) -> Written | None:
        assert self._labeler.inside is not None
        return None if self._plain else self._labeler.inside.written(content, start_ns, flags)

    def exchange(self, exchange: Exchange, start_ns: int) -> bytes:
        assert self._labeler.inside is not None
        return self._encoder.encode(_exchange(self._labeler.inside.exchange(exchange, start_ns)))

    def address(self, version: int, high: int, low: int) -> bytes:
        return address(version, high, low).encode()

    def minute(self, minutes: int) -> bytes:
        return second(60 * minutes)[:-2].encode()

    def _connection(self, i: int, content: Any) -> model.Connection:
        return self._labeler.connection(self._batch, i, self._clock_ns, content)


def encode_line(encoder: msgspec.json.Encoder, connection: model.Connection) -> bytes:
    """One connection as a line of JSON."""
    try:
        return encoder.encode(connection) + b"\n"
    except UnicodeEncodeError:  # JSON is Unicode; a file name may not be
        name = connection.capture.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return encoder.encode(msgspec.structs.replace(connection, capture=name)) + b"\n"


def _number(code: int) -> int:
    return filling.PLACEHOLDER + code


def _notes(notes: model.Notes) -> model.Notes:
    counted = [name for name in notes.__struct_fields__ if getattr(notes, name) is not None]
    return model.Notes(**{name: _number(lines.VALUE_NOTES + k) for k, name in enumerate(counted)})


def _with_placeholders(connection: model.Connection, codes: list[int], *, written: bool) -> model.Connection:
    """The connection with placeholders where another one of its shape has other numbers.

    `codes`: EVENT_CODE of its events; `written`: what was found inside it comes as text.
    """
    replace = msgspec.structs.replace
    tcp, timing = connection.tcp, connection.timing
    if tcp.client.initial_sequence_number is not None:
        tcp = replace(tcp, client=replace(tcp.client, initial_sequence_number=_number(lines.VALUE_CLIENT_ISN)))
    if tcp.server.initial_sequence_number is not None:
        tcp = replace(tcp, server=replace(tcp.server, initial_sequence_number=_number(lines.VALUE_SERVER_ISN)))
    if timing.handshake_ns is not None:
        timing = replace(timing, handshake_ns=_number(lines.VALUE_HANDSHAKE))
    opening = [event for event, code in enumerate(codes) if not code & 2]
    closing = [event for event, code in enumerate(codes) if code & 2]
    opened = _verdict(connection.open, opening, lines.VALUE_OPEN_RETRANSMITTED)
    closed = _verdict(connection.close, closing, lines.VALUE_CLOSE_RETRANSMITTED)
    life = connection.lifecycle
    inner: Iterator[_End] = iter(())
    if written:
        connection = _with_texts(connection)
        timing = replace(
            timing,
            tls_ns=None if timing.tls_ns is None else _number(lines.WRITTEN_TLS_NS),
            first_response_ns=None if timing.first_response_ns is None else _number(lines.WRITTEN_FIRST_RESPONSE),
        )
        parts = itertools.count(lines.WRITTEN_PART, 2)
        inner = ((_number(code), _number(code + 1)) for code in parts)
    elif connection.http is not None:
        http = _http(connection.http)
        connection = replace(connection, http=http)
        inner = _end(http.connection)
        if timing.first_response_ns is not None:
            timing = replace(timing, first_response_ns=_number(exchange_lines.HTTP_FIRST_RESPONSE))
    return replace(
        connection,
        id=_number(lines.VALUE_ID),
        tcp_stream=_number(lines.VALUE_STREAM),
        client=model.Endpoint(str(_number(lines.TEXT_CLIENT)), _number(lines.VALUE_CLIENT_PORT)),
        server=model.Endpoint(str(_number(lines.TEXT_SERVER)), _number(lines.VALUE_SERVER_PORT)),
        first_packet=_number(lines.VALUE_FIRST),
        last_packet=_number(lines.VALUE_LAST),
        start=str(_number(lines.TEXT_START)),
        duration_ns=_number(lines.VALUE_DURATION),
        packets=model.PerSide(_number(lines.VALUE_CLIENT_PACKETS), _number(lines.VALUE_SERVER_PACKETS)),
        payload_bytes=model.PerSide(_number(lines.VALUE_CLIENT_BYTES), _number(lines.VALUE_SERVER_BYTES)),
        tcp=tcp,
        open=opened,
        close=closed,
        timing=timing,
        lifecycle=life and _life(life, _end(opened), inner, _end(closed)),
        notes=_notes(connection.notes),
    )


def _with_texts(connection: model.Connection) -> model.Connection:
    """With placeholders for what was found inside the connection and comes as text."""
    found: Any = {
        name: _number(code)
        for name, code in (
            ("tls", lines.WRITTEN_TLS), ("http", lines.WRITTEN_HTTP), ("tunnel", lines.WRITTEN_TUNNEL)
        )
        if getattr(connection, name) is not None
    }  # fmt: skip
    if connection.faults:
        found["faults"] = [_number(lines.WRITTEN_FAULTS)]
    return msgspec.structs.replace(connection, **found)


_End = tuple[int, int]  # packet and time of a part's last step


def _end(verdict: model.Verdict) -> Iterator[_End]:
    for step in verdict.steps[-1:]:
        yield step.last_packet, step.at_ns


def _life(
    life: model.Verdict, opening: Iterator[_End], inner: Iterator[_End], closing: Iterator[_End]
) -> model.Verdict:
    """The whole life refers to the last step of each part."""
    ends = [*opening]
    close = [*closing]
    ends += itertools.islice(inner, len(life.steps) - len(ends) - len(close))
    steps = [
        msgspec.structs.replace(step, packet=packet, last_packet=packet, at_ns=at_ns)
        for step, (packet, at_ns) in zip(life.steps, ends + close, strict=True)
    ]
    return msgspec.structs.replace(life, steps=steps)


_AnyVerdict = TypeVar("_AnyVerdict", bound=model.Verdict)


def _verdict(verdict: _AnyVerdict, events: list[int], retransmitted: int) -> _AnyVerdict:
    """`events`: places of the scope's events among the connection's; the verdict's steps are the first of them."""
    if not verdict.steps:
        return verdict
    steps = []
    for step, event in zip(verdict.steps, events, strict=False):
        code = lines.EVENT + lines.EVENT_WIDTH * event
        steps.append(
            model.Step(
                step.side, step.step, _number(code), _number(code + 1), _number(code + 2), _number(code + 3),
                step.seen, step.retransmission,
            )
        )  # fmt: skip
    return msgspec.structs.replace(verdict, steps=steps, retransmitted=_number(retransmitted))


def _http(http: model.Http) -> model.Http:
    replace = msgspec.structs.replace
    steps = []
    for place, step in enumerate(http.connection.steps):
        code = exchange_lines.HTTP_STEP + exchange_lines.STEP_WIDTH * place
        steps.append(
            replace(
                step, packet=_number(code), last_packet=_number(code + 1), at_ns=_number(code + 2),
                times=_number(code + 3),
            )
        )  # fmt: skip
    exchanges: Any = [_number(exchange_lines.HTTP_EXCHANGES)]
    return replace(
        http,
        connection=replace(http.connection, steps=steps),
        max_concurrent=_number(exchange_lines.HTTP_CONCURRENT),
        exchanges=exchanges,
    )


def _exchange(exchange: model.Exchange) -> model.Exchange:
    """The exchange with placeholders where another one of its shape has other values."""
    replace = msgspec.structs.replace
    codes = exchange_lines
    request, response = exchange.request, exchange.response
    if request is not None:
        request = replace(
            request,
            method=str(_number(codes.EXCHANGE_METHOD)),
            target=str(_number(codes.EXCHANGE_TARGET)),
            authority=None if request.authority is None else str(_number(codes.EXCHANGE_AUTHORITY)),
            packet=_number(codes.EXCHANGE_REQUEST),
            header_bytes=_number(codes.EXCHANGE_REQUEST_HEADER),
            header_bytes_on_wire=_number(codes.EXCHANGE_REQUEST_HEADER),
            body_bytes=_number(codes.EXCHANGE_REQUEST_BODY),
            body_bytes_lost=_number(codes.EXCHANGE_REQUEST_LOST),
        )
    if response is not None:
        response = replace(
            response,
            status=None if response.status is None else _number(codes.EXCHANGE_STATUS),
            packet=_number(codes.EXCHANGE_RESPONSE),
            header_bytes=_number(codes.EXCHANGE_RESPONSE_HEADER),
            header_bytes_on_wire=_number(codes.EXCHANGE_RESPONSE_HEADER),
            body_bytes=_number(codes.EXCHANGE_RESPONSE_BODY),
            body_bytes_lost=_number(codes.EXCHANGE_RESPONSE_LOST),
            last_packet=_number(codes.EXCHANGE_RESPONSE_LAST),
        )
    return replace(
        exchange,
        request=request,
        response=response,
        started_ns=None if exchange.started_ns is None else _number(codes.EXCHANGE_STARTED),
        first_byte_ns=None if exchange.first_byte_ns is None else _number(codes.EXCHANGE_FIRST_BYTE),
        finished_ns=None if exchange.finished_ns is None else _number(codes.EXCHANGE_FINISHED),
        interim=[_number(codes.EXCHANGE_INTERIM)] if exchange.interim else [],
    )
