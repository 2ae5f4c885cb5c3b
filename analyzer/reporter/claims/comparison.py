"""HTTP/1.1 against HTTP/2, measured: the article's comparison table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.claims.found import HTTP_1_1, HTTP_2, NotRead, Row, Seen, shown
from analyzer.reporter.claims.http1 import repeated_bytes
from analyzer.reporter.claims.http2 import has_priority, priority_frames
from analyzer.reporter.outputs.counts import Histogram

_RATIO_DIGITS = 4


class _Headers:
    """Header sections of messages whose fields are known, in bytes."""

    def __init__(self) -> None:
        self.count = self.plain = self.wire = 0

    def add(self, message: model.Request | model.Response | None) -> None:
        if message and message.header_bytes and message.header_bytes_on_wire and not message.header_fields_unknown:
            self.count += 1
            self.plain += message.header_bytes
            self.wire += message.header_bytes_on_wire


class _Spoken:
    """The measures of one version. Of exchanges beyond those that are listed only the number is known."""

    def __init__(self, version: str) -> None:
        self.framed = version == HTTP_2
        self.connections = self.secured = self.unread = self.exchanges = self.most_at_once = 0
        self.frames = self.interleaved = self.texts = self.pushed = self.push_forbidden = 0
        self.priority_frames = self.priority_fields = self.held_up = self.stalls = 0
        self.repeated = self.comparable = 0
        self.requests, self.responses = _Headers(), _Headers()
        self.round_trips, self.setups, self.tcp, self.tls = (Histogram() for _ in range(4))
        self.times, self.first_bytes = Histogram(), Histogram()
        # Capture → its first packet and last response byte of this version, ns since 1970.
        self.spans: dict[str, tuple[int, int]] = {}

    def add(self, seen: Seen, http: model.Http) -> None:
        self.connections += 1
        self.secured += seen.tls is not None
        self.exchanges += words.exchange_count(http)
        self.most_at_once = max(self.most_at_once, http.max_concurrent)
        self.frames += sum(http.frames.values())
        self.priority_frames += priority_frames(http)
        self.push_forbidden += http.settings is not None and http.settings.client.get("ENABLE_PUSH") == 0
        self.held_up += http.head_of_line_waits
        self.stalls += len(http.stalls)
        repeated, comparable, _ = repeated_bytes(http)
        self.repeated += repeated
        self.comparable += comparable
        for one in http.exchanges:
            self._exchange(one)
            if http.connection.outcome != "unseen" or not self.framed:  # else most fields may be unknown
                self.requests.add(one.request)
                self.responses.add(one.response)
        self._times(seen, http)
        if not seen.switched:
            self._setup(seen, http)

    def _exchange(self, one: model.Exchange) -> None:
        self.interleaved += one.interleaved
        self.pushed += one.pushed
        self.priority_fields += has_priority(one)
        if not self.framed:
            self.texts += (one.request is not None) + (one.response is not None) + len(one.interim)
        if one.started_ns is not None and not one.pushed:  # what is pushed was not asked for
            if one.first_byte_ns is not None:
                self.first_bytes.add(max(0, one.first_byte_ns - one.started_ns))
            if one.finished_ns is not None:
                self.times.add(max(0, one.finished_ns - one.started_ns))

    def _times(self, seen: Seen, http: model.Http) -> None:
        last = max((one.finished_ns for one in http.exchanges if one.finished_ns is not None), default=None)
        if last is None:
            return
        start = seen.started_ns
        before = self.spans.get(seen.connection.capture, (start, start + last))
        self.spans[seen.connection.capture] = (min(before[0], start), max(before[1], start + last))

    def _setup(self, seen: Seen, http: model.Http) -> None:
        """Of a connection whose opening was captured: what there was before its first request."""
        connection = seen.connection
        asked = [
            one.started_ns for one in http.exchanges if one.started_ns is not None and one.request and not one.pushed
        ]
        if not asked or not shown(connection.open):
            return
        first = min(asked)
        self.setups.add(first)
        self.round_trips.add(_round_trips(seen, first))
        if connection.timing.handshake_ns is not None:
            self.tcp.add(connection.timing.handshake_ns)
        if connection.timing.tls_ns is not None:
            self.tls.add(connection.timing.tls_ns)

    def total_ns(self) -> int | None:
        return sum(end - start for start, end in self.spans.values()) if self.spans else None


def _round_trips(seen: Seen, first_request_ns: int) -> int:
    """How often the client had to wait for the server in the two handshakes before it sent its first request."""
    steps = list(seen.connection.open.steps)
    if seen.tls is not None and seen.tls.handshakes:
        steps += seen.tls.handshakes[0].steps
    waits, waiting = 0, False
    for step in steps:
        if step.at_ns > first_request_ns:
            continue
        if step.side == "client":
            waiting = True
        elif waiting:
            waits, waiting = waits + 1, False
    return waits


_Value = Callable[[_Spoken], "float | int | None"]


class _Measure(NamedTuple):
    property: str
    measured: str
    unit: str
    value: _Value


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, _RATIO_DIGITS) if whole else None


def _mean(total: int, count: int) -> float | None:
    return round(total / count, 1) if count else None


def _ms(times: Histogram, share: float = 0.5) -> float | None:
    return _in_ms(times.quantile(share)) if times.count else None


def _in_ms(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1e6, 3)


def _median(counts: Histogram) -> int | None:
    return counts.quantile(0.5) if counts.count else None


def _framed(value: Callable[[_Spoken], int]) -> _Value:
    """What only HTTP/2 has."""
    return lambda spoken: value(spoken) if spoken.framed else None


_MEASURES: Final = (
    _Measure("multiplexing", "most exchanges in flight on one connection", "exchanges", lambda v: v.most_at_once),
    _Measure("multiplexing", "exchanges interleaved with others", "exchanges", lambda v: v.interleaved),
    _Measure("binary framing", "frames", "frames", lambda v: v.frames),
    _Measure("binary framing", "messages as text", "messages", lambda v: v.texts),
    _Measure("header compression", "header bytes on the wire, of uncompressed ones", "ratio",
             lambda v: _ratio(v.requests.wire + v.responses.wire, v.requests.plain + v.responses.plain)),
    _Measure("header compression", "header of a request on the wire, mean", "bytes",
             lambda v: _mean(v.requests.wire, v.requests.count)),
    _Measure("header compression", "header of a response on the wire, mean", "bytes",
             lambda v: _mean(v.responses.wire, v.responses.count)),
    _Measure("header compression", "request header that repeats the request before", "ratio",
             lambda v: _ratio(v.repeated, v.comparable)),
    _Measure("server push", "responses pushed", "exchanges", _framed(lambda v: v.pushed)),
    _Measure("server push", "connections that forbid it", "connections", _framed(lambda v: v.push_forbidden)),
    _Measure("security", "connections over TLS", "ratio", lambda v: _ratio(v.secured, v.connections)),
    _Measure("connection set-up", "round trips before the first request, median", "round trips",
             lambda v: _median(v.round_trips)),
    _Measure("connection set-up", "first SYN to first request byte, median", "ms", lambda v: _ms(v.setups)),
    _Measure("connection set-up", "TCP handshake, median", "ms", lambda v: _ms(v.tcp)),
    _Measure("connection set-up", "TLS handshake, median", "ms", lambda v: _ms(v.tls)),
    _Measure("request priority", "frames with a priority", "frames",
             _framed(lambda v: v.priority_frames)),
    _Measure("request priority", "requests with a priority field", "exchanges", lambda v: v.priority_fields),
    _Measure("requests per connection", "connections", "connections", lambda v: v.connections),
    _Measure("requests per connection", "exchanges", "exchanges", lambda v: v.exchanges),
    _Measure("requests per connection", "exchanges per connection, mean", "exchanges",
             lambda v: _mean(v.exchanges, v.connections)),
    _Measure("performance", "first request byte to last response byte, median", "ms", lambda v: _ms(v.times)),
    _Measure("performance", "the same, 95th percentile", "ms", lambda v: _ms(v.times, 0.95)),
    _Measure("performance", "first request byte to first response byte, median", "ms", lambda v: _ms(v.first_bytes)),
    _Measure("performance", "first packet to last response byte, in all", "ms", lambda v: _in_ms(v.total_ns())),
    _Measure("performance", "lost segments that held up other streams", "waits", _framed(lambda v: v.held_up)),
    _Measure("performance", "waits for flow control", "waits", _framed(lambda v: v.stalls)),
)  # fmt: skip


class Comparison:
    """Takes connections one by one."""

    def __init__(self) -> None:
        self._versions = {version: _Spoken(version) for version in (HTTP_1_1, HTTP_2)}

    def add(self, seen: Seen) -> None:
        if seen.http is not None and (spoken := self._versions.get(seen.http.version or "")) is not None:
            spoken.add(seen, seen.http)
        elif seen.unread in self._versions:
            self._versions[seen.unread].unread += 1

    def rows(self) -> list[Row]:
        first, second = self._versions[HTTP_1_1], self._versions[HTTP_2]
        return [
            Row(
                property=measure.property,
                measured=measure.measured,
                http1=measure.value(first) if first.connections else None,
                http2=measure.value(second) if second.connections else None,
                unit=measure.unit,
            )
            for measure in _MEASURES
        ]

    def not_read(self) -> NotRead:
        return NotRead(http1=self._versions[HTTP_1_1].unread, http2=self._versions[HTTP_2].unread)
