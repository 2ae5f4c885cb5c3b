"""Events as they happen, for live capture: of each connection what came since the last look.

Dissectors list the events that verdicts are made of later; here those lists are read on, and nothing else is done with
the traffic. An event is what was known when it happened: that client and server were taken for each other, or that a
reset was ignored, shows only in the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from analyzer import model
from analyzer.dissector import layout
from analyzer.dissector.applications import Application
from analyzer.dissector.layer import Layer
from analyzer.dissector.recognition import inside, kind_of
from analyzer.dissector.undecided import Undecided
from analyzer.reporter.labels import Labeler, endpoints, timestamp

# Exchanges of one HTTP/2 connection that are watched at a time; of the oldest ones beyond it later events are not told.
MOST_STREAMS = 1000

Who = Callable[[int], tuple[int, list[int]]]  # FLAGS and key of a row
Ends = tuple[model.Endpoint, model.Endpoint]


class _Reader:
    """How far the events of a layer were read."""

    def __init__(self, layer: Any):
        self.layer = layer
        self.read = 0
        self.exchanges = 0
        self.streams: list[tuple[Any, int]] = []  # HTTP/2: exchanges, and how many of their events were read

    def more(self) -> Iterator[tuple[model.Scope, Any]]:
        """Scope and event of what is new."""
        kind = kind_of(cast("type", self.layer.__class__))
        if kind not in ("tls", "http1", "http2"):
            return
        events = self.layer.events
        for event in events[self.read :]:
            yield cast(model.Scope, kind), event
        self.read = len(events)
        if kind == "http2":
            yield from self._streams()

    def _streams(self) -> Iterator[tuple[model.Scope, Any]]:
        exchanges = self.layer.exchanges
        self.streams += [(one, 0) for one in exchanges[self.exchanges :]]
        self.exchanges = len(exchanges)
        for at, (exchange, read) in enumerate(self.streams):
            if len(exchange.events) > read:
                for event in exchange.events[read:]:
                    yield "http2-stream", event
                self.streams[at] = exchange, len(exchange.events)
        if len(self.streams) > MOST_STREAMS:
            del self.streams[: -MOST_STREAMS // 2]


class Watcher:
    """Makes `model.LiveEvent`s out of what the packet stage and the dissectors have noted."""

    def __init__(self, labeler: Labeler):
        self._labeler = labeler
        self._ends: dict[int, Ends] = {}
        self._readers: dict[int, list[_Reader]] = {}

    def events(self, log: npt.NDArray[np.int64], touched: dict[int, Application], who: Who) -> list[model.LiveEvent]:
        """All events since the last call, in the order of their packets. See `Tracker.take_events`."""
        found: list[model.LiveEvent] = []
        for connection, code, packet, time_ns, row in log.tolist():
            side, step, again, closing = self._labeler.meaning(code)
            client, server = self._ends_of(connection, row, who)
            scope: model.Scope = "tcp-close" if closing else "tcp-open"
            found.append(
                model.LiveEvent(
                    timestamp(time_ns), connection, side, step, packet, scope, client, server, retransmission=again
                )
            )
        for connection, application in touched.items():
            readers = self._readers.get(connection)
            if readers is None:
                readers = self._readers[connection] = []
            for at, layer in enumerate(_layers(application)):
                if at == len(readers):
                    readers.append(_Reader(layer))
                elif readers[at].layer is not layer:  # client and server have changed places
                    readers[at] = _Reader(layer)
                for inner, event in readers[at].more():
                    client, server = self._ends_of(connection, application.row, who)
                    found.append(_event(connection, inner, event, client, server))
        found.sort(key=lambda event: event.packet)
        return found

    def forget(self, connections: list[int]) -> None:
        """These are over."""
        for connection in connections:
            self._ends.pop(connection, None)
            self._readers.pop(connection, None)

    def _ends_of(self, connection: int, row: int, who: Who) -> Ends:
        ends = self._ends.get(connection)
        if ends is None:
            flags, key = who(row)
            ends = endpoints(flags, key)
            # A connection without SYN may still turn.
            if flags & layout.BY_SYN:
                self._ends[connection] = ends
        return ends


def _layers(application: Application) -> Iterator[Layer]:
    """From the outside in."""
    layer = application.layer
    while layer is not None:
        yield layer
        layer = next((one.inner for one in inside(layer) if isinstance(one, Undecided)), None)


def _event(
    connection: int, scope: model.Scope, event: Any, client: model.Endpoint, server: model.Endpoint
) -> model.LiveEvent:
    return model.LiveEvent(
        timestamp(event.at_ns),
        connection,
        event.side,
        event.step,
        event.packet,
        scope,
        client,
        server,
        stream=getattr(event, "stream", None) or None,
        detail=_detail(scope, event),
    )


def _detail(scope: str, event: Any) -> str | None:
    """What the event says, in short."""
    match scope, event.step:
        case "tls", "ClientHello":
            return cast("str | None", event.sni)
        case "tls", "ServerHello":
            return " ".join(filter(None, (event.version, event.cipher_suite))) or None
        case "tls", _:
            return cast("str | None", event.description)
        case "http1", step if step != "HTTP Response":
            return None if event.method is None else f"{event.method} {event.target}"
        case "http1", _:
            return None if event.status is None else str(event.status)
        case "http2-stream", "HEADERS" if event.side == "client":
            return None if event.method is None else f"{event.method} {event.target or ''}".rstrip()
        case _, "HEADERS":
            return None if event.status is None else str(event.status)
        case _:
            return cast("str | None", getattr(event, "error", None))
