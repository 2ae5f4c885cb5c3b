# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What is found in one HTTP/2 connection. Everything is bounded; what lies beyond is counted.

Pure-Python mode, types in `findings.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2.exchanges import HeadOfLine, Http2Event, Stall
from analyzer.dissector.registries import name
from analyzer.model import Fault

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.flow_control import FlowControl
    from cython.cimports.analyzer.dissector.http2.frames import Sink
    from cython.cimports.analyzer.dissector.http2.multiplexing import Multiplexing
    from cython.cimports.analyzer.dissector.http2.settings import Settings
    from cython.cimports.analyzer.dissector.http2.streams import Stream
else:
    from analyzer.dissector.http2.flow_control import FlowControl
    from analyzer.dissector.http2.frames import Sink
    from analyzer.dissector.http2.multiplexing import Multiplexing
    from analyzer.dissector.http2.settings import Settings
    from analyzer.dissector.http2.streams import Stream

COMPILED = cython.compiled

MOST_EXCHANGES = 10_000
MOST_EVENTS = 1000  # of the connection, per side and step
MOST_STREAM_EVENTS = 200
MOST_FAULTS = 100
MOST_VIOLATIONS = 10  # of one stream that are steps
MOST_GOAWAYS = 100
MOST_ANNOUNCED = 100  # ALTSVC frames, ORIGIN frames, and origins in one

LAYER = "http2"
VERSION = "HTTP/2"
SIDE_NAMES = cython.declare(tuple, ("client", "server"))


@cython.cclass
class Findings(Sink):
    """`exchanges` in the order of their first frames, `events` (of the connection) in the order they happened, `faults`
    in the order they were noticed. Whoever follows a connection live may take events out of the lists."""

    @cython.cfunc
    def _begin_findings(self) -> cython.void:
        self.exchanges = []
        self.exchanges_beyond = 0
        self.events = []
        self.events_beyond = 0
        self.faults = []
        self.faults_beyond = 0
        self.lost = None  # why frames may be missing: "mid-stream", or the cause of the first gap
        self.goaways = []
        self.goaways_beyond = 0
        self.alternatives = []
        self.origins = []
        self.frame_counts = ({}, {})  # by type, per side
        self.frames_after_close = 0  # of streams that were over
        self.headers_with_priority = 0  # flag PRIORITY, which RFC 9113 §5.3 deprecates
        self.flow = FlowControl()
        self.multiplexing = Multiplexing()
        self._settings = (Settings(), Settings())
        self._counts = ({}, {})  # of steps, per side
        self._said = None

    @property
    def version(self) -> str:
        return VERSION

    @property
    def frames(self) -> dict[str, int]:
        """How many of each type, both sides together."""
        client, server = self.frame_counts
        return {kind: client.get(kind, 0) + server.get(kind, 0) for kind in {**client, **server}}

    @property
    def settings(self) -> tuple[dict[str, int], dict[str, int]]:
        """The last value of what each side set, by name."""
        return cython.cast(Settings, self._settings[0]).sent, cython.cast(Settings, self._settings[1]).sent

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

    @cython.ccall
    def fault(self, packet: cython.longlong, message: str) -> cython.void:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(packet, LAYER, message))
        else:
            self.faults_beyond += 1

    @cython.cfunc
    def _once(self, kind: str, packet: cython.longlong, message: str) -> cython.void:
        """A fault that would be said again and again."""
        said: set = self._said
        if said is None:
            said = self._said = set()
        if kind not in said:
            said.add(kind)
            self.fault(packet, message)

    @cython.cfunc
    def _keep(self, exchange) -> cython.void:
        if len(self.exchanges) < MOST_EXCHANGES:
            self.exchanges.append(exchange)
        else:
            self.exchanges_beyond += 1

    @cython.cfunc
    def _event(self, side: cython.int, step: str, event) -> cython.void:
        """A step of the connection."""
        counts: dict = self._counts[side]
        count = counts.get(step, 0) + 1
        counts[step] = count
        if count > MOST_EVENTS:
            self.events_beyond += 1
        else:
            self.events.append(event)

    @cython.cfunc
    def _stream_event(self, stream: Stream, event) -> cython.void:
        exchange = stream.exchange
        events: list = exchange.events
        event.request = exchange.request
        if len(events) >= MOST_STREAM_EVENTS:
            exchange.events_beyond += 1
        else:
            events.append(event)

    @cython.cfunc
    def _violated(
        self, side: cython.int, number: cython.longlong, stream: Stream | None, error: str, message: str,
        packet: cython.longlong, at_ns: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """A fault, and a step of the stream or of the connection. `message` ends with the section."""
        head, _, section = message.rpartition(" (")
        where = f"stream {number}: " if number else ""
        text = f"{where}{head}: {error} ({section}" if head else f"{where}{message}: {error}"
        event = Http2Event(SIDE_NAMES[side], "Violation", packet, at_ns, number, error=error)
        if stream is None:
            self.fault(packet, text)
            self._event(side, "Violation", event)
            return
        stream.violations += 1
        if stream.violations <= MOST_VIOLATIONS:
            self.fault(packet, text)
            self._stream_event(stream, event)
        else:
            self.faults_beyond += 1


def error_name(code):
    return name("http2-error-codes", code)
