# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The HTTP/2 dissector: two byte streams in, exchanges out. RFC 9113 if no other document is named.

    dissector = Dissector()
    dissector.feed(CLIENT, b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n…", at_ns, packet)

It does no IO, knows no clock, and raises for no input. Bytes of the two sides come in the order of the capture; how
they were cut into segments changes nothing but packet numbers and times. Bodies are counted and never copied:
`skippable` says how many bytes of a side need not even be fed. Pure-Python mode, types in `connection.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2 import ATTRIBUTES, CONNECTION_STEPS, STREAM_STEPS
from analyzer.dissector.http2 import settings as values
from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.announcements import MOST_EMPTY, shown
from analyzer.dissector.http2.exchanges import Exchange, Http2Event, Request, Upgraded
from analyzer.dissector.http2.field_blocks import SECTIONS
from analyzer.dissector.http2.probe import probe
from analyzer.dissector.http2.streams import CLIENT, SERVER
from analyzer.dissector.layer import EVERYTHING

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2 import wire
    from cython.cimports.analyzer.dissector.http2.announcements import Announcements
    from cython.cimports.analyzer.dissector.http2.findings import SIDE_NAMES
    from cython.cimports.analyzer.dissector.http2.flow_control import FlowControl
    from cython.cimports.analyzer.dissector.http2.frames import FrameReader
    from cython.cimports.analyzer.dissector.http2.header_blocks import HeaderDecoder
    from cython.cimports.analyzer.dissector.http2.lifecycles import HeaderBlock
    from cython.cimports.analyzer.dissector.http2.settings import Settings
    from cython.cimports.analyzer.dissector.http2.streams import Stream
else:
    from analyzer.dissector.http2 import wire
    from analyzer.dissector.http2.announcements import Announcements
    from analyzer.dissector.http2.findings import SIDE_NAMES
    from analyzer.dissector.http2.flow_control import FlowControl
    from analyzer.dissector.http2.frames import FrameReader
    from analyzer.dissector.http2.header_blocks import HeaderDecoder
    from analyzer.dissector.http2.lifecycles import HeaderBlock
    from analyzer.dissector.http2.settings import Settings
    from analyzer.dissector.http2.streams import Stream

COMPILED = cython.compiled

__all__ = [
    "ATTRIBUTES", "CLIENT", "CONNECTION_STEPS", "SERVER", "STREAM_STEPS", "Dissector", "Exchange", "Http2Event",
    "Upgraded", "probe",
]  # fmt: skip

_MOST_PRIORITY = 200  # bytes of a priority that are kept
_SMALLEST_FRAME = cython.declare(cython.longlong, values.SMALLEST_FRAME)
_INITIAL_WINDOW_SIZE = cython.declare(cython.int, values.INITIAL_WINDOW_SIZE)
_MAX_FRAME_SIZE = cython.declare(cython.int, values.MAX_FRAME_SIZE)
_UPDATE = cython.declare(str, states.WINDOW_UPDATE)
_SERVER_ENDED = cython.declare(cython.int, states.SERVER_ENDED)


@cython.final
@cython.cclass
class Dissector(Announcements):
    """One connection. See `Findings` for what is found.

    `keep_fields`: whether `Message.fields` shall be filled. `midstream`: the connection was open before the capture
    began. `upgraded`: the HTTP/1.1 request that became stream 1. `log_frames`: whether `Multiplexing.log` shall be
    filled.
    """

    def __init__(self, *, keep_fields=False, midstream=False, upgraded=None, log_frames=False):
        self._begin_announcements(keep_fields, not midstream)
        if log_frames:
            self.multiplexing.begin_log()
        self._client = FrameReader(CLIENT, midstream)
        self._server = FrameReader(SERVER, midstream)
        self._closes = [None, None]
        self._begun = [midstream, midstream]
        self._empty = 0
        if midstream:
            self.lost = self.fields_lost = "mid-stream"
            self.flow.forget()
        if upgraded is not None:
            self._upgrade(upgraded)

    # Input

    @cython.cfunc
    def _reader(self, side: cython.int) -> FrameReader:
        return self._server if side else self._client

    @cython.ccall
    def feed(self, side: cython.int, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """The next bytes of a side: bytes or a memoryview."""
        if self._closes[side] is None and len(data):
            self._reader(side).feed(self, data, at_ns, packet)

    @cython.ccall
    def skippable(self, side: cython.int) -> cython.longlong:
        """How many of the next bytes of a side need not be fed but may be passed by `skip`. 0: every byte matters."""
        return EVERYTHING if self._closes[side] is not None else self._reader(side).skippable(self)

    @cython.ccall
    def skip(
        self, side: cython.int, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """So many bytes came, and were not looked at."""
        if self._closes[side] is None and length > 0:
            self._reader(side).skip(self, length, at_ns, packet)

    @cython.ccall
    def gap(self, side: cython.int, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        """So many bytes are not in the capture; `packet` is the one that shows it."""
        if self._closes[side] is None and length > 0:
            self._reader(side).gap(self, length, cause, packet)

    @cython.ccall
    def close(self, side: cython.int, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """No more bytes of a side: "fin", "rst" (which ends both), or "end" of what was captured."""
        for number in (CLIENT, SERVER) if how == "rst" else (side,):
            if self._closes[number] is None:
                self._closed_side(number, how, at_ns, packet)
        if self._closes[0] is not None and self._closes[1] is not None:
            self._finish()

    @cython.cfunc
    def _closed_side(self, side: cython.int, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        reader: FrameReader = self._reader(side)
        stream: Stream
        skipped: cython.longlong = reader.end(self)
        self._closes[side] = how
        if skipped:
            begin = "" if reader.frames else "the capture begins inside a frame, or this is not HTTP/2: "
            self.fault(packet, f"{begin}{skipped} bytes skipped up to the end")
        elif how != "end" and reader.inside():
            left = f", {reader.remaining} bytes before its end" if reader.remaining else ""
            self.fault(packet, f"the connection ended inside a frame{left} (RFC 9113 §4.1)")
        elif how != "end" and cython.cast(HeaderBlock, self._blocks[side]).stream:
            self.fault(packet, "the connection ended inside a field block (RFC 9113 §4.3)")
        for stream in self._streams.values():
            message = self._message(stream, side)
            if message is not None and not message.complete and message.cut is None:
                message.cut = how
            if stream.tunnel is not None:
                stream.tunnel.close(side, how, at_ns, packet)
        if side == CLIENT:
            self._judge_early()

    @cython.cfunc
    def _finish(self) -> cython.void:
        stream: Stream
        self._judge_early()
        for stream in self._streams.values():
            self._finish_grpc(stream)
        self.multiplexing.end()

    @cython.cfunc
    def _upgrade(self, upgraded) -> cython.void:
        """RFC 7540 §3.2: stream 1 is half-closed by the client; its settings need no ACK (§3.2.1)."""
        if upgraded.settings is not None:
            entries = values.parse_upgrade(upgraded.settings)
            if entries is None:
                self.fault(upgraded.packet, "HTTP2-Settings is no payload of SETTINGS (RFC 7540 §3.2.1)")
            else:
                self._check_settings(CLIENT, entries, upgraded.packet, upgraded.at_ns)
                self._settings[CLIENT].sent.update((values.setting_name(code), value) for code, value in entries)
                self._take_effect(CLIENT, entries, upgraded.at_ns, upgraded.packet)
        stream: Stream = self._new(1, states.CLIENT_ENDED, False)
        head_packet = upgraded.head_packet or upgraded.packet
        stream.exchange.started_ns = upgraded.at_ns
        stream.exchange.request = request = Request(
            packet=upgraded.packet, head_packet=head_packet, last_packet=head_packet,
            header_bytes=upgraded.header_bytes, header_bytes_on_wire=upgraded.header_bytes,
            body_bytes=upgraded.body_bytes, complete=True,
            method=upgraded.method, target=upgraded.target, authority=upgraded.authority, scheme="http",
        )  # fmt: skip
        for step in ("HEADERS", "END_STREAM"):
            event = Http2Event("client", step, head_packet, upgraded.at_ns, 1)
            self._stream_event(stream, event)
            if step == "HEADERS":
                self._first(event, request)

    # As the sink of the frames.

    @cython.cfunc
    def preface(self, reader: FrameReader) -> cython.void:
        if self.lost == "mid-stream":
            self._from_the_start()
        self._event(CLIENT, "Preface", Http2Event("client", "Preface", reader.packet, reader.at_ns, 0))

    @cython.cfunc
    def _from_the_start(self) -> cython.void:
        """The connection was open before the capture, and had not been used."""
        self._headers = (HeaderDecoder(), self._headers[SERVER])
        if not self._server.frames and not self._server.packet:
            self._server = FrameReader(SERVER, False)
            self._headers = (self._headers[CLIENT], HeaderDecoder())
            self._begun = [False, False]
            self.lost = self.fields_lost = None
            self.flow = FlowControl()

    @cython.cfunc
    def data_end(self, reader: FrameReader, flags: cython.int, stream: cython.longlong) -> cython.void:
        side: cython.int = reader.number
        found: Stream = self._on[side]
        ends: cython.bint = flags & wire.END_STREAM != 0
        problem: str
        self._count(reader, wire.DATA, flags, stream)
        if not stream:
            self._wrong(reader, 0, "PROTOCOL_ERROR", "DATA on stream 0 (RFC 9113 §6.1)")
        self._on[side] = None
        if self.flow.known and reader.length:
            most: cython.longlong = cython.cast(Settings, self._settings[1 - side]).highest(_INITIAL_WINDOW_SIZE)
            problem = self.flow.sent(side, found, reader.length, reader.at_ns, most)
            if problem is not None:
                self._wrong(reader, stream, "FLOW_CONTROL_ERROR", f"{problem} (RFC 9113 §6.9.1)")
        if not reader.content_length and not ends:
            self._empty += 1
            if self._empty > MOST_EMPTY:
                message = f"more than {MOST_EMPTY} empty DATA frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
                self._once("empty data", reader.packet, message)
        if found is not None:
            self._data(reader, found, ends)

    @cython.cfunc
    def frame(
        self, reader: FrameReader, kind: cython.int, flags: cython.int, stream: cython.longlong, payload: bytes | None
    ) -> cython.void:
        self._count(reader, kind, flags, stream)
        if not stream and kind in (wire.HEADERS, wire.PRIORITY, wire.RST_STREAM, wire.PUSH_PROMISE, wire.CONTINUATION):
            self._wrong(reader, 0, "PROTOCOL_ERROR", f"{self._types[kind]} on stream 0 (RFC 9113 §{SECTIONS[kind]})")
            if kind in (wire.HEADERS, wire.PUSH_PROMISE, wire.CONTINUATION):
                self._forget_fields(reader, "a field block without a stream")
            return
        if stream and kind in (wire.SETTINGS, wire.PING, wire.GOAWAY, wire.PRIORITY_UPDATE):
            section = f"RFC 9113 §{SECTIONS[kind]}" if kind in SECTIONS else "RFC 9218 §7.1"
            self._wrong(reader, 0, "PROTOCOL_ERROR", f"{self._types[kind]} on stream {stream} ({section})")
            return
        if kind == wire.HEADERS:
            self._headers_frame(reader, flags, stream, payload)
        elif kind == wire.WINDOW_UPDATE:
            self._window_update(reader, stream, payload)
        elif kind == wire.SETTINGS:
            self._settings_frame(reader, flags, payload)
        elif kind == wire.RST_STREAM:
            self._rst_stream(reader, stream, payload)
        elif kind == wire.CONTINUATION:
            self._continuation(reader, flags, payload)
        elif kind == wire.PING:
            self._ping(reader, flags)
        elif kind == wire.GOAWAY:
            self._goaway(reader, payload)
        elif kind == wire.PUSH_PROMISE:
            self._push_promise(reader, flags, stream, payload)
        elif kind == wire.PRIORITY:
            self._priority(reader, stream)
        elif kind == wire.ALTSVC:
            self._alternative(reader, stream, payload)
        elif kind == wire.ORIGIN:
            self._origin(reader, flags, stream, payload)
        elif kind == wire.PRIORITY_UPDATE:
            self._priority_update(reader, payload)

    @cython.cfunc
    def unframed(self, reader: FrameReader, why: str | None) -> cython.void:
        side: cython.int = reader.number
        found: Stream
        if why is not None:
            self.fault(reader.packet, why)
        self.lost = self.lost or ("framing" if why is not None else reader.cause)
        self._begun = [True, True]
        self._forget_fields(reader, self.lost)
        cython.cast(HeaderBlock, self._blocks[side]).stream = 0
        self._on[side] = self._stray[side] = None
        self.flow.forget()
        self._early.clear()
        self.multiplexing.missed()
        for found in list(self._streams.values()):
            found.uncertain = True
            # Nobody knows how many of a tunnel's bytes are missing.
            self._tunnels.closed(found, "end", reader.at_ns, reader.packet)
            if found.state == _SERVER_ENDED and found.exchange.request is None:
                self._wait_for_request(found)
            if found.grpc is not None:
                found.grpc[side].broken = "bytes are missing"

    @cython.cfunc
    def violation(self, reader: FrameReader, stream: cython.longlong, error: str, message: str) -> cython.void:
        self._wrong(reader, stream, error, message)

    @cython.cfunc
    def _count(self, reader: FrameReader, kind: cython.int, flags: cython.int, stream: cython.longlong) -> cython.void:
        """What holds for every frame: §3.4, §4.2, §6.10."""
        side: cython.int = reader.number
        counts: dict = self.frame_counts[side]
        called: str = self._types.get(kind) or f"0x{kind:02x}"
        block: HeaderBlock = self._blocks[side]
        counts[called] = counts.get(called, 0) + 1
        if not self._begun[side]:
            self._begun[side] = True
            if kind != wire.SETTINGS or flags & wire.ACK:
                first = "SETTINGS ACK" if kind == wire.SETTINGS else called
                self._wrong(reader, 0, "PROTOCOL_ERROR", f"{first} before SETTINGS (RFC 9113 §3.4)")
        if reader.length > _SMALLEST_FRAME and not self.lost:
            most = cython.cast(Settings, self._settings[1 - side]).highest(_MAX_FRAME_SIZE)
            most = max(most, _SMALLEST_FRAME)
            if reader.length > most:
                message = f"{called} of {reader.length} bytes, {most} are allowed (RFC 9113 §4.2)"
                self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
        if block.stream and (kind != wire.CONTINUATION or stream != block.stream):
            message = f"{called} of stream {stream} inside the field block of stream {block.stream} (RFC 9113 §6.10)"
            self._wrong(reader, 0, "PROTOCOL_ERROR", message)
            block.stream = 0
            self._forget_fields(reader, "a field block that does not end")
        if stream and stream in self._closed:
            self.frames_after_close += 1

    # Streams

    @cython.cfunc
    def _priority(self, reader: FrameReader, stream: cython.longlong) -> cython.void:
        """§6.3: deprecated, and of no consequence."""
        if reader.length != 5:
            self._wrong(reader, stream, "FRAME_SIZE_ERROR", f"PRIORITY of {reader.length} bytes (RFC 9113 §6.3)")

    @cython.cfunc
    def _rst_stream(self, reader: FrameReader, stream: cython.longlong, payload: bytes | None) -> cython.void:
        if reader.length != 4:
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", f"RST_STREAM of {reader.length} bytes (RFC 9113 §6.4)")
            return
        self._reset(reader, stream, int.from_bytes(payload, "big") if payload is not None else -1)

    @cython.cfunc
    def _window_update(self, reader: FrameReader, stream: cython.longlong, payload: bytes | None) -> cython.void:
        side: cython.int = reader.number
        found: Stream = None
        increment: cython.longlong
        if reader.length != 4:
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", f"WINDOW_UPDATE of {reader.length} bytes (RFC 9113 §6.9)")
            return
        if payload is None:
            self.flow.forget()
            return
        increment = payload[0]
        increment = (increment << 24 | payload[1] << 16 | payload[2] << 8 | payload[3]) & wire.STREAM_ID
        if stream:
            found = self._find(reader, stream, _UPDATE, _UPDATE)
            if found is None:
                return
        else:
            self._event(side, _UPDATE, Http2Event(SIDE_NAMES[side], _UPDATE, reader.packet, reader.at_ns, 0, 4))
        if not increment:
            self._wrong(reader, stream, "PROTOCOL_ERROR", "WINDOW_UPDATE by 0 (RFC 9113 §6.9)")
        elif not self.flow.granted(1 - side, found, increment, reader.at_ns, reader.packet):
            message = f"a flow-control window of more than {values.LARGEST_WINDOW} bytes (RFC 9113 §6.9.1)"
            self._wrong(reader, stream, "FLOW_CONTROL_ERROR", message)

    @cython.cfunc
    def _priority_update(self, reader: FrameReader, payload: bytes | None) -> cython.void:
        """RFC 9218 §7.1."""
        found: Stream
        event = Http2Event(SIDE_NAMES[reader.number], "PRIORITY_UPDATE", reader.packet, reader.at_ns, 0, reader.length)
        self._event(reader.number, "PRIORITY_UPDATE", event)
        if reader.number == SERVER:
            self._wrong(reader, 0, "PROTOCOL_ERROR", "PRIORITY_UPDATE of the server (RFC 9218 §7.1)")
        elif reader.length < 4:
            message = f"PRIORITY_UPDATE of {reader.length} bytes (RFC 9218 §7.1)"
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
        elif payload is not None:
            found = self._streams.get(int.from_bytes(payload[:4], "big") & wire.STREAM_ID)
            if found is not None and found.exchange.request is not None:
                found.exchange.request.priority = shown(payload[4:], _MOST_PRIORITY)
