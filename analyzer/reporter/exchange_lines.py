# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What templates of connections that speak HTTP/1 depend on, and what is written into their holes.

The verdict of a connection's HTTP follows from where the run of its events in the automaton ends and from the folded
steps, so these are its shape; each exchange is a template of its own. Pure-Python mode, types in `exchange_lines.pxd`.
"""

from __future__ import annotations

import cython
import numpy as np

from analyzer.dissector.unknown import Dissector as _Unknown

if cython.compiled:
    from cython.cimports.analyzer.dissector.applications import Application
    from cython.cimports.analyzer.dissector.http1.connection import Dissector
    from cython.cimports.analyzer.dissector.http1.exchanges import Exchange, HttpEvent, Request, Response
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.analyzer.reporter.filling import Filler
else:
    from analyzer.dissector.applications import Application
    from analyzer.dissector.http1.connection import Dissector
    from analyzer.dissector.http1.exchanges import Exchange, HttpEvent, Request, Response
    from analyzer.dissector.layout import *
    from analyzer.reporter.filling import Filler

COMPILED = cython.compiled

# What placeholders stand for: of the connection's HTTP, then of its folded steps (packet, last packet, time, times),
HTTP = 1900
(HTTP_CONCURRENT, HTTP_FIRST_RESPONSE, HTTP_EXCHANGES) = range(HTTP, HTTP + 3)
HTTP_STEP = 2000
STEP_WIDTH = 4
# and, in the template of an exchange, of that.
EXCHANGE = 3000
(EXCHANGE_METHOD, EXCHANGE_TARGET, EXCHANGE_AUTHORITY, EXCHANGE_REQUEST, EXCHANGE_REQUEST_HEADER, EXCHANGE_REQUEST_BODY,
 EXCHANGE_REQUEST_LOST, EXCHANGE_STATUS, EXCHANGE_RESPONSE, EXCHANGE_RESPONSE_HEADER, EXCHANGE_RESPONSE_BODY,
 EXCHANGE_RESPONSE_LOST, EXCHANGE_RESPONSE_LAST, EXCHANGE_STARTED, EXCHANGE_FIRST_BYTE, EXCHANGE_FINISHED,
 EXCHANGE_INTERIM) = range(EXCHANGE, EXCHANGE + 17)  # fmt: skip

# Folded steps of a connection, and exchanges: beyond these it is encoded by itself.
MOST_STEPS = 64
MOST_EXCHANGES = 1000
# Words of a key that `_inside` may need.
INSIDE_WORDS = 8 + MOST_STEPS
# Symbols and words remembered.
_MOST_REMEMBERED = 65_536

_MOST_STEPS = cython.declare(cython.Py_ssize_t, 64)
_HTTP_CONCURRENT = cython.declare(cython.longlong, 1900)
_HTTP_FIRST_RESPONSE = cython.declare(cython.longlong, 1901)
_HTTP_STEP = cython.declare(cython.longlong, 2000)
_EXCHANGE = cython.declare(cython.longlong, 3000)
_NEVER = cython.declare(cython.longlong, -(1 << 63))  # `exchanges.NEVER`


@cython.cclass
class ExchangeFiller(Filler):
    """`labels` is what knows the words (`lines.Labels`), `automaton` that of scope http1, or None: nothing inside is to
    be listed."""

    def __init__(self, labels, automaton):
        Filler.__init__(self)
        self.labels = labels
        self.automaton = automaton
        self.scratch = bytearray(8 * (16 + MOST_EVENTS + INSIDE_WORDS))
        self.key = memoryview(self.scratch).cast("q")
        self.steps = memoryview(np.zeros((MOST_STEPS, 5), np.int64))  # side and step, packet, last packet, time, times
        self.step_count = 0
        self.shapes = memoryview(np.full(1 << 9, -1, np.int64))  # the templates of exchanges
        self.symbols = {}
        self.words = {}
        self.found = None
        # What the pages test besides; most test nothing that differs much.
        self.tested = ()
        self.only_protocol = False
        if automaton is not None:
            names = {test.name for test in automaton.tests} - {"outstanding", "retransmission"}
            self.tested = tuple(sorted(names))
            self.only_protocol = self.tested == ("protocol",)
            self.complete = memoryview(automaton.complete)
        self.moves = {}

    @cython.cfunc
    def _inside(self, application: Application, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Writes to `key`, from `at` on, all that the text depends on besides numbers; where it ends, 0 if too
        special, -1 if it is not HTTP/1 alone."""
        layer = application.content.inner
        state: cython.longlong = 1
        best: cython.longlong = 0
        following: cython.longlong
        symbol: cython.longlong
        over: cython.bint = False
        first: cython.bint = False
        turn: cython.int = -1
        if application.proxy is not None or application.client.contradicted or application.server.contradicted:
            return 0
        if type(layer) is _Unknown and layer.handover is None:
            return at  # nothing is said of it
        if layer is None:
            return 0
        if self.automaton is None or not isinstance(layer, Dissector):
            return -1
        http: Dissector = layer
        # Faults and divergences name packets in words.
        if http.handover is not None or http._faults is not None or len(http.exchanges) > MOST_EXCHANGES:
            return -1
        self.found = http
        self.step_count = 0
        for event in http.events:
            symbol = self._symbol(event)
            if not over:
                following = self._advance(state, symbol)
                if following == 0:
                    if best == 0:
                        return 0
                    over = True
                else:
                    state = following
                    if self.complete[state]:
                        best = state
            turn = self._fold(event, symbol, at + 3, turn)
            if turn == 0:
                return 0
        for one in http.exchanges:
            exchange: Exchange = one
            if exchange.first_byte != _NEVER:
                first = True
                break
        self.key[at] = (
            self._word(http.lost) << 32 | self._word(http.version) << 8 | application.midstream << 3
            | (application.client.lost != 0 or application.server.lost != 0) << 2 | first << 1 | over
        )  # fmt: skip
        self.key[at + 1] = state << 32 | best
        self.key[at + 2] = len(http.exchanges)
        return at + 3 + self.step_count

    @cython.cfunc
    def _word(self, text) -> cython.longlong:
        """A number for one of few words, or for None."""
        if text is None:
            return 0
        number = self.words.get(text)
        if number is None:
            number = self.words[text] = len(self.words) + 1
        return number

    @cython.cfunc
    def _advance(self, state: cython.longlong, symbol: cython.longlong) -> cython.longlong:
        """`automaton.advance`, remembered."""
        known = state << 32 | symbol
        following = self.moves.get(known)
        if following is None:
            following = self.automaton.advance(state, symbol)
            if symbol >> 32 == 0:
                self.moves[known] = following
            self.complete = memoryview(self.automaton.complete)
        return following

    @cython.cfunc
    def _symbol(self, event: HttpEvent) -> cython.longlong:
        """`automaton.symbol_of`, remembered."""
        common: cython.longlong = event.outstanding << 8 | event.code << 1 | event.by
        if not self.tested or (event.protocol is None and self.only_protocol):
            known = common
        else:
            known = (common, *[getattr(event, name, None) for name in self.tested])
        symbol = self.symbols.get(known)
        if symbol is None:
            if len(self.symbols) >= _MOST_REMEMBERED:
                self.symbols.clear()
            symbol = self.symbols[known] = self.automaton.symbol_of(event)
        return symbol

    @cython.cfunc
    def _fold(self, event: HttpEvent, symbol: cython.longlong, at: cython.Py_ssize_t, turn: cython.int) -> cython.int:
        """As `http.fold` does: where the step is that the event became, from the end; 0 if there are too many."""
        what: cython.longlong = event.code << 1 | event.by
        count: cython.Py_ssize_t = self.step_count
        other: cython.int
        for other in range(2):
            if other == 1:
                turn = -3 - turn
            if -turn <= count and self.steps[count + turn, 0] == what:
                self.steps[count + turn, 2] = event.packet
                self.steps[count + turn, 4] += 1
                return turn
        if count == _MOST_STEPS:
            return 0
        self.key[at + count] = symbol
        self.steps[count, 0] = what
        self.steps[count, 1] = event.packet
        self.steps[count, 2] = event.packet
        self.steps[count, 3] = event.at_ns
        self.steps[count, 4] = 1
        self.step_count = count + 1
        return -1

    @cython.cfunc
    def _fill_inside(self, code: cython.longlong, start: cython.longlong) -> cython.int:
        """Writes what a placeholder stands for. `start`: time of the connection's first packet."""
        step: cython.Py_ssize_t
        first: cython.longlong = _NEVER
        more: cython.bint = False
        exchange: Exchange
        if code >= _HTTP_STEP:
            step = (code - _HTTP_STEP) // 4
            if (code - _HTTP_STEP) % 4 == 2:
                self._number(self.steps[step, 3] - start)
            else:
                self._number(self.steps[step, 1 + (code - _HTTP_STEP) % 4])
        elif code == _HTTP_CONCURRENT:
            self._number(self.found.max_outstanding)
        elif code == _HTTP_FIRST_RESPONSE:
            for one in self.found.exchanges:
                exchange = one
                if exchange.first_byte != _NEVER and (first == _NEVER or exchange.first_byte < first):
                    first = exchange.first_byte
            self._number(first - start)
        else:
            for one in self.found.exchanges:
                if more:
                    self._room(1)
                    self.out[self.at] = 44  # ,
                    self.at += 1
                self._exchange(one, start)
                more = True

    @cython.cfunc
    def _exchange(self, one: Exchange, start: cython.longlong) -> cython.int:
        """An exchange, from the template of its shape."""
        request: Request = one.request
        response: Response = one.response
        shape: cython.longlong = 0
        template: cython.longlong
        part: cython.Py_ssize_t
        at: cython.Py_ssize_t
        code: cython.longlong
        if request is not None:
            shape |= 1 | (request.authority is not None) << 1
        if response is not None:
            shape |= 4 | (response.code >= 0) << 3 | response.complete << 4
        shape |= (one.started != _NEVER) << 5 | (one.first_byte != _NEVER) << 6 | (one.finished != _NEVER) << 7
        if one.interim:
            shape |= 256
        template = self.shapes[shape]
        if template < 0:
            template = self.shapes[shape] = self._learn(self.labels.exchange(one, start))
        part = template >> 32
        at = template & 0x7FFFFFFF
        while True:
            self._copy(at, self.parts[part])
            at = self.parts[part]
            code = self.parts[part + 1] - _EXCHANGE
            part += 2
            if code < 0:
                return 0
            if code == 0:
                self._quoted(request.method)
            elif code == 1:
                self._quoted(request.target)
            elif code == 2:
                self._quoted(request.authority)
            elif code == 3:
                self._number(request.packet)
            elif code == 4:
                self._number(request.header_bytes)
            elif code == 5:
                self._number(request.body_bytes)
            elif code == 6:
                self._number(request.body_lost)
            elif code == 7:
                self._number(response.code)
            elif code == 8:
                self._number(response.packet)
            elif code == 9:
                self._number(response.header_bytes)
            elif code == 10:
                self._number(response.body_bytes)
            elif code == 11:
                self._number(response.body_lost)
            elif code == 12:
                self._number(response.last_packet)
            elif code == 13:
                self._number(one.started - start)
            elif code == 14:
                self._number(one.first_byte - start)
            elif code == 15:
                self._number(one.finished - start)
            else:
                self._put(",".join(map(str, one.interim)).encode())
