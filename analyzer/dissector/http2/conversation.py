"""The streams of one connection: requests and responses out of header blocks. RFC 9113 §5.1, §8."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.bodies import Bodies
from analyzer.dissector.http2.exchanges import Field, Http2Event, Request, Response
from analyzer.dissector.http2.findings import SIDE_NAMES, error_name
from analyzer.dissector.http2.frames import FrameReader
from analyzer.dissector.http2.grpc import is_grpc
from analyzer.dissector.http2.header_blocks import Block
from analyzer.dissector.http2.sections import REQUEST, RESPONSE, TRAILERS, Section
from analyzer.dissector.http2.settings import ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, MAX_CONCURRENT_STREAMS
from analyzer.dissector.http2.streams import CLIENT, NEXT, SERVER, Stream

MOST_KEPT: Final = 64 << 20  # bytes of header fields kept, if they are asked for, with what Python needs for them
MOST_INTERIM: Final = 100  # of one exchange
# A client that resets what it has just asked for does it to make the server work (CVE-2023-44487).
MOST_RESETS: Final = 1000
_FIELD_COST: Final = 120
_UNKNOWN: Final = "?"


class Conversation(Bodies):
    """Reads what streams carry. `reader` is the side whose frame it is."""

    def __init__(self, keep_fields: bool, *, known: bool):
        super().__init__(known=known)
        self._keep_fields = keep_fields
        self._kept = 0
        self._resets = 0
        self._first_request = False

    # Header blocks

    def _section(self, reader: FrameReader, number: int, block: Block, wire: int, *, ends: bool) -> None:
        """A block of HEADERS, as far as it is known."""
        side = reader.number
        if side == CLIENT and self._unasked:
            self._asked_beyond(number)
        stream = self._streams.get(number)
        if stream is None:
            stream = self._opened(reader, number)
            if stream is None:
                return
        elif (stream.state, side, states.HEADERS) not in NEXT and not stream.uncertain:
            self._forbidden(reader, stream, states.HEADERS)
            return
        self._move(stream, side, states.HEADERS)
        self.multiplexing.frame(side, stream, reader.packet, reader.at_ns)
        self._touch(reader, stream)
        stream.run[side] = None
        if side == CLIENT:
            if stream.exchange.request is None and _is_request(stream, block):
                self._request(reader, stream, block, wire)
            else:
                self._trailers(reader, stream, block, wire, ends=ends)
        elif stream.final:
            self._trailers(reader, stream, block, wire, ends=ends)
        else:
            self._response(reader, stream, block, wire, ends=ends)
        if ends:
            self._end_stream(reader, stream)
        else:
            self.flow.begins(side, stream, reader.at_ns)

    def _opened(self, reader: FrameReader, number: int) -> Stream | None:
        """HEADERS on a stream that is not open."""
        side = reader.number
        idle = self._idle(number)
        if number in self._closed or not (idle or self.lost):
            if side == CLIENT and number not in self._closed and number % 2 and not self._not_followed:
                # §5.1.1: identifiers only rise; this one was never used, or long ago.
                message = f"HEADERS after stream {self._highest[CLIENT]} was opened (RFC 9113 §5.1.1)"
                self._violated(side, number, None, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
            else:
                self._misplaced(reader, number, states.HEADERS)
            return None
        if side == CLIENT and number % 2:
            return self._asked(reader, number)
        if self.lost:
            return self._new(number, states.OPEN, uncertain=True)
        if side == SERVER and number % 2:
            self._answers_early(reader, number, "a response to no request (RFC 9113 §5.1)")
            before = self._highest[CLIENT]
            stream = self._new(number, states.OPEN)
            self._highest[CLIENT] = before
            if stream is not None:
                stream.early = True
            return stream
        message = f"HEADERS opens stream {number} for the {SIDE_NAMES[side]} (RFC 9113 §5.1.1)"
        self._violated(side, number, None, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
        return None

    def _asked(self, reader: FrameReader, number: int) -> Stream | None:
        """A client opens a stream."""
        most = self._settings[SERVER].in_force.get(MAX_CONCURRENT_STREAMS)
        if most is not None and self._open[CLIENT] >= most and not self.lost:
            most = max(most, self._settings[SERVER].highest(MAX_CONCURRENT_STREAMS))
            if self._open[CLIENT] >= most:
                message = f"more than {most} streams are open (RFC 9113 §5.1.2)"
                self._violated(CLIENT, number, None, "REFUSED_STREAM", message, reader.packet, reader.at_ns)
        stream = self._new(number, states.OPEN)
        if stream is not None:
            stream.uncertain = False  # its first frame is this one
        return stream

    def _request(self, reader: FrameReader, stream: Stream, block: Block, wire: int) -> None:
        section = Section(REQUEST, block)
        exchange = stream.exchange
        stream.early = False
        self._highest[CLIENT] = max(self._highest[CLIENT], stream.number)
        exchange.started_ns = self._blocks[reader.number].first_ns
        exchange.request = request = self._make_request(reader, section, block, wire)
        if request.protocol and not self._settings[SERVER].highest(ENABLE_CONNECT_PROTOCOL) and not self.lost:
            section.faults.setdefault("protocol", ":protocol though the server has not enabled it (RFC 8441 §4)")
        stream.expected[CLIENT] = section.number(b"content-length")
        if is_grpc(section.field(b"content-type")):
            self._is_grpc(stream)
        event = Http2Event(SIDE_NAMES[CLIENT], "HEADERS", reader.packet, reader.at_ns, stream.number, length=wire)
        self._stream_event(stream, event)
        self._first(event, request)
        self._malformed(reader, stream, section)
        if request.method == "CONNECT":
            self._tunnels.asked(stream, reader.at_ns, reader.packet)

    def _first(self, event: Http2Event, request: Request) -> None:
        """The first request is a step of the connection too."""
        if not self._first_request:
            self._first_request = True
            self._event(
                Http2Event(
                    event.side, "HEADERS", event.packet, event.at_ns, event.stream, event.length, request=request
                )
            )

    def _make_request(self, reader: FrameReader, section: Section, block: Block, wire: int) -> Request:
        text = self._headers[reader.number].text
        values = [section.pseudo(name) for name in (b":method", b":path", b":authority", b":scheme", b":protocol")]
        method, path, authority, scheme, protocol = (text(value) if value is not None else None for value in values)
        if authority is None:
            host = section.field(b"host")
            authority = text(host) if host is not None else None
        if method == "CONNECT" and path is None and not section.unknown:
            path = authority  # §8.5
        priority = section.field(b"priority")
        return Request(
            packet=self._blocks[reader.number].first_packet,
            head_packet=reader.packet,
            last_packet=reader.packet,
            header_bytes=block.size,
            header_bytes_on_wire=wire,
            fields_unknown=block.unknown,
            header_fields=self._fields(reader.number, block),
            method=method,
            target=path,
            authority=authority,
            scheme=scheme,
            protocol=protocol,
            priority=text(priority) if priority is not None else None,
        )

    def _fields(self, side: int, block: Block) -> list[Field]:
        if not self._keep_fields or self._kept > MOST_KEPT:
            return []
        text = self._headers[side].text
        self._kept += block.size + _FIELD_COST * len(block.fields)
        return [
            (_UNKNOWN if name is None else text(name), _UNKNOWN if value is None else text(value))
            for name, value in block.fields
        ]

    def _response(self, reader: FrameReader, stream: Stream, block: Block, wire: int, *, ends: bool) -> None:
        section = Section(RESPONSE, block)
        exchange, status = stream.exchange, section.status
        if status is not None and status < 200:
            self._interim(reader, stream, status, wire, section, ends=ends)
            return
        stream.final = True
        if exchange.first_byte_ns is None:
            exchange.first_byte_ns = self._blocks[reader.number].first_ns
        exchange.response = Response(
            packet=self._blocks[reader.number].first_packet,
            head_packet=reader.packet,
            last_packet=reader.packet,
            header_bytes=block.size,
            header_bytes_on_wire=wire,
            fields_unknown=block.unknown,
            header_fields=self._fields(reader.number, block),
            status=status,
        )
        if _has_content(exchange.request, status):
            stream.expected[SERVER] = section.number(b"content-length")
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

    def _interim(
        self, reader: FrameReader, stream: Stream, status: int, wire: int, section: Section, *, ends: bool
    ) -> None:
        interim = stream.exchange.interim
        if len(interim) < MOST_INTERIM:
            interim.append(status)
            event = Http2Event("server", "Interim HEADERS", reader.packet, reader.at_ns, stream.number, length=wire)
            event.status = status
            self._stream_event(stream, event)
        else:
            stream.exchange.events_beyond += 1
        if ends:
            section.faults["end"] = "an interim response ends the stream (RFC 9113 §8.1)"
        self._malformed(reader, stream, section)

    def _trailers(self, reader: FrameReader, stream: Stream, block: Block, wire: int, *, ends: bool) -> None:
        section = Section(TRAILERS, block)
        side, exchange = reader.number, stream.exchange
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
            section.faults["end"] = "HEADERS after those of the message do not end the stream (RFC 9113 §8.1)"
        self._malformed(reader, stream, section)

    def _malformed(self, reader: FrameReader, stream: Stream, section: Section) -> None:
        """§8.1.1: a stream error of type PROTOCOL_ERROR."""
        for message in section.faults.values():
            self._violated(reader.number, stream.number, stream, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)

    # Push

    def _promise(self, reader: FrameReader, number: int, promised: int, block: Block, wire: int) -> None:
        """§6.6, §8.4: a request that the server makes up."""
        parent = self._find(reader, number, states.PROMISES, "PUSH_PROMISE")
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
        stream = self._new(promised, states.RESERVED)
        if stream is None:
            return
        section = Section(REQUEST, block)
        exchange = stream.exchange
        exchange.pushed, exchange.promised_on = True, number
        exchange.started_ns = self._blocks[reader.number].first_ns
        exchange.request = request = self._make_request(reader, section, block, wire)
        request.complete = True
        if request.method is not None and request.method not in ("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"):
            section.faults["method"] = f"{request.method[:32]} is promised, which is not safe (RFC 9113 §8.4)"
        event = Http2Event("server", "PUSH_PROMISE", reader.packet, reader.at_ns, promised, length=wire)
        self._stream_event(stream, event)
        self._malformed(reader, stream, section)

    # Ends

    def _reset(self, reader: FrameReader, number: int, code: int | None) -> None:
        """§6.4. `code`: None if it was not captured."""
        side = reader.number
        stream = self._find(reader, number, states.RST_STREAM)
        if stream is None:
            return
        exchange = stream.exchange
        error = error_name(code) if code is not None else None
        exchange.closed_by_reset, exchange.error = SIDE_NAMES[side], error
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


def _has_content(request: Request | None, status: int | None) -> bool:
    """Whether Content-Length says how long the content is (RFC 9110 §8.6). Without the request nobody knows."""
    method = request.method if request is not None else None
    if method is None or method == "HEAD" or status in (204, 304):
        return False
    return method != "CONNECT" or (status is not None and status >= 300)


def _is_request(stream: Stream, block: Block) -> bool:
    """Whether a client's first block that was seen is a request: not if those before it may be missing."""
    if not stream.uncertain or stream.early or not stream.exchange.events:
        return True
    return any(name is not None and name[:1] == b":" for name, _ in block.fields)
