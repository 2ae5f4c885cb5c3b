"""What the sides tell each other about the connection: SETTINGS, PING, GOAWAY, ALTSVC, ORIGIN. RFC 9113 §6."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.http2 import frames
from analyzer.dissector.http2 import settings as values
from analyzer.dissector.http2.exchanges import Alternative, Goaway, Http2Event, Origins
from analyzer.dissector.http2.field_blocks import STREAM_ID, FieldBlocks
from analyzer.dissector.http2.findings import MOST_ANNOUNCED, MOST_GOAWAYS, SIDE_NAMES, error_name
from analyzer.dissector.http2.frames import FrameReader
from analyzer.dissector.http2.header_blocks import MOST_TABLE
from analyzer.dissector.http2.streams import CLIENT

MOST_EMPTY: Final = 1000  # DATA without content or end, SETTINGS frames of a side, settings of a frame
_MOST_DEBUG: Final = 200  # bytes of GOAWAY's debug data that are shown
_MOST_TEXT: Final = 1000  # bytes of an origin and of what it offers


class Announcements(FieldBlocks):
    """Reads the frames of stream 0, and ALTSVC. `reader` is the side whose frame it is."""

    def __init__(self, keep_fields: bool, *, known: bool):
        super().__init__(keep_fields, known=known)
        self._setting_frames = [0, 0]

    def _settings_frame(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        side = reader.number
        if flags & frames.ACK:
            if reader.length:
                message = f"SETTINGS ACK of {reader.length} bytes (RFC 9113 §6.5)"
                self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
            self._event(Http2Event(SIDE_NAMES[side], "SETTINGS ACK", reader.packet, reader.at_ns, 0, 0))
            for entries in self._settings[1 - side].acknowledge():
                self._take_effect(1 - side, entries, reader.at_ns, reader.packet)
            return
        self._event(Http2Event(SIDE_NAMES[side], "SETTINGS", reader.packet, reader.at_ns, 0, reader.length))
        self._setting_frames[side] += 1
        if self._setting_frames[side] > MOST_EMPTY:
            message = f"more than {MOST_EMPTY} SETTINGS frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
            self._once(f"settings {side}", reader.packet, message)
        if reader.length % values.ENTRY:
            message = f"SETTINGS of {reader.length} bytes, which is no multiple of six (RFC 9113 §6.5)"
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
        if payload is None:
            if reader.length > frames.MOST_COLLECTED:
                message = f"SETTINGS of {reader.length} bytes: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
                self._once("long settings", reader.packet, message)
            # Nobody knows what it says: neither the windows nor the size of the dynamic table.
            self.flow.forget()
            self._headers[1 - side].allowed = MOST_TABLE
            self._settings[side].send([])
            return
        entries = values.parse(payload)
        self._check_settings(side, entries, reader.packet, reader.at_ns)
        effective = self._settings[side].send(entries)
        self._headers[1 - side].allowed = self._settings[side].highest(values.HEADER_TABLE_SIZE)
        for each in effective:
            self._take_effect(side, each, reader.at_ns, reader.packet)

    def _check_settings(self, side: int, entries: values.Entries, packet: int, at_ns: int) -> None:
        said = set()
        if len(entries) > MOST_EMPTY:
            message = f"more than {MOST_EMPTY} settings in a frame: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
            self._once("many settings", packet, message)
        for code, value in entries:
            fault = values.fault(side, code, value) if code not in said else None
            if fault is not None:
                said.add(code)
                self._violated(side, 0, None, *fault, packet, at_ns)

    def _take_effect(self, side: int, entries: values.Entries, at_ns: int, packet: int) -> None:
        """The peer of `side` follows these from now on."""
        settings = self._settings[side]
        settings.take_effect(entries)
        latest = dict(entries)
        if values.INITIAL_WINDOW_SIZE in latest and self.flow.known:
            self.flow.initial(1 - side, latest[values.INITIAL_WINDOW_SIZE], at_ns, packet)
        if values.HEADER_TABLE_SIZE in latest:
            self._headers[1 - side].allowed = settings.highest(values.HEADER_TABLE_SIZE)

    def _ping(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        if reader.length != 8:
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", f"PING of {reader.length} bytes (RFC 9113 §6.7)")
        step = "PING ACK" if flags & frames.ACK else "PING"
        self._event(Http2Event(SIDE_NAMES[reader.number], step, reader.packet, reader.at_ns, 0, reader.length))

    def _goaway(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        side = reader.number
        event = Http2Event(SIDE_NAMES[side], "GOAWAY", reader.packet, reader.at_ns, 0, reader.length)
        self._event(event)
        if reader.length < 8:
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", f"GOAWAY of {reader.length} bytes (RFC 9113 §6.8)")
            return
        if payload is None:
            return
        last = int.from_bytes(payload[:4], "big") & STREAM_ID
        event.error, event.last_stream = error_name(int.from_bytes(payload[4:8], "big")), last
        before = self._last_allowed[side]
        if before is not None and last > before:
            message = f"GOAWAY with last stream {last} after one with {before} (RFC 9113 §6.8)"
            self._wrong(reader, 0, "PROTOCOL_ERROR", message)
            last = before
        self._last_allowed[side] = last
        if len(self.goaways) >= MOST_GOAWAYS:
            self.goaways_beyond += 1
            return
        debug = shown(payload[8:], _MOST_DEBUG)
        self.goaways.append(
            Goaway(SIDE_NAMES[side], event.error, event.last_stream, reader.packet, reader.at_ns, debug)
        )
        for number, found in self._streams.items():
            if number > last and number % 2 == side:
                found.exchange.above_goaway = True

    def _alternative(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        """ALTSVC, RFC 7838 §4."""
        side = reader.number
        self._event(Http2Event(SIDE_NAMES[side], "ALTSVC", reader.packet, reader.at_ns, stream, reader.length))
        if payload is None:
            self._unread(reader, "ALTSVC")
            return
        length = int.from_bytes(payload[:2], "big")
        if len(payload) < 2 + length:
            message = f"ALTSVC of {reader.length} bytes is too short (RFC 7838 §4)"
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
        elif side == CLIENT:
            self._ignored(reader, "ALTSVC of the client (RFC 7838 §4)")
        elif bool(stream) == bool(length):
            where = "a stream with" if stream else "stream 0 without"
            self._ignored(reader, f"ALTSVC on {where} an origin (RFC 7838 §4)")
        elif len(self.alternatives) < MOST_ANNOUNCED:
            origin = shown(payload[2 : 2 + length], _MOST_TEXT) if length else None
            value = shown(payload[2 + length :], _MOST_TEXT)
            self.alternatives.append(Alternative(stream, origin, value, reader.packet))

    def _origin(self, reader: FrameReader, flags: int, stream: int, payload: bytes | None) -> None:
        """ORIGIN, RFC 8336 §2."""
        side = reader.number
        self._event(Http2Event(SIDE_NAMES[side], "ORIGIN", reader.packet, reader.at_ns, stream, reader.length))
        if payload is None:
            self._unread(reader, "ORIGIN")
            return
        if side == CLIENT:
            self._ignored(reader, "ORIGIN of the client (RFC 8336 §2.1)")
        elif stream or flags & 0x0F:
            what = "on a stream that is not 0" if stream else "with flags"
            self._ignored(reader, f"ORIGIN {what} (RFC 8336 §2.1)")
        elif len(self.origins) < MOST_ANNOUNCED:
            names: list[str] = []
            at = 0
            while at + 2 <= len(payload):
                end = at + 2 + int.from_bytes(payload[at : at + 2], "big")
                if end > len(payload):
                    break
                if len(names) < MOST_ANNOUNCED:
                    names.append(shown(payload[at + 2 : end], _MOST_TEXT))
                at = end
            if at < len(payload):
                self.fault(reader.packet, "ORIGIN ends inside an entry (RFC 8336 §2)")
            self.origins.append(Origins(names, reader.packet))

    def _ignored(self, reader: FrameReader, what: str) -> None:
        self._once(what, reader.packet, f"{what}: its receiver must ignore it")

    def _unread(self, reader: FrameReader, what: str) -> None:
        if reader.length > frames.MOST_COLLECTED:
            self._once(f"long {what}", reader.packet, f"{what} of {reader.length} bytes: not read (RFC 9113 §10.5)")


def shown(data: bytes, most: int) -> str:
    """As text that prints on one line."""
    text = data[:most].decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + ("…" if len(data) > most else "")
