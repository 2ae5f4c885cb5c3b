# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Requests and responses of one connection: which answers which, what the flow pages see of it, and what was wrong.

RFC 9112 §9.2: responses come in the order of the requests. Everything is bounded; what lies beyond is counted.
Pure-Python mode, types in `pairing.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.model import Fault

if cython.compiled:
    from cython.cimports.analyzer.dissector.http1.exchanges import Exchange, HttpEvent, Response
    from cython.cimports.analyzer.dissector.layer import Layer
else:
    from analyzer.dissector.http1.exchanges import Exchange, HttpEvent, Response
    from analyzer.dissector.layer import Layer

COMPILED = cython.compiled

MOST_OUTSTANDING = 10_000
MOST_EXCHANGES = 100_000
MOST_EVENTS = 250_000
MOST_INTERIM = 100  # of one exchange
MOST_FAULTS = 100

LAYER = "http"


@cython.no_gc
@cython.cclass
class Pairing(Layer):
    """`exchanges` in the order of their requests, `events` in the order they happened, `faults` in the order they were
    noticed. Whoever follows a connection live may take events out of the list."""

    @cython.cfunc
    def _begin_pairing(self) -> cython.void:
        self.exchanges = []
        self.events = []
        self._faults = None
        self.exchanges_beyond = 0
        self.events_beyond = 0
        self.faults_beyond = 0
        self.version = None  # the lowest that a message had
        self.max_outstanding = 0  # 2 and more: pipelining
        self._first = None  # the exchange that waits for its response longest
        self._others = None  # the others, in order
        self._waiting = 0  # how many wait
        self._unasked = None  # packets of responses to nothing, unless it turns out that requests were lost
        self._requests_lost = False

    @property
    def faults(self) -> list[Fault]:
        """What was wrong with the traffic."""
        return self._faults or []

    def fault(self, packet, message) -> None:
        if self._faults is None:
            self._faults = []
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(packet, LAYER, message))
        else:
            self.faults_beyond += 1

    @cython.cfunc
    def _saw_version(self, version: str) -> cython.void:
        if self.version is None or (version is not self.version and version < self.version):
            self.version = version

    @cython.cfunc
    def _keep(self, exchange: Exchange) -> cython.void:
        if len(self.exchanges) < MOST_EXCHANGES:
            self.exchanges.append(exchange)
        else:
            self.exchanges_beyond += 1

    @cython.cfunc
    def _ask(self, exchange: Exchange, packet: cython.longlong) -> cython.void:
        """A request waits for its response from now on."""
        self._keep(exchange)
        if self._waiting >= MOST_OUTSTANDING:
            if self._waiting == MOST_OUTSTANDING and self.max_outstanding == MOST_OUTSTANDING:
                self.max_outstanding += 1
                message = f"more than {MOST_OUTSTANDING} requests wait for a response: the others are not paired"
                self.fault(packet, message)
            return
        if self._first is None:
            self._first = exchange
        else:
            if self._others is None:
                self._others = []
            self._others.append(exchange)
        self._waiting += 1
        if self._waiting > self.max_outstanding:
            self.max_outstanding = self._waiting

    @cython.cfunc
    def _answers(self, exchange: Exchange | None, packet: cython.longlong) -> Exchange:
        """The exchange a final response belongs to; a new one if nobody asked."""
        if exchange is not None:
            return exchange
        if not self._requests_lost:
            if self._unasked is None:
                self._unasked = []
            self._unasked.append(packet)
            if len(self._unasked) > MOST_FAULTS:
                self._blame()
        exchange = Exchange()
        self._keep(exchange)
        return exchange

    @cython.cfunc
    def _blame(self) -> cython.void:
        """It is clear by now that no requests were lost: responses to nothing are faults."""
        unasked: list = self._unasked or []
        self._unasked = None
        for packet in unasked:
            # A server may send 408 to a client that says nothing (RFC 9110 §15.5.9), and then close.
            self.fault(packet, "a response that answers no request (RFC 9112 §9.2)")

    @cython.cfunc
    def _forgive(self) -> cython.void:
        """Requests may have been lost: a response without one is no fault."""
        self._unasked = None
        self._requests_lost = True

    @cython.cfunc
    def _answered(self, exchange: Exchange) -> cython.void:
        if self._first is exchange:
            self._first = self._others.pop(0) if self._others else None
            self._waiting -= 1

    @cython.cfunc
    def _event(
        self, side: cython.int, step: cython.int, packet: cython.longlong, at_ns: cython.longlong,
        outstanding: cython.int, exchange: Exchange | None, version: str | None, status: cython.int,
        protocol: str | None,
    ) -> cython.void:  # fmt: skip
        """`step`: as in exchanges.py; `status`: -1 if there is none."""
        if len(self.events) >= MOST_EVENTS:
            self.events_beyond += 1
            return
        event: HttpEvent = HttpEvent()
        event.by = side
        event.code = step
        event.packet = packet
        event.at_ns = at_ns
        event.outstanding = outstanding
        if exchange is not None:
            event.request = exchange.request
        event.said = status
        event.version = version
        event.protocol = protocol
        self.events.append(event)

    @cython.cfunc
    def _response_event(
        self,
        step: cython.int,
        exchange: Exchange,
        packet: cython.longlong,
        at_ns: cython.longlong,
        protocol: str | None,
    ) -> cython.void:
        response: Response = exchange.response
        others: cython.int = self._besides(exchange)
        self._event(1, step, packet, at_ns, others, exchange, response.version, response.code, protocol)

    @cython.cfunc
    def _besides(self, exchange: Exchange | None) -> cython.int:
        """How many other requests wait for a response."""
        return self._waiting - 1 if self._waiting and self._first is exchange else self._waiting

    @cython.cfunc
    def _respond(self, exchange: Exchange, response: Response, began_ns: cython.longlong) -> cython.void:
        exchange.response = response
        exchange.first_byte = began_ns
        exchange.persistent = response.persistent and (exchange.request is None or exchange.request.persistent)
