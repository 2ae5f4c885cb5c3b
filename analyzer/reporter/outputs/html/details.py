"""What the page shows of one connection: its JSON as `--format jsonl` prints it, and what drawings need besides."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from analyzer import model
from analyzer.reporter.alignment import Aligner, Rung
from analyzer.reporter.http import REDACTED, SECRET_FIELDS

if TYPE_CHECKING:
    from analyzer.dissector.samples import Segments

_STREAMS = 1_000  # of a connection, whose verdicts are drawn
_FRAME_WORDS = 4  # of a frame in a log: stream, side, packet, time

Fields = list[tuple[str, str]]


def shown(connection: model.Connection, *, headers: bool, secrets: bool) -> model.Connection:
    """The connection without header fields, or with them, but for the values of those that hold secrets.

    They were read because claims are judged by them.
    """
    if headers and secrets:
        return connection

    def fields(found: Fields | None) -> Fields | None:
        if not headers or found is None:
            return None
        return [(name, REDACTED if name.lower() in SECRET_FIELDS else value) for name, value in found]

    def http(one: model.Http | None) -> model.Http | None:
        if one is None:
            return None
        return msgspec.structs.replace(one, exchanges=[exchange(each) for each in one.exchanges])

    def exchange(one: model.Exchange) -> model.Exchange:
        request = one.request and msgspec.structs.replace(one.request, headers=fields(one.request.headers))
        response = one.response and msgspec.structs.replace(one.response, headers=fields(one.response.headers))
        return msgspec.structs.replace(one, request=request, response=response, trailers=fields(one.trailers))

    tunnel = connection.tunnel and msgspec.structs.replace(connection.tunnel, http=http(connection.tunnel.http))
    return msgspec.structs.replace(connection, http=http(connection.http), tunnel=tunnel)


def details(connection: model.Connection, aligner: Aligner, frames: array[int] | None, start_ns: int) -> dict[str, Any]:
    """`rungs`: by the path of the verdict in the connection, its ladder; `frames`: of HTTP/2, in their order, as
    [stream, side, packet, time in ns since the connection's first packet]."""
    return {
        "connection": connection,
        "rungs": {path: [_rung(one) for one in aligner.align(verdict)] for path, verdict in _verdicts(connection)},
        "frames": None if frames is None else _frames(frames, start_ns),
    }


def _rung(one: Rung) -> list[Any]:
    return [one.mark, one.side, one.name, one.step, one.drawn, one.block]


def _frames(log: array[int], start_ns: int) -> list[list[int]]:
    words = log.tolist()
    return [
        [*words[at : at + 3], words[at + 3] - start_ns] for at in range(0, len(words), _FRAME_WORDS)
    ]  # the fourth is the time


def _verdicts(c: model.Connection) -> Iterator[tuple[str, model.Verdict]]:
    """Those that have a ladder: all but the lifecycle, whose parts they are."""
    yield "open", c.open
    yield "close", c.close
    found: list[tuple[str, model.Tls | None, model.Http | None]] = [("", c.tls, c.http)]
    if c.tunnel:
        found.append(("tunnel.", c.tunnel.tls, c.tunnel.http))
    for before, tls, http in found:
        for at, handshake in enumerate(tls.handshakes if tls else ()):
            yield f"{before}tls.handshakes.{at}", handshake
        if http:
            yield f"{before}http.connection", http.connection
            for at, one in enumerate(http.exchanges[:_STREAMS]):
                if one.verdict:
                    yield f"{before}http.exchanges.{at}.verdict", one.verdict


def segments(found: Segments, start_ns: int) -> dict[str, Any]:
    """Segments as columns. Numbers that grow are written as differences, which are short."""
    return {
        "seen": found.seen,
        "every": found.every,
        "everySpecial": found.every_special,
        "number": _differences(found.number.tolist()),
        "time": _differences([at - start_ns for at in found.time_ns.tolist()]),
        "side": found.side.tolist(),
        "offset": found.offset.tolist(),
        "ack": found.ack.tolist(),
        "payload": found.payload.tolist(),
        "window": found.window.tolist(),
        "flags": found.flags.tolist(),
        "note": found.note.tolist(),
    }


def _differences(numbers: list[int]) -> list[int]:
    return [number - before for number, before in zip(numbers, [0, *numbers[:-1]], strict=True)]
