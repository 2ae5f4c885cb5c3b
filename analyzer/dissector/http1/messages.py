"""Requests and responses, once their heads are read. RFC 9112 if no other document is named."""

from __future__ import annotations

from analyzer.dissector.handover import Handover
from analyzer.dissector.http1.bodies import Bodies
from analyzer.dissector.http1.exchanges import Exchange, Request, Response
from analyzer.dissector.http1.head import (
    BY_CLOSE,
    EMPTY,
    HTTP_0_9,
    UNTIL_CLOSE,
    Fields,
    Framing,
    RequestLine,
    framing,
    parse_request_line,
    text_of,
)
from analyzer.dissector.http1.pairing import MOST_INTERIM
from analyzer.dissector.http1.side import CLIENT, HANDED, LOST, SERVER, Side
from analyzer.dissector.websocket import Dissector as WebSocket
from analyzer.dissector.websocket import accept_of


class Messages(Bodies):
    """What a head means for the exchange, for the body behind it, and for the connection."""

    def __init__(self, head_limit: int, keep_fields: bool):
        super().__init__(head_limit, keep_fields)
        self._simple = False  # there was an HTTP/0.9 request
        self._websocket_key: bytes | None = None

    # Requests

    def _request(
        self, s: Side, line: RequestLine, fields: Fields, length: Framing, size: int, *, event: bool = True
    ) -> None:
        version, authority = line.version, line.authority
        packet = s.began_packet
        if line.fault:
            self.fault(packet, line.fault)
        hosts = fields.values(b"\nhost:")
        if authority is None and hosts:
            authority = text_of(hosts[0])
        if len(hosts) != 1 and (hosts or version > "HTTP/1.0"):
            self.fault(packet, f"{len(hosts) or 'no'} Host fields in a request (RFC 9112 §3.2)")
        if s.said_close:
            self.fault(packet, "a request after one with `Connection: close` (RFC 9112 §9.6)")
        for fault in fields.faults + length.faults:
            self.fault(packet, fault)
        options = fields.tokens(b"\nconnection:")
        s.said_close = b"close" in options
        persistent = not s.said_close and (version > "HTTP/1.0" or b"keep-alive" in options)
        request = Request(
            method=line.method, target=line.target, authority=authority, version=version, packet=packet,
            head_packet=s.packet, last_packet=s.packet, header_bytes=size, persistent=persistent,
        )  # fmt: skip
        if self._keep_fields:
            request.block = fields.block
        exchange = self._asked(s, request, event=event)
        if line.method == "CONNECT":
            s.hold = exchange
        elif b"upgrade" in options and b"\nupgrade:" in fields.lower:
            s.hold = exchange
            self._websocket_key = fields.first(b"\nsec-websocket-key:")
        if exchange.response is not None:  # it came early
            s.hold = None
        s.message, s.exchange = request, exchange
        self._begin_body(s, length)

    def _asked(self, s: Side, request: Request, *, event: bool) -> Exchange:
        s.messages += 1
        self._saw_version(request.version)
        if s.early is not None:
            exchange, s.early = s.early, None
            exchange.request = request
            if exchange.response is not None:
                exchange.persistent = request.persistent and exchange.response.persistent
            return exchange
        if self._outstanding and self._sides[SERVER].state == LOST:
            self._infer_answer()
        exchange = Exchange(request=request, started_ns=s.began_ns)
        waiting = len(self._outstanding)
        self._ask(exchange, packet=s.packet)
        if event:
            self._event(CLIENT, "HTTP Request", s.packet, s.at_ns, waiting, exchange, request.version)
        return exchange

    def _infer_answer(self) -> None:
        """The end of a response was lost, and the client asks again. One that never pipelined has got the answer."""
        server, asked = self._sides[SERVER], self._outstanding[0]
        request = asked.request
        if self.max_outstanding > 1 or request is None or server.lost_packet <= request.packet:
            return
        message = server.message
        if message is None:
            self._answered(asked)  # it was never seen
            return
        cut, message.cut = message.cut, None
        self._end_message(server)
        message.cut, server.state = cut, LOST

    def _simple_request(self, s: Side, line: RequestLine, size: int) -> int:
        """HTTP/0.9 (RFC 1945 §4.1): one line, and a response without head."""
        request = Request(
            method=line.method, target=line.target, authority=line.authority, version=HTTP_0_9, packet=s.began_packet,
            head_packet=s.packet, last_packet=s.packet, header_bytes=size, complete=True,
        )  # fmt: skip
        self._simple = True
        self._asked(s, request, event=True)
        return size

    def _request_before_its_end(self, s: Side) -> Exchange | None:
        """A response came while a request's head was on its way: it answers that one."""
        client = self._sides[CLIENT]
        if not client.line_seen or client.early is not None:
            return None
        line = parse_request_line(bytes(client.buffer[: client.buffer.index(b"\n")]).removesuffix(b"\r"))
        if line is None:
            return None
        request = Request(
            method=line.method, target=line.target, authority=line.authority, version=line.version,
            packet=client.began_packet, head_packet=client.packet, last_packet=client.packet,
            header_bytes=len(client.buffer),
        )  # fmt: skip
        exchange = client.early = Exchange(request=request, started_ns=client.began_ns)
        self._ask(exchange, packet=s.packet)
        self._event(CLIENT, "HTTP Request", client.packet, client.at_ns, 0, exchange, line.version)
        return exchange

    # Responses

    def _response(
        self, s: Side, version: str, status: int, fields: Fields, size: int, length: Framing | None = None
    ) -> None:
        packet = s.began_packet
        exchange = self._outstanding[0] if self._outstanding else self._request_before_its_end(s)
        for fault in fields.faults:
            self.fault(packet, fault)
        if s.said_close:
            self.fault(packet, "a response after one with `Connection: close` (RFC 9112 §9.6)")
            s.said_close = False
        self._saw_version(version)
        s.messages += 1
        interim = 100 <= status < 200
        if interim and status != 101:
            self._interim(s, exchange, version, status)
            if length is not None:
                self._lose(s, None)
            return
        exchange = self._answers(exchange, packet)
        request = exchange.request
        method = request.method if request is not None else None
        tunnel = method == "CONNECT" and 200 <= status < 300
        if length is None:
            bodiless = interim or method == "HEAD" or status in (204, 304)
            length = EMPTY if tunnel else framing(fields, version, response=True, bodiless=bodiless)
        for fault in length.faults:
            self.fault(packet, fault)
        options = fields.tokens(b"\nconnection:")
        s.said_close = b"close" in options
        persistent = not s.said_close and (version > "HTTP/1.0" or b"keep-alive" in options)
        response = Response(
            status=status, version=version, packet=packet, head_packet=s.packet, last_packet=s.packet,
            header_bytes=size, persistent=persistent and length.kind != BY_CLOSE,
        )  # fmt: skip
        if self._keep_fields:
            response.block = fields.block
        self._respond(exchange, response, s.began_ns)
        s.message, s.exchange = response, exchange
        if tunnel:
            self._hand_over(s, exchange, "Tunnel", "tunnel")
        elif interim:
            self._switch(s, exchange, fields)
        else:
            self._begin_body(s, length)

    def _interim(self, s: Side, exchange: Exchange | None, version: str, status: int) -> None:
        """RFC 9110 §15.2."""
        if exchange is None:
            self.fault(s.began_packet, f"an interim response {status} that answers no request (RFC 9110 §15.2)")
        elif len(exchange.interim) < MOST_INTERIM:
            exchange.interim = [*exchange.interim, status]
        others = self._others(exchange)
        self._event(SERVER, "Interim Response", s.packet, s.at_ns, others, exchange, version, status)

    def _is_simple_response(self) -> bool:
        request = self._outstanding[0].request if self._outstanding else None
        return request is not None and request.version == HTTP_0_9

    def _simple_response(self, s: Side, data: bytes, at: int) -> int:
        """HTTP/0.9: a body and nothing else. Servers of today may answer with a status line all the same."""
        buffer = s.buffer
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

    def _begin_simple_response(self, s: Side) -> None:
        """The buffer holds the first bytes of its body."""
        response = Response(
            status=None, version=HTTP_0_9, packet=s.began_packet, head_packet=s.began_packet, last_packet=s.packet,
            header_bytes=0,
        )  # fmt: skip
        s.message, s.exchange = response, self._outstanding[0]
        s.messages += 1
        self._respond(s.exchange, response, s.began_ns)
        self._begin_body(s, UNTIL_CLOSE)
        self._take_body(s, len(s.buffer))
        s.buffer.clear()

    # Changes of the protocol

    def _switch(self, s: Side, exchange: Exchange, fields: Fields) -> None:
        """101: RFC 9110 §7.8."""
        names = fields.tokens(b"\nupgrade:")
        if not names:
            self.fault(s.began_packet, "101 without Upgrade (RFC 9110 §15.2.2)")
        protocol = text_of(names[0]) if names else "unknown"
        self._hand_over(s, exchange, "Upgrade", protocol)
        assert self.handover is not None
        if protocol == "websocket":
            accept = fields.first(b"\nsec-websocket-accept:")
            if self._websocket_key is not None and accept != accept_of(self._websocket_key):
                self.fault(s.began_packet, "Sec-WebSocket-Accept does not fit the request's key (RFC 6455 §4.2.2)")
            extended = bool(fields.values(b"\nsec-websocket-extensions:"))
            self.handover.take(WebSocket(extensions=extended))

    def _hand_over(self, s: Side, exchange: Exchange, step: str, protocol: str) -> None:
        """From the end of this head on the server's bytes are another protocol's, and the client's from the end of
        its request on."""
        request = exchange.request
        self._response_event(step, exchange, s.packet, s.at_ns, protocol)
        self._answered(exchange)
        exchange.finished_ns = s.at_ns
        if exchange.response is not None:
            exchange.response.complete = True
        s.message = s.exchange = None
        s.state = HANDED
        target = None if request is None else request.target
        self.handover = handover = Handover(protocol, target, s.at_ns, s.packet)
        client = self._sides[CLIENT]
        held, client.held, client.hold = client.held, [], None
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
            handover.close(CLIENT, *client.closed)
