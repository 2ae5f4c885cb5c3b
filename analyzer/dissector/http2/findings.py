"""What is found in one HTTP/2 connection. Everything is bounded; what lies beyond is counted."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.http2.exchanges import (
    Alternative,
    Exchange,
    Goaway,
    HeadOfLine,
    Http2Event,
    Origins,
    Stall,
)
from analyzer.dissector.http2.flow_control import FlowControl
from analyzer.dissector.http2.multiplexing import Multiplexing
from analyzer.dissector.http2.settings import Settings
from analyzer.dissector.http2.streams import Stream
from analyzer.dissector.layer import Layer
from analyzer.dissector.registries import name
from analyzer.model import Fault, Side

MOST_EXCHANGES: Final = 10_000
MOST_EVENTS: Final = 1000  # of the connection, per side and step
MOST_STREAM_EVENTS: Final = 200
MOST_FAULTS: Final = 100
MOST_VIOLATIONS: Final = 10  # of one stream that are steps
MOST_GOAWAYS: Final = 100
MOST_ANNOUNCED: Final = 100  # ALTSVC frames, ORIGIN frames, and origins in one

LAYER: Final = "http2"
VERSION: Final = "HTTP/2"
SIDE_NAMES: Final[tuple[Side, Side]] = ("client", "server")


class Findings(Layer):
    """`exchanges` in the order of their first frames, `events` (of the connection) in the order they happened, `faults`
    in the order they were noticed. Whoever follows a connection live may take events out of the lists."""

    version = VERSION

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.exchanges_beyond = 0
        self.events: list[Http2Event] = []
        self.events_beyond = 0
        self.faults: list[Fault] = []
        self.faults_beyond = 0
        self.lost: str | None = None  # why frames may be missing: "mid-stream", or the cause of the first gap
        self.goaways: list[Goaway] = []
        self.goaways_beyond = 0
        self.alternatives: list[Alternative] = []
        self.origins: list[Origins] = []
        self.frame_counts: tuple[dict[str, int], dict[str, int]] = ({}, {})  # by type, per side
        self.frames_after_close = 0  # of streams that were over
        self.headers_with_priority = 0  # flag PRIORITY, which RFC 9113 §5.3 deprecates
        self.flow = FlowControl()
        self.multiplexing = Multiplexing()
        self._settings = (Settings(), Settings())
        self._counts: dict[tuple[int, str], int] = {}
        self._said: set[str] = set()

    @property
    def frames(self) -> dict[str, int]:
        """How many of each type, both sides together."""
        client, server = self.frame_counts
        return {kind: client.get(kind, 0) + server.get(kind, 0) for kind in {**client, **server}}

    @property
    def settings(self) -> tuple[dict[str, int], dict[str, int]]:
        """The last value of what each side set, by name."""
        return self._settings[0].sent, self._settings[1].sent

    @property
    def max_concurrent(self) -> int:
        """Most exchanges in flight at once."""
        return self.multiplexing.most

    @property
    def frame_switches(self) -> tuple[int, int]:
        """Per side, how often HEADERS or DATA of another stream followed."""
        return self.multiplexing.switches[0], self.multiplexing.switches[1]

    @property
    def stalls(self) -> list[Stall]:
        return self.flow.stalls

    @property
    def head_of_line(self) -> list[HeadOfLine]:
        return self.multiplexing.head_of_line

    def fault(self, packet: int, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(packet, LAYER, message))
        else:
            self.faults_beyond += 1

    def _once(self, kind: str, packet: int, message: str) -> None:
        """A fault that would be said again and again."""
        if kind not in self._said:
            self._said.add(kind)
            self.fault(packet, message)

    def _keep(self, exchange: Exchange) -> None:
        if len(self.exchanges) < MOST_EXCHANGES:
            self.exchanges.append(exchange)
        else:
            self.exchanges_beyond += 1

    def _event(self, event: Http2Event) -> None:
        """A step of the connection."""
        key = 0 if event.side == "client" else 1, event.step
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count > MOST_EVENTS:
            self.events_beyond += 1
        else:
            self.events.append(event)

    def _stream_event(self, stream: Stream, event: Http2Event) -> None:
        exchange = stream.exchange
        event.request = exchange.request
        if len(exchange.events) >= MOST_STREAM_EVENTS:
            exchange.events_beyond += 1
        else:
            exchange.events.append(event)

    def _violated(
        self, side: int, number: int, stream: Stream | None, error: str, message: str, packet: int, at_ns: int
    ) -> None:
        """A fault, and a step of the stream or of the connection. `message` ends with the section."""
        head, _, section = message.rpartition(" (")
        where = f"stream {number}: " if number else ""
        text = f"{where}{head}: {error} ({section}" if head else f"{where}{message}: {error}"
        event = Http2Event(SIDE_NAMES[side], "Violation", packet, at_ns, number, error=error)
        if stream is None:
            self.fault(packet, text)
            self._event(event)
            return
        stream.violations += 1
        if stream.violations <= MOST_VIOLATIONS:
            self.fault(packet, text)
            self._stream_event(stream, event)
        else:
            self.faults_beyond += 1


def error_name(code: int) -> str:
    return name("http2-error-codes", code)
