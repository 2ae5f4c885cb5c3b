# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The streams of one connection: requests and responses out of header blocks. RFC 9113 §5.1, §8.

Pure-Python mode, types in `conversation.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.exchanges import Http2Event, Request, Response
from analyzer.dissector.http2.findings import error_name
from analyzer.dissector.http2.grpc import is_grpc
from analyzer.dissector.http2.sections import REQUEST, RESPONSE, TRAILERS
from analyzer.dissector.http2.settings import ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, MAX_CONCURRENT_STREAMS

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.bodies import Bodies
    from cython.cimports.analyzer.dissector.http2.findings import SIDE_NAMES
    from cython.cimports.analyzer.dissector.http2.frames import FrameReader
    from cython.cimports.analyzer.dissector.http2.header_blocks import Block, HeaderDecoder
    from cython.cimports.analyzer.dissector.http2.lifecycles import HeaderBlock
    from cython.cimports.analyzer.dissector.http2.sections import Section
    from cython.cimports.analyzer.dissector.http2.settings import Settings
    from cython.cimports.analyzer.dissector.http2.streams import Stream, following
    from cython.cimports.analyzer.dissector.http2.wire import CLIENT, SERVER
else:
    from analyzer.dissector.http2.bodies import Bodies
    from analyzer.dissector.http2.findings import SIDE_NAMES
    from analyzer.dissector.http2.frames import FrameReader
    from analyzer.dissector.http2.header_blocks import Block, HeaderDecoder
    from analyzer.dissector.http2.lifecycles import HeaderBlock
    from analyzer.dissector.http2.sections import Section
    from analyzer.dissector.http2.settings import Settings
    from analyzer.dissector.http2.streams import Stream, following
    from analyzer.dissector.http2.wire import CLIENT, SERVER

COMPILED = cython.compiled

MOST_KEPT = 64 << 20  # bytes of header fields kept, if they are asked for, with what Python needs for them
MOST_INTERIM = 100  # of one exchange
# A client that resets what it has just asked for does it to make the server work (CVE-2023-44487).
MOST_RESETS = 1000
_FIELD_COST = 120
_UNKNOWN = "?"
_HEADERS = cython.declare(str, states.HEADERS)
_OPEN = cython.declare(cython.int, states.OPEN)


@cython.cclass
class Conversation(Bodies):
    """Reads what streams carry. `reader` is the side whose frame it is."""

    @cython.cfunc
    def _begin_conversation(self, keep_fields: cython.bint, known: cython.bint) -> cython.void:
        self._begin_bodies(known)
        self._keep_fields = keep_fields
        self._kept = 0
        self._resets = 0
        self._first_request = False

    # Header blocks

    @cython.cfunc
    def _section(
        self, reader: FrameReader, number: cython.longlong, block: Block, wire: cython.longlong, ends: cython.bint
    ) -> cython.void:
        """A block of HEADERS, as far as it is known."""
        side: cython.int = reader.number
        stream: Stream
        if side == CLIENT and self._unasked:
            self._asked_beyond(number)
        stream = self._streams.get(number)
        if stream is None:
            stream = self._opened(reader, number)
            if stream is None:
                return
        elif following(stream.state, side, _HEADERS) < 0 and not stream.uncertain:
            self._forbidden(reader, stream, _HEADERS)
            return
        self._move(stream, side, _HEADERS)
        self.multiplexing.frame(side, stream, reader.packet, reader.at_ns)
        self._touch(reader, stream)
        stream.run[side] = None
        if side == CLIENT:
            if stream.exchange.request is None and _is_request(stream, block):
                self._request(reader, stream, block, wire)
            else:
                self._trailers(reader, stream, block, wire, ends)
        elif stream.final:
            self._trailers(reader, stream, block, wire, ends)
        else:
            self._response(reader, stream, block, wire, ends)
        if ends:
            self._end_stream(reader, stream)
        else:
            self.flow.begins(side, stream, reader.at_ns)

    @cython.cfunc
    def _opened(self, reader: FrameReader, number: cython.longlong) -> Stream | None:
        """HEADERS on a stream that is not open."""
        side: cython.int = reader.number
        idle: cython.bint = self._idle(number)
        stream: Stream
        if number in self._closed or not (idle or self.lost):
            if side == CLIENT and number not in self._closed and number % 2 and not self._not_followed:
                # §5.1.1: identifiers only rise; this one was never used, or long ago.
                message = f"HEADERS after stream {self._highest[CLIENT]} was opened (RFC 9113 §5.1.1)"
                self._violated(side, number, None, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
            else:
                self._misplaced(reader, number, _HEADERS, _HEADERS)
            return None
        if side == CLIENT and number % 2:
            return self._asked(reader, number)
        if self.lost:
            return self._new(number, _OPEN, True)
        if side == SERVER and number % 2:
            self._answers_early(reader, number, "a response to no request (RFC 9113 §5.1)")
            before: cython.longlong = self._highest[CLIENT]
            stream = self._new(number, _OPEN, False)
            self._highest[CLIENT] = before
            if stream is not None:
                stream.early = True
            return stream
        message = f"HEADERS opens stream {number} for the {SIDE_NAMES[side]} (RFC 9113 §5.1.1)"
        self._violated(side, number, None, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
        return None

    @cython.cfunc
    def _asked(self, reader: FrameReader, number: cython.longlong) -> Stream | None:
        """A client opens a stream."""
        stream: Stream
        settings: Settings = self._settings[SERVER]
        most = settings.in_force.get(MAX_CONCURRENT_STREAMS)
        if most is not None and self._open[CLIENT] >= most and not self.lost:
            most = max(most, settings.highest(MAX_CONCURRENT_STREAMS))
            if self._open[CLIENT] >= most:
                message = f"more than {most} streams are open (RFC 9113 §5.1.2)"
                self._violated(CLIENT, number, None, "REFUSED_STREAM", message, reader.packet, reader.at_ns)
        stream = self._new(number, _OPEN, False)
        if stream is not None:
            stream.uncertain = False  # its first frame is this one
        return stream

    @cython.cfunc
    def _request(self, reader: FrameReader, stream: Stream, block: Block, wire: cython.longlong) -> cython.void:
        section: Section = Section(REQUEST, block)
        exchange = stream.exchange
        stream.early = False
        self._highest[CLIENT] = max(self._highest[CLIENT], stream.number)
        exchange.started_ns = cython.cast(HeaderBlock, self._blocks[reader.number]).first_ns
        exchange.request = request = self._make_request(reader, section, block, wire)
        if request.protocol and not self._settings[SERVER].highest(ENABLE_CONNECT_PROTOCOL) and not self.lost:
            section.fault("protocol", ":protocol though the server has not enabled it (RFC 8441 §4)")
        length = section.number(b"content-length")
        stream.expected[CLIENT] = length if length is not None else -1
        if is_grpc(section.field(b"content-type")):
            self._is_grpc(stream)
        event = Http2Event(SIDE_NAMES[CLIENT], "HEADERS", reader.packet, reader.at_ns, stream.number, length=wire)
        self._stream_event(stream, event)
        self._first(event, request)
        self._malformed(reader, stream, section)
        if request.method == "CONNECT":
            self._tunnels.asked(stream, reader.at_ns, reader.packet)

    @cython.cfunc
    def _first(self, event, request) -> cython.void:
        """The first request is a step of the connection too."""
        if not self._first_request:
            self._first_request = True
            first = Http2Event(event.side, "HEADERS", event.packet, event.at_ns, event.stream, event.length)
            first.request = request
            self._event(CLIENT, "HEADERS", first)

    @cython.cfunc
    def _make_request(self, reader: FrameReader, section: Section, block: Block, wire: cython.longlong) -> object:
        texts: HeaderDecoder = self._headers[reader.number]
        head: HeaderBlock = self._blocks[reader.number]
        method: str = texts.known_text(section.pseudo(b":method"))
        path: str = texts.known_text(section.pseudo(b":path"))
        authority: str = texts.known_text(section.pseudo(b":authority"))
        if authority is None:
            authority = texts.known_text(section.field(b"host"))
        if method == "CONNECT" and path is None and not section.unknown:
            path = authority  # §8.5
        return Request(
            packet=head.first_packet,
            head_packet=reader.packet,
            last_packet=reader.packet,
            header_bytes=block.size,
            header_bytes_on_wire=wire,
            fields_unknown=block.unknown,
            header_fields=self._fields(reader.number, block),
            method=method,
            target=path,
            authority=authority,
            scheme=texts.known_text(section.pseudo(b":scheme")),
            protocol=texts.known_text(section.pseudo(b":protocol")),
            priority=texts.known_text(section.field(b"priority")),
        )

    @cython.cfunc
    def _fields(self, side: cython.int, block: Block) -> list:
        texts: HeaderDecoder = self._headers[side]
        if not self._keep_fields or self._kept > MOST_KEPT:
            return []
        self._kept += block.size + _FIELD_COST * len(block.fields)
        return [
            (_UNKNOWN if name is None else texts.text(name), _UNKNOWN if value is None else texts.text(value))
            for name, value in block.fields
        ]

    @cython.cfunc
    def _response(
        self, reader: FrameReader, stream: Stream, block: Block, wire: cython.longlong, ends: cython.bint
    ) -> cython.void:
        section: Section = Section(RESPONSE, block)
        head: HeaderBlock = self._blocks[reader.number]
        exchange = stream.exchange
        status = section.status()
        if status is not None and status < 200:
            self._interim(reader, stream, status, wire, section, ends)
            return
        stream.final = True
        if exchange.first_byte_ns is None:
            exchange.first_byte_ns = head.first_ns
        exchange.response = Response(
            packet=head.first_packet,
            head_packet=reader.packet,
            last_packet=reader.packet,
            header_bytes=block.size,
            header_bytes_on_wire=wire,
            fields_unknown=block.unknown,
            header_fields=self._fields(reader.number, block),
            status=status,
        )
        if _has_content(exchange.request, status):
            length = section.number(b"content-length")
            stream.expected[SERVER] = length if length is not None else -1
        if is_grpc(section.field(b"content-type")):
            self._is_grpc(stream)
        call = exchange.grpc
        if call is not None and ends:
            call.status = section.number(b"grpc-status")  # "Trailers-Only"
        event = Http2Event(SIDE_NAMES[SERVER], "HEADERS", reader.packet, reader.at_ns, stream.number, length=wire)
        event.status = status
        event.grpc_status = call.status if call is not None else None
        self._stream_event(stream, event)
        self._malformed(reader, stream, section)
        if stream.tunnel is not None:
            extensions = section.field(b"sec-websocket-extensions") is not None
            self._tunnels.answered(stream, reader.at_ns, reader.packet, extensions=extensions)

    @cython.cfunc
    def _interim(
        self, reader: FrameReader, stream: Stream, status, wire: cython.longlong, section: Section, ends: cython.bint
    ) -> cython.void:
        interim = stream.exchange.interim
        if len(interim) < MOST_INTERIM:
            interim.append(status)
            event = Http2Event("server", "Interim HEADERS", reader.packet, reader.at_ns, stream.number, length=wire)
            event.status = status
            self._stream_event(stream, event)
        else:
            stream.exchange.events_beyond += 1
        if ends:
            section.fault("end", "an interim response ends the stream (RFC 9113 §8.1)")
        self._malformed(reader, stream, section)

    @cython.cfunc
    def _trailers(
        self, reader: FrameReader, stream: Stream, block: Block, wire: cython.longlong, ends: cython.bint
    ) -> cython.void:
        section: Section = Section(TRAILERS, block)
        side: cython.int = reader.number
        exchange = stream.exchange
        message = self._message(stream, side)
        if message is not None:
            message.trailer_bytes += block.size
            message.trailer_bytes_on_wire += wire
            message.last_packet = reader.packet
            if len(message.trailers) < MOST_INTERIM:
                message.trailers = message.trailers + self._fields(side, block)
        event = Http2Event(SIDE_NAMES[side], "Trailers", reader.packet, reader.at_ns, stream.number, length=wire)
        if exchange.grpc is not None and side == SERVER:
            exchange.grpc.status = event.grpc_status = section.number(b"grpc-status")
        self._stream_event(stream, event)
        if not ends and not stream.uncertain:
            section.fault("end", "HEADERS after those of the message do not end the stream (RFC 9113 §8.1)")
        self._malformed(reader, stream, section)

    @cython.cfunc
    def _malformed(self, reader: FrameReader, stream: Stream, section: Section) -> cython.void:
        """§8.1.1: a stream error of type PROTOCOL_ERROR."""
        if section.faults is None:
            return
        for message in section.faults.values():
            self._violated(reader.number, stream.number, stream, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)

    # Push

    @cython.cfunc
    def _promise(
        self, reader: FrameReader, number: cython.longlong, promised: cython.longlong, block: Block,
        wire: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """§6.6, §8.4: a request that the server makes up."""
        stream: Stream
        section: Section
        parent: Stream = self._find(reader, number, states.PROMISES, "PUSH_PROMISE")
        if parent is None and not self.lost:
            return
        if promised % 2 or not promised or (not self._idle(promised) and not self.lost):
            message = f"stream {promised} is promised, which is no new one of the server (RFC 9113 §5.1.1, §6.6)"
            self._violated(reader.number, number, parent, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
            return
        if self._settings[CLIENT].in_force.get(ENABLE_PUSH) == 0 and not self._settings[CLIENT].highest(ENABLE_PUSH):
            message = "PUSH_PROMISE though the client has disabled push (RFC 9113 §6.6)"
            self._violated(reader.number, number, parent, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
        if promised in self._streams or promised in self._closed:
            return
        stream = self._new(promised, states.RESERVED, False)
        if stream is None:
            return
        section = Section(REQUEST, block)
        exchange = stream.exchange
        exchange.pushed = True
        exchange.promised_on = number
        exchange.started_ns = cython.cast(HeaderBlock, self._blocks[reader.number]).first_ns
        exchange.request = request = self._make_request(reader, section, block, wire)
        request.complete = True
        if request.method is not None and request.method not in ("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"):
            section.fault("method", f"{request.method[:32]} is promised, which is not safe (RFC 9113 §8.4)")
        event = Http2Event("server", "PUSH_PROMISE", reader.packet, reader.at_ns, promised, length=wire)
        self._stream_event(stream, event)
        self._malformed(reader, stream, section)

    # Ends

    @cython.cfunc
    def _reset(self, reader: FrameReader, number: cython.longlong, code: cython.longlong) -> cython.void:
        """§6.4. `code`: -1 if it was not captured."""
        side: cython.int = reader.number
        stream: Stream = self._find(reader, number, states.RST_STREAM, states.RST_STREAM)
        if stream is None:
            return
        exchange = stream.exchange
        error = error_name(code) if code >= 0 else None
        exchange.closed_by_reset = SIDE_NAMES[side]
        exchange.error = error
        for message in (exchange.request, exchange.response):
            if message is not None and not message.complete:
                message.cut = "RST_STREAM"
        event = Http2Event(SIDE_NAMES[side], "RST_STREAM", reader.packet, reader.at_ns, number, error=error)
        self._stream_event(stream, event)
        if side == CLIENT and exchange.response is None:
            self._resets += 1
            if self._resets >= MOST_RESETS and 2 * self._resets > self._highest[CLIENT] // 2:
                message_text = f"{MOST_RESETS} streams were reset by the client before they were answered"
                self._once("rapid reset", reader.packet, f"{message_text}: ENHANCE_YOUR_CALM (RFC 9113 §10.5)")
        self._tunnels.closed(stream, "rst", reader.at_ns, reader.packet)
        self._move(stream, side, states.RST_STREAM)


@cython.cfunc
def _has_content(request, status) -> cython.bint:
    """Whether Content-Length says how long the content is (RFC 9110 §8.6). Without the request nobody knows."""
    method = request.method if request is not None else None
    if method is None or method == "HEAD" or status in (204, 304):
        return False
    return method != "CONNECT" or (status is not None and status >= 300)


@cython.cfunc
def _is_request(stream: Stream, block: Block) -> cython.bint:
    """Whether a client's first block that was seen is a request: not if those before it may be missing."""
    if not stream.uncertain or stream.early or not stream.exchange.events:
        return True
    return any(name is not None and name[:1] == b":" for name, _ in block.fields)
