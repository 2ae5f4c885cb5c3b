# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Requests and responses, once their heads are read. RFC 9112 if no other document is named.

Pure-Python mode, types in `messages.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.handover import Handover
from analyzer.dissector.http1.odd import HTTP_0_9, text_of
from analyzer.dissector.http1.pairing import MOST_INTERIM
from analyzer.dissector.websocket import Dissector as WebSocket
from analyzer.dissector.websocket import accept_of

if cython.compiled:
    from cython.cimports.analyzer.dissector.http1.bodies import Bodies
    from cython.cimports.analyzer.dissector.http1.exchanges import Exchange, Message, Request, Response
    from cython.cimports.analyzer.dissector.http1.head import Fields, RequestLine, parse_request_line
    from cython.cimports.analyzer.dissector.http1.side import Side
    from cython.cimports.analyzer.dissector.http1.states import *
else:
    from analyzer.dissector.http1.bodies import Bodies
    from analyzer.dissector.http1.exchanges import Exchange, Message, Request, Response
    from analyzer.dissector.http1.head import Fields, RequestLine, parse_request_line
    from analyzer.dissector.http1.side import Side
    from analyzer.dissector.http1.states import *

COMPILED = cython.compiled

_VERSION_1_0 = cython.declare(str, "HTTP/1.0")


@cython.no_gc
@cython.cclass
class Messages(Bodies):
    """What a head means for the exchange, for the body behind it, and for the connection."""

    @cython.cfunc
    def _begin(self, head_limit: cython.longlong, keep_fields: cython.bint) -> cython.void:
        Bodies._begin(self, head_limit, keep_fields)
        self._simple = False  # there was an HTTP/0.9 request
        self._websocket_key = None
        self.http2_settings = None  # of the last request that asked for an Upgrade, RFC 7540 §3.2.1

    # Requests

    @cython.cfunc
    def _request(
        self, s: Side, line: RequestLine, fields: Fields, kind: cython.int, length: cython.longlong,
        size: cython.longlong, event: cython.bint,
    ) -> cython.void:  # fmt: skip
        """A request whose head, of `size` bytes, was read; `kind` and `length` say what body follows."""
        packet: cython.longlong = s.began_packet
        authority: str = line.authority
        recent: cython.bint = line.version > _VERSION_1_0
        if line.fault is not None:
            self.fault(packet, line.fault)
        if authority is None and fields.hosts:
            authority = fields.host()
        if fields.hosts != 1 and (fields.hosts or recent):
            self.fault(packet, f"{fields.hosts or 'no'} Host fields in a request (RFC 9112 §3.2)")
        if s.said_close:
            self.fault(packet, "a request after one with `Connection: close` (RFC 9112 §9.6)")
        if fields.faults or fields.length_faults:
            for fault in fields.faults + fields.length_faults:
                self.fault(packet, fault)
        s.said_close = fields.close
        request: Request = Request()
        request.method = line.method
        request.target = line.target
        request.authority = authority
        request.version = line.version
        request.packet = packet
        request.head_packet = request.last_packet = s.packet
        request.header_bytes = size
        request.persistent = not s.said_close and (recent or fields.keep_alive)
        if self._keep_fields:
            request.block = fields.block
        exchange: Exchange = self._asked(s, request, event)
        if line.method == "CONNECT":
            s.hold = exchange
        elif fields.upgrade and fields.upgrades:
            s.hold = exchange
            self._websocket_key = fields.first(b"\nsec-websocket-key:")
            self.http2_settings = fields.first(b"\nhttp2-settings:")
        if exchange.response is not None:  # it came early
            s.hold = None
        s.message = request
        s.exchange = exchange
        self._begin_body(s, kind, length)

    @cython.cfunc
    def _asked(self, s: Side, request: Request, event: cython.bint) -> Exchange:
        exchange: Exchange = s.early
        waiting: cython.int = self._waiting
        s.messages += 1
        self._saw_version(request.version)
        if exchange is not None:
            s.early = None
            exchange.request = request
            if exchange.response is not None:
                exchange.persistent = request.persistent and exchange.response.persistent
            return exchange
        if waiting and self.server.state == LOST:
            self._infer_answer()
            waiting = self._waiting
        exchange = Exchange()
        exchange.request = request
        exchange.started = s.began_ns
        self._ask(exchange, s.packet)
        if event:
            self._event(CLIENT, HTTP_REQUEST, s.packet, s.at_ns, waiting, exchange, request.version, -1, None)
        return exchange

    def _infer_answer(self) -> None:
        """The end of a response was lost, and the client asks again. One that never pipelined has got the answer."""
        server: Side = self.server
        asked: Exchange = self._first
        request: Request = asked.request
        if self.max_outstanding > 1 or request is None or server.lost_packet <= request.packet:
            return
        message: Message = server.message
        if message is None:
            self._answered(asked)  # it was never seen
            return
        cut: str = message.cut
        message.cut = None
        self._end_message(server, None, True)
        message.cut = cut
        server.state = LOST

    def _simple_request(self, s: Side, line: RequestLine, size):
        """HTTP/0.9 (RFC 1945 §4.1): one line, and a response without head."""
        request: Request = _request_of(line, s, size)
        request.complete = True
        self._simple = True
        self._asked(s, request, True)
        return size

    @cython.cfunc
    def _request_before_its_end(self, s: Side) -> Exchange | None:
        """A response came while a request's head was on its way: it answers that one. None if there is none."""
        client: Side = self.client
        if not client.line_seen or client.early is not None:
            return None
        line: RequestLine = parse_request_line(bytes(client.buffer[: client.buffer.index(b"\n")]).removesuffix(b"\r"))
        if line is None:
            return None
        exchange: Exchange = Exchange()
        exchange.request = _request_of(line, client, len(client.buffer))
        exchange.started = client.began_ns
        client.early = exchange
        self._ask(exchange, s.packet)
        self._event(CLIENT, HTTP_REQUEST, client.packet, client.at_ns, 0, exchange, line.version, -1, None)
        return exchange

    # Responses

    @cython.cfunc
    def _response(
        self, s: Side, version: str, status: cython.int, fields: Fields, size: cython.longlong, known: cython.bint
    ) -> cython.void:
        """A response whose head, of `size` bytes, was read. `known`: to its end, so that the body's can be, too."""
        packet: cython.longlong = s.began_packet
        interim: cython.bint = 100 <= status < 200
        exchange: Exchange = self._first if self._waiting else self._request_before_its_end(s)
        if fields.faults:
            for fault in fields.faults:
                self.fault(packet, fault)
        if s.said_close:
            self.fault(packet, "a response after one with `Connection: close` (RFC 9112 §9.6)")
            s.said_close = False
        self._saw_version(version)
        s.messages += 1
        if interim and status != 101:
            self._interim(s, exchange, version, status)
            if not known:
                self._lose(s, None, "framing")
            return
        exchange = self._answers(exchange, packet)
        request: Request = exchange.request
        tunnel: cython.bint = request is not None and 200 <= status < 300 and request.method == "CONNECT"
        kind: cython.int = UNKNOWN
        if known and tunnel:
            kind = NO_BODY
        elif known:
            head: cython.bint = request is not None and request.method == "HEAD"
            fields.frame(version, True, interim or head or status == 204 or status == 304)
            kind = fields.kind
            if fields.length_faults:
                for fault in fields.length_faults:
                    self.fault(packet, fault)
        s.said_close = fields.close
        response: Response = Response()
        response.code = status
        response.version = version
        response.packet = packet
        response.head_packet = response.last_packet = s.packet
        response.header_bytes = size
        response.persistent = kind != BY_CLOSE and not s.said_close and (version > _VERSION_1_0 or fields.keep_alive)
        if self._keep_fields:
            response.block = fields.block
        self._respond(exchange, response, s.began_ns)
        s.message = response
        s.exchange = exchange
        if tunnel:
            self._hand_over(s, exchange, TUNNEL, "tunnel")
        elif interim:
            self._switch(s, exchange, fields)
        else:
            self._begin_body(s, kind, fields.length)

    def _interim(self, s: Side, exchange: Exchange | None, version, status):
        """RFC 9110 §15.2."""
        if exchange is None:
            self.fault(s.began_packet, f"an interim response {status} that answers no request (RFC 9110 §15.2)")
        elif len(exchange.interim) < MOST_INTERIM:
            exchange.interim = [*exchange.interim, status]
        others: cython.int = self._besides(exchange)
        self._event(SERVER, INTERIM_RESPONSE, s.packet, s.at_ns, others, exchange, version, status, None)

    @cython.cfunc
    def _is_simple_response(self) -> cython.bint:
        first: Exchange = self._first
        return first is not None and first.request is not None and first.request.version == HTTP_0_9

    def _simple_response(self, s: Side, data, at):
        """HTTP/0.9: a body and nothing else. Servers of today may answer with a status line all the same."""
        buffer = s.waiting()
        if not buffer:
            s.began_ns, s.began_packet = s.at_ns, s.packet
        end = at + 5 - len(buffer)
        buffer += data[at:end]
        first = bytes(buffer)
        if first == b"HTTP/":
            self._simple = False
            buffer.clear()
            s.pushback = first
        elif not b"HTTP/".startswith(first):
            self._begin_simple_response(s)
        return min(end, len(data))

    def _begin_simple_response(self, s: Side):
        """The buffer holds the first bytes of its body."""
        response: Response = Response()
        response.version = HTTP_0_9
        response.packet = response.head_packet = s.began_packet
        response.last_packet = s.packet
        s.message = response
        s.exchange = self._first
        s.messages += 1
        self._respond(s.exchange, response, s.began_ns)
        self._begin_body(s, BY_CLOSE, 0)
        if self.sink is not None:
            self.sink.body(s.message, bytes(s.buffer))
        self._take_body(s, len(s.buffer))
        s.buffer.clear()

    # Changes of the protocol

    def _switch(self, s: Side, exchange: Exchange, fields: Fields):
        """101: RFC 9110 §7.8."""
        names = fields.tokens(b"\nupgrade:")
        if not names:
            self.fault(s.began_packet, "101 without Upgrade (RFC 9110 §15.2.2)")
        protocol = text_of(names[0]) if names else "unknown"
        self._hand_over(s, exchange, UPGRADE, protocol)
        assert self.handover is not None
        if protocol == "websocket":
            accept = fields.first(b"\nsec-websocket-accept:")
            if self._websocket_key is not None and accept != accept_of(self._websocket_key):
                self.fault(s.began_packet, "Sec-WebSocket-Accept does not fit the request's key (RFC 6455 §4.2.2)")
            extended = bool(fields.values(b"\nsec-websocket-extensions:"))
            self.handover.take(WebSocket(extensions=extended))

    def _hand_over(self, s: Side, exchange: Exchange, step, protocol):
        """From the end of this head on the server's bytes are another protocol's, and the client's from the end of
        its request on."""
        request: Request = exchange.request
        client: Side = self.client
        self._response_event(step, exchange, s.packet, s.at_ns, protocol)
        self._answered(exchange)
        exchange.finished = s.at_ns
        if exchange.response is not None:
            exchange.response.complete = True
        s.message = s.exchange = None
        s.state = HANDED
        target = None if request is None else request.target
        self.handover = handover = Handover(protocol, target, s.at_ns, s.packet)
        held: list = client.held or []
        client.held = client.hold = None
        for data, missing, cause, at_ns, packet in held:
            if missing:
                handover.gap(CLIENT, missing, cause, packet)
            else:
                handover.feed(CLIENT, data, at_ns, packet)
        if client.message is not None and client.state != LOST:
            return  # its body goes on; `_end_message` hands over
        if client.buffer:
            handover.feed(CLIENT, bytes(client.buffer), client.began_ns, client.began_packet)
            client.buffer.clear()
        client.line_seen = False
        client.message = client.exchange = client.early = client.resync = None
        client.state = HANDED
        if client.closed is not None:
            handover.close(CLIENT, client.closed, client.closed_ns, client.closed_packet)


@cython.cfunc
def _request_of(line: RequestLine, s: Side, size: cython.longlong) -> Request:
    """A request of which only the first line is read. `size`: bytes of it so far."""
    request: Request = Request()
    request.method = line.method
    request.target = line.target
    request.authority = line.authority
    request.version = line.version
    request.packet = s.began_packet
    request.head_packet = request.last_packet = s.packet
    request.header_bytes = size
    return request
