"""The HTTP/2 dissector: two byte streams in, exchanges out. RFC 9113 if no other document is named.

    dissector = Dissector()
    dissector.feed(CLIENT, b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n…", at_ns, packet)

It does no IO, knows no clock, and raises for no input. Bytes of the two sides come in the order of the capture; how
they were cut into segments changes nothing but packet numbers and times. Bodies are counted and never copied:
`skippable` says how many bytes of a side need not even be fed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from analyzer.dissector.http2 import ATTRIBUTES, CONNECTION_STEPS, STREAM_STEPS, frames
from analyzer.dissector.http2 import settings as values
from analyzer.dissector.http2.announcements import MOST_EMPTY, Announcements, shown
from analyzer.dissector.http2.exchanges import Exchange, Http2Event, Request, Upgraded
from analyzer.dissector.http2.field_blocks import SECTIONS, STREAM_ID
from analyzer.dissector.http2.findings import SIDE_NAMES
from analyzer.dissector.http2.flow_control import FlowControl
from analyzer.dissector.http2.frames import FrameReader
from analyzer.dissector.http2.header_blocks import HeaderDecoder
from analyzer.dissector.http2.probe import probe
from analyzer.dissector.http2.streams import CLIENT, CLIENT_ENDED, SERVER, SERVER_ENDED, WINDOW_UPDATE
from analyzer.dissector.layer import EVERYTHING

__all__ = [
    "ATTRIBUTES", "CLIENT", "CONNECTION_STEPS", "SERVER", "STREAM_STEPS", "Dissector", "Exchange", "Http2Event",
    "Upgraded", "probe",
]  # fmt: skip

_MOST_PRIORITY: Final = 200  # bytes of a priority that are kept
_ON_STREAMS: Final = frozenset(
    (frames.HEADERS, frames.PRIORITY, frames.RST_STREAM, frames.PUSH_PROMISE, frames.CONTINUATION)
)
_ON_CONNECTION: Final = frozenset((frames.SETTINGS, frames.PING, frames.GOAWAY, frames.PRIORITY_UPDATE))


class Dissector(Announcements):
    """One connection. See `Findings` for what is found.

    `keep_fields`: whether `Message.fields` shall be filled. `midstream`: the connection was open before the capture
    began. `upgraded`: the HTTP/1.1 request that became stream 1.
    """

    def __init__(self, *, keep_fields: bool = False, midstream: bool = False, upgraded: Upgraded | None = None):
        super().__init__(keep_fields, known=not midstream)
        self._readers = [FrameReader(number, self, midstream=midstream) for number in (CLIENT, SERVER)]
        self._closes: list[str | None] = [None, None]
        self._begun = [midstream, midstream]
        self._empty = 0
        if midstream:
            self.lost = self.fields_lost = "mid-stream"
            self.flow.forget()
        if upgraded is not None:
            self._upgrade(upgraded)

    # Input

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        """The next bytes of a side."""
        if self._closes[side] is None and len(data):
            self._readers[side].feed(data, at_ns, packet)

    def skippable(self, side: int) -> int:
        """How many of the next bytes of a side need not be fed but may be passed by `skip`. 0: every byte matters."""
        return EVERYTHING if self._closes[side] is not None else self._readers[side].skippable()

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        """So many bytes came, and were not looked at."""
        if self._closes[side] is None and length > 0:
            self._readers[side].skip(length, at_ns, packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        """So many bytes are not in the capture; `packet` is the one that shows it."""
        if self._closes[side] is None and length > 0:
            self._readers[side].gap(length, cause, packet)

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        """No more bytes of a side: "fin", "rst" (which ends both), or "end" of what was captured."""
        for number in (CLIENT, SERVER) if how == "rst" else (side,):
            if self._closes[number] is None:
                self._closed_side(number, how, at_ns, packet)
        if None not in self._closes:
            self._finish()

    def _closed_side(self, side: int, how: str, at_ns: int, packet: int) -> None:
        reader = self._readers[side]
        skipped = reader.end()
        self._closes[side] = how
        if skipped:
            begin = "" if reader.frames else "the capture begins inside a frame, or this is not HTTP/2: "
            self.fault(packet, f"{begin}{skipped} bytes skipped up to the end")
        elif how != "end" and reader.inside:
            left = f", {reader.remaining} bytes before its end" if reader.remaining else ""
            self.fault(packet, f"the connection ended inside a frame{left} (RFC 9113 §4.1)")
        elif how != "end" and self._blocks[side].stream:
            self.fault(packet, "the connection ended inside a field block (RFC 9113 §4.3)")
        for stream in self._streams.values():
            message = self._message(stream, side)
            if message is not None and not message.complete and message.cut is None:
                message.cut = how
            if stream.tunnel is not None:
                stream.tunnel.close(side, how, at_ns, packet)
        if side == CLIENT:
            self._judge_early()

    def _finish(self) -> None:
        self._judge_early()
        for stream in self._streams.values():
            self._finish_grpc(stream)
        self.multiplexing.end()

    def _upgrade(self, upgraded: Upgraded) -> None:
        """RFC 7540 §3.2: stream 1 is half-closed by the client; its settings need no ACK (§3.2.1)."""
        if upgraded.settings is not None:
            entries = values.parse_upgrade(upgraded.settings)
            if entries is None:
                self.fault(upgraded.packet, "HTTP2-Settings is no payload of SETTINGS (RFC 7540 §3.2.1)")
            else:
                self._check_settings(CLIENT, entries, upgraded.packet, upgraded.at_ns)
                self._settings[CLIENT].sent.update((values.setting_name(code), value) for code, value in entries)
                self._take_effect(CLIENT, entries, upgraded.at_ns, upgraded.packet)
        stream = self._new(1, CLIENT_ENDED)
        assert stream is not None
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

    def preface(self, reader: FrameReader) -> None:
        if self.lost == "mid-stream":
            self._from_the_start(reader)
        self._event(Http2Event("client", "Preface", reader.packet, reader.at_ns, 0))

    def _from_the_start(self, reader: FrameReader) -> None:
        """The connection was open before the capture, and had not been used."""
        server = self._readers[SERVER]
        self._headers = (HeaderDecoder(), self._headers[SERVER])
        if not server.frames and not server.packet:
            self._readers[SERVER] = FrameReader(SERVER, self, midstream=False)
            self._headers = (self._headers[CLIENT], HeaderDecoder())
            self._begun = [False, False]
            self.lost = self.fields_lost = None
            self.flow = FlowControl()

    def data_end(self, reader: FrameReader, flags: int, stream: int) -> None:
        side = reader.number
        self._count(reader, frames.DATA, flags, stream)
        if not stream:
            self._wrong(reader, 0, "PROTOCOL_ERROR", "DATA on stream 0 (RFC 9113 §6.1)")
        found, self._on[side] = self._on[side], None
        most = self._settings[1 - side].highest(values.INITIAL_WINDOW_SIZE)
        problem = self.flow.sent(side, found, reader.length, reader.at_ns, most)
        if problem is not None:
            self._wrong(reader, stream, "FLOW_CONTROL_ERROR", f"{problem} (RFC 9113 §6.9.1)")
        ends = bool(flags & frames.END_STREAM)
        if not reader.content_length and not ends:
            self._empty += 1
            if self._empty > MOST_EMPTY:
                message = f"more than {MOST_EMPTY} empty DATA frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
                self._once("empty data", reader.packet, message)
        if found is not None:
            self._data(reader, found, ends=ends)

    def frame(self, reader: FrameReader, kind: int, flags: int, stream: int, payload: bytes | None) -> None:
        self._count(reader, kind, flags, stream)
        if kind in _ON_STREAMS and not stream:
            self._wrong(reader, 0, "PROTOCOL_ERROR", f"{self._types[kind]} on stream 0 (RFC 9113 §{SECTIONS[kind]})")
            if kind in (frames.HEADERS, frames.PUSH_PROMISE, frames.CONTINUATION):
                self._forget_fields(reader, "a field block without a stream")
            return
        if kind in _ON_CONNECTION and stream:
            section = f"RFC 9113 §{SECTIONS[kind]}" if kind in SECTIONS else "RFC 9218 §7.1"
            self._wrong(reader, 0, "PROTOCOL_ERROR", f"{self._types[kind]} on stream {stream} ({section})")
            return
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, reader, flags, stream, payload)

    def unframed(self, reader: FrameReader, why: str | None) -> None:
        side = reader.number
        if why is not None:
            self.fault(reader.packet, why)
        self.lost = self.lost or ("framing" if why is not None else reader.cause)
        self._begun = [True, True]
        self._forget_fields(reader, self.lost)
        self._blocks[side].stream = 0
        self._on[side] = self._stray[side] = None
        self.flow.forget()
        self._early.clear()
        self.multiplexing.missed()
        for stream in list(self._streams.values()):
            stream.uncertain = True
            self._tunnels.closed(
                stream, "end", reader.at_ns, reader.packet
            )  # nobody knows how many of its bytes are missing
            if stream.state == SERVER_ENDED and stream.exchange.request is None:
                self._wait_for_request(stream)
            grpc = stream.grpc[side]
            if grpc is not None:
                grpc.broken = "bytes are missing"

    def violation(self, reader: FrameReader, stream: int, error: str, message: str) -> None:
        self._wrong(reader, stream, error, message)

    def _count(self, reader: FrameReader, kind: int, flags: int, stream: int) -> None:
        """What holds for every frame: §3.4, §4.2, §6.10."""
        side = reader.number
        called = self._types.get(kind) or f"0x{kind:02x}"
        counts = self.frame_counts[side]
        counts[called] = counts.get(called, 0) + 1
        if not self._begun[side]:
            self._begun[side] = True
            if kind != frames.SETTINGS or flags & frames.ACK:
                first = "SETTINGS ACK" if kind == frames.SETTINGS else called
                self._wrong(reader, 0, "PROTOCOL_ERROR", f"{first} before SETTINGS (RFC 9113 §3.4)")
        if reader.length > values.SMALLEST_FRAME and not self.lost:
            most = max(self._settings[1 - side].highest(values.MAX_FRAME_SIZE), values.SMALLEST_FRAME)
            if reader.length > most:
                message = f"{called} of {reader.length} bytes, {most} are allowed (RFC 9113 §4.2)"
                self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
        block = self._blocks[side]
        if block.stream and (kind != frames.CONTINUATION or stream != block.stream):
            message = f"{called} of stream {stream} inside the field block of stream {block.stream} (RFC 9113 §6.10)"
            self._wrong(reader, 0, "PROTOCOL_ERROR", message)
            block.stream = 0
            self._forget_fields(reader, "a field block that does not end")
        if stream in self._closed:
            self.frames_after_close += 1

    # Streams

    def _priority(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        """§6.3: deprecated, and of no consequence."""
        if reader.length != 5:
            self._wrong(reader, stream, "FRAME_SIZE_ERROR", f"PRIORITY of {reader.length} bytes (RFC 9113 §6.3)")

    def _rst_stream(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        if reader.length != 4:
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", f"RST_STREAM of {reader.length} bytes (RFC 9113 §6.4)")
            return
        self._reset(reader, stream, int.from_bytes(payload, "big") if payload is not None else None)

    def _window_update(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        side, sender = reader.number, 1 - reader.number
        if reader.length != 4:
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", f"WINDOW_UPDATE of {reader.length} bytes (RFC 9113 §6.9)")
            return
        if payload is None:
            self.flow.forget()
            return
        found = self._find(reader, stream, WINDOW_UPDATE) if stream else None
        increment = int.from_bytes(payload, "big") & STREAM_ID
        if not stream:
            event = Http2Event(SIDE_NAMES[side], "WINDOW_UPDATE", reader.packet, reader.at_ns, 0, length=4)
            self._event(event)
        elif found is None:
            return
        if not increment:
            self._wrong(reader, stream, "PROTOCOL_ERROR", "WINDOW_UPDATE by 0 (RFC 9113 §6.9)")
        elif not self.flow.granted(sender, found, increment, reader.at_ns, reader.packet):
            message = f"a flow-control window of more than {values.LARGEST_WINDOW} bytes (RFC 9113 §6.9.1)"
            self._wrong(reader, stream, "FLOW_CONTROL_ERROR", message)

    def _priority_update(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        """RFC 9218 §7.1."""
        event = Http2Event(SIDE_NAMES[reader.number], "PRIORITY_UPDATE", reader.packet, reader.at_ns, 0, reader.length)
        self._event(event)
        if reader.number == SERVER:
            self._wrong(reader, 0, "PROTOCOL_ERROR", "PRIORITY_UPDATE of the server (RFC 9218 §7.1)")
        elif reader.length < 4:
            message = f"PRIORITY_UPDATE of {reader.length} bytes (RFC 9218 §7.1)"
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
        elif payload is not None:
            found = self._streams.get(int.from_bytes(payload[:4], "big") & STREAM_ID)
            if found is not None and found.exchange.request is not None:
                found.exchange.request.priority = shown(payload[4:], _MOST_PRIORITY)


_Handler = Callable[[Dissector, FrameReader, int, int, bytes | None], None]
_HANDLERS: Final[dict[int, _Handler]] = {
    frames.HEADERS: Dissector._headers_frame,
    frames.PRIORITY: Dissector._priority,
    frames.RST_STREAM: Dissector._rst_stream,
    frames.SETTINGS: Dissector._settings_frame,
    frames.PUSH_PROMISE: Dissector._push_promise,
    frames.PING: Dissector._ping,
    frames.GOAWAY: Dissector._goaway,
    frames.WINDOW_UPDATE: Dissector._window_update,
    frames.CONTINUATION: Dissector._continuation,
    frames.ALTSVC: Dissector._alternative,
    frames.ORIGIN: Dissector._origin,
    frames.PRIORITY_UPDATE: Dissector._priority_update,
}
