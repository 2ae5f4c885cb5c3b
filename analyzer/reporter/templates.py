"""What the line writer needs to know of labels: the text of a connection, with placeholders for its numbers."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np

from analyzer import model
from analyzer.dissector import layout
from analyzer.dissector.tracker import Finished
from analyzer.reporter import lines
from analyzer.reporter.labels import Labeler, address, second

_NOTHING = np.zeros((0, 0), np.int64)
_EMPTY = Finished(_NOTHING, np.zeros((0, 0), np.uint64), _NOTHING, np.zeros(0, np.int64))


class Lines:
    """JSON Lines of finished connections: the same text as encoding what `Labeler.connections` yields, much faster."""

    def __init__(self, labeler: Labeler):
        self._labeler = labeler
        self._encoder = msgspec.json.Encoder()
        self._writer = lines.LineWriter(self)
        self._batch, self._clock_ns = _EMPTY, 0
        # A capture whose name looks like a placeholder, or cannot be written as UTF-8, is written one by one.
        self._plain = not labeler.capture.isascii() or str(lines.PLACEHOLDER)[:12] in labeler.capture

    def write(self, finished: Finished, clock_ns: int) -> bytes:
        """One line per connection. `clock_ns`: the capture's latest time so far."""
        self._batch, self._clock_ns = finished, clock_ns
        return self._writer.write(*finished, clock_ns)

    # Asked by the writer.

    def line(self, i: int) -> bytes:
        return encode_line(self._encoder, self._connection(i))

    def template(self, i: int) -> bytes | None:
        if self._plain:
            return None
        begin = self._batch.ends[i - 1] if i else 0
        codes = self._batch.events[begin : self._batch.ends[i], layout.EVENT_CODE].tolist()
        return encode_line(self._encoder, _with_placeholders(self._connection(i), codes))

    def address(self, version: int, high: int, low: int) -> bytes:
        return address(version, high, low).encode()

    def second(self, seconds: int) -> bytes:
        return second(seconds).encode()

    def _connection(self, i: int) -> model.Connection:
        return self._labeler.connection(self._batch, i, self._clock_ns)


def encode_line(encoder: msgspec.json.Encoder, connection: model.Connection) -> bytes:
    """One connection as a line of JSON."""
    try:
        return encoder.encode(connection) + b"\n"
    except UnicodeEncodeError:  # JSON is Unicode; a file name may not be
        name = connection.capture.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return encoder.encode(msgspec.structs.replace(connection, capture=name)) + b"\n"


def _number(code: int) -> int:
    return lines.PLACEHOLDER + code


def _with_placeholders(connection: model.Connection, codes: list[int]) -> model.Connection:
    """The connection with placeholders where another one of its shape has other numbers.

    `codes`: EVENT_CODE of its events.
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
        lifecycle=_life(connection.lifecycle, {"ref tcp-open": opened, "ref tcp-close": closed}),
        notes=model.Notes(*(_number(lines.VALUE_NOTES + k) for k in range(lines.NOTES))),
    )


def _life(life: model.Verdict | None, parts: dict[str, model.Verdict]) -> model.Verdict | None:
    """The whole life refers to the last step of each part."""
    if life is None:
        return None
    steps = []
    for step in life.steps:
        last = parts[step.step].steps[-1]
        steps.append(
            msgspec.structs.replace(step, packet=last.last_packet, last_packet=last.last_packet, at_ns=last.at_ns)
        )
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
