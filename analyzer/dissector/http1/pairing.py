"""Requests and responses of one connection: which answers which, what the flow pages see of it, and what was wrong.

RFC 9112 §9.2: responses come in the order of the requests. Everything is bounded; what lies beyond is counted.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from analyzer.dissector.http1.exchanges import Exchange, HttpEvent, Response
from analyzer.model import Fault, Side

MOST_OUTSTANDING: Final = 10_000
MOST_EXCHANGES: Final = 100_000
MOST_EVENTS: Final = 250_000
MOST_INTERIM: Final = 100  # of one exchange
MOST_FAULTS: Final = 100

SIDE_NAMES: Final[tuple[Side, Side]] = ("client", "server")
LAYER: Final = "http"


class Pairing:
    """`exchanges` in the order of their requests, `events` in the order they happened, `faults` in the order they were
    noticed. Whoever follows a connection live may take events out of the list."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.events: list[HttpEvent] = []
        self.faults: list[Fault] = []
        self.exchanges_beyond = 0
        self.events_beyond = 0
        self.faults_beyond = 0
        self.version: str | None = None  # the lowest that a message had
        self.max_outstanding = 0  # 2 and more: pipelining
        self._outstanding: deque[Exchange] = deque()
        self._unasked: list[int] = []  # packets of responses to nothing, unless it turns out that requests were lost
        self._requests_lost = False

    def fault(self, packet: int, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(packet, LAYER, message))
        else:
            self.faults_beyond += 1

    def _saw_version(self, version: str) -> None:
        if self.version is None or version < self.version:
            self.version = version

    def _keep(self, exchange: Exchange) -> None:
        if len(self.exchanges) < MOST_EXCHANGES:
            self.exchanges.append(exchange)
        else:
            self.exchanges_beyond += 1

    def _ask(self, exchange: Exchange, *, packet: int) -> None:
        """A request waits for its response from now on."""
        self._keep(exchange)
        waiting = self._outstanding
        if len(waiting) >= MOST_OUTSTANDING:
            if len(waiting) == MOST_OUTSTANDING and self.max_outstanding == MOST_OUTSTANDING:
                self.max_outstanding += 1
                message = f"more than {MOST_OUTSTANDING} requests wait for a response: the others are not paired"
                self.fault(packet, message)
            return
        waiting.append(exchange)
        if len(waiting) > self.max_outstanding:
            self.max_outstanding = len(waiting)

    def _answers(self, exchange: Exchange | None, packet: int) -> Exchange:
        """The exchange a final response belongs to; a new one if nobody asked."""
        if exchange is not None:
            return exchange
        if not self._requests_lost:
            self._unasked.append(packet)
            if len(self._unasked) > MOST_FAULTS:
                self._blame()
        exchange = Exchange()
        self._keep(exchange)
        return exchange

    def _blame(self) -> None:
        """It is clear by now that no requests were lost: responses to nothing are faults."""
        for packet in self._unasked:
            # A server may send 408 to a client that says nothing (RFC 9110 §15.5.9), and then close.
            self.fault(packet, "a response that answers no request (RFC 9112 §9.2)")
        self._unasked.clear()

    def _forgive(self) -> None:
        """Requests may have been lost: a response without one is no fault."""
        self._unasked.clear()
        self._requests_lost = True

    def _answered(self, exchange: Exchange) -> None:
        if self._outstanding and self._outstanding[0] is exchange:
            self._outstanding.popleft()

    def _event(
        self,
        side: int,
        step: str,
        packet: int,
        at_ns: int,
        outstanding: int,
        exchange: Exchange | None,
        version: str | None,
        status: int | None = None,
        protocol: str | None = None,
    ) -> None:
        if len(self.events) >= MOST_EVENTS:
            self.events_beyond += 1
            return
        request = exchange.request if exchange is not None else None
        method = target = authority = None
        if request is not None:
            method, target, authority = request.method, request.target, request.authority
        name = SIDE_NAMES[side]
        self.events.append(
            HttpEvent(name, step, packet, at_ns, outstanding, method, target, authority, status, version, protocol)
        )

    def _response_event(
        self, step: str, exchange: Exchange, packet: int, at_ns: int, protocol: str | None = None
    ) -> None:
        response = exchange.response
        assert response is not None
        others = self._others(exchange)
        self._event(1, step, packet, at_ns, others, exchange, response.version, response.status, protocol)

    def _others(self, exchange: Exchange | None) -> int:
        """How many other requests wait for a response."""
        waiting = self._outstanding
        return len(waiting) - 1 if waiting and waiting[0] is exchange else len(waiting)

    def _respond(self, exchange: Exchange, response: Response, began_ns: int) -> None:
        exchange.response = response
        exchange.first_byte_ns = began_ns
        request = exchange.request
        exchange.persistent = response.persistent and (request is None or request.persistent)
