# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What the sides tell each other about the connection: SETTINGS, PING, GOAWAY, ALTSVC, ORIGIN. RFC 9113 §6.

Pure-Python mode, types in `announcements.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2.exchanges import Alternative, Goaway, Http2Event, Origins
from analyzer.dissector.http2.findings import MOST_ANNOUNCED, MOST_GOAWAYS, error_name
from analyzer.dissector.http2.frames import MOST_COLLECTED
from analyzer.dissector.http2.header_blocks import MOST_TABLE
from analyzer.dissector.http2.settings import ENTRY, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2 import settings as values
    from cython.cimports.analyzer.dissector.http2.field_blocks import FieldBlocks
    from cython.cimports.analyzer.dissector.http2.findings import SIDE_NAMES
    from cython.cimports.analyzer.dissector.http2.frames import FrameReader
    from cython.cimports.analyzer.dissector.http2.header_blocks import HeaderDecoder
    from cython.cimports.analyzer.dissector.http2.settings import Settings
    from cython.cimports.analyzer.dissector.http2.streams import Stream
    from cython.cimports.analyzer.dissector.http2.wire import ACK, CLIENT, STREAM_ID
else:
    from analyzer.dissector.http2 import settings as values
    from analyzer.dissector.http2.field_blocks import FieldBlocks
    from analyzer.dissector.http2.findings import SIDE_NAMES
    from analyzer.dissector.http2.frames import FrameReader
    from analyzer.dissector.http2.header_blocks import HeaderDecoder
    from analyzer.dissector.http2.settings import Settings
    from analyzer.dissector.http2.streams import Stream
    from analyzer.dissector.http2.wire import ACK, CLIENT, STREAM_ID

COMPILED = cython.compiled

MOST_EMPTY = 1000  # DATA without content or end, SETTINGS frames of a side, settings of a frame
_MOST_DEBUG = 200  # bytes of GOAWAY's debug data that are shown
_HEADER_TABLE_SIZE = cython.declare(cython.int, HEADER_TABLE_SIZE)
_INITIAL_WINDOW_SIZE = cython.declare(cython.int, INITIAL_WINDOW_SIZE)
_ENTRY = cython.declare(cython.longlong, ENTRY)
_MOST_TEXT = 1000  # bytes of an origin and of what it offers


@cython.cclass
class Announcements(FieldBlocks):
    """Reads the frames of stream 0, and ALTSVC. `reader` is the side whose frame it is."""

    @cython.cfunc
    def _begin_announcements(self, keep_fields: cython.bint, known: cython.bint) -> cython.void:
        self._begin_blocks(keep_fields, known)
        self._setting_frames = [0, 0]

    @cython.cfunc
    def _settings_frame(self, reader: FrameReader, flags: cython.int, payload: bytes | None) -> cython.void:
        side: cython.int = reader.number
        decoder: HeaderDecoder = self._headers[1 - side]
        settings: Settings = self._settings[side]
        entries: list
        if flags & ACK:
            if reader.length:
                message = f"SETTINGS ACK of {reader.length} bytes (RFC 9113 §6.5)"
                self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
            self._event(
                side, "SETTINGS ACK", Http2Event(SIDE_NAMES[side], "SETTINGS ACK", reader.packet, reader.at_ns, 0, 0)
            )
            entries = cython.cast(Settings, self._settings[1 - side]).acknowledge()
            if entries is not None:
                self._take_effect(1 - side, entries, reader.at_ns, reader.packet)
            return
        event = Http2Event(SIDE_NAMES[side], "SETTINGS", reader.packet, reader.at_ns, 0, reader.length)
        self._event(side, "SETTINGS", event)
        self._setting_frames[side] += 1
        if self._setting_frames[side] > MOST_EMPTY:
            message = f"more than {MOST_EMPTY} SETTINGS frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
            self._once(f"settings {side}", reader.packet, message)
        if reader.length % _ENTRY:
            message = f"SETTINGS of {reader.length} bytes, which is no multiple of six (RFC 9113 §6.5)"
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", message)
        if payload is None:
            if reader.length > MOST_COLLECTED:
                message = f"SETTINGS of {reader.length} bytes: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
                self._once("long settings", reader.packet, message)
            # Nobody knows what it says: neither the windows nor the size of the dynamic table.
            self.flow.forget()
            decoder.allowed = MOST_TABLE
            settings.send([])
            return
        entries = values.parse(payload)
        self._check_settings(side, entries, reader.packet, reader.at_ns)
        effective: list = settings.send(entries)
        decoder.allowed = settings.highest(_HEADER_TABLE_SIZE)
        if effective is not None:
            self._take_effect(side, effective, reader.at_ns, reader.packet)

    @cython.cfunc
    def _check_settings(
        self, side: cython.int, entries: list, packet: cython.longlong, at_ns: cython.longlong
    ) -> cython.void:
        said: set = None
        entry: tuple
        if len(entries) > MOST_EMPTY:
            message = f"more than {MOST_EMPTY} settings in a frame: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
            self._once("many settings", packet, message)
        for entry in entries:
            fault = values.fault(side, entry[0], entry[1])
            if fault is not None and (said is None or entry[0] not in said):
                if said is None:
                    said = set()
                said.add(entry[0])
                error, message = fault
                self._violated(side, 0, None, error, message, packet, at_ns)

    @cython.cfunc
    def _take_effect(
        self, side: cython.int, entries: list, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """The peer of `side` follows these from now on."""
        settings: Settings = self._settings[side]
        entry: tuple
        window: cython.longlong = -1  # the last one counts
        table: cython.bint = False
        settings.take_effect(entries)
        for entry in entries:
            if entry[0] == _INITIAL_WINDOW_SIZE:
                window = entry[1]
            elif entry[0] == _HEADER_TABLE_SIZE:
                table = True
        if window >= 0 and self.flow.known:
            self.flow.initial(1 - side, window, at_ns, packet)
        if table:
            cython.cast(HeaderDecoder, self._headers[1 - side]).allowed = settings.highest(_HEADER_TABLE_SIZE)

    @cython.cfunc
    def _ping(self, reader: FrameReader, flags: cython.int) -> cython.void:
        if reader.length != 8:
            self._wrong(reader, 0, "FRAME_SIZE_ERROR", f"PING of {reader.length} bytes (RFC 9113 §6.7)")
        step = "PING ACK" if flags & ACK else "PING"
        event = Http2Event(SIDE_NAMES[reader.number], step, reader.packet, reader.at_ns, 0, reader.length)
        self._event(reader.number, step, event)

    @cython.cfunc
    def _goaway(self, reader: FrameReader, payload: bytes | None) -> cython.void:
        side: cython.int = reader.number
        found: Stream
        event = Http2Event(SIDE_NAMES[side], "GOAWAY", reader.packet, reader.at_ns, 0, reader.length)
        self._event(side, "GOAWAY", event)
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

    @cython.cfunc
    def _alternative(self, reader: FrameReader, stream: cython.longlong, payload: bytes | None) -> cython.void:
        """ALTSVC, RFC 7838 §4."""
        side: cython.int = reader.number
        event = Http2Event(SIDE_NAMES[side], "ALTSVC", reader.packet, reader.at_ns, stream, reader.length)
        self._event(side, "ALTSVC", event)
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

    @cython.cfunc
    def _origin(
        self, reader: FrameReader, flags: cython.int, stream: cython.longlong, payload: bytes | None
    ) -> cython.void:
        """ORIGIN, RFC 8336 §2."""
        side: cython.int = reader.number
        event = Http2Event(SIDE_NAMES[side], "ORIGIN", reader.packet, reader.at_ns, stream, reader.length)
        self._event(side, "ORIGIN", event)
        if payload is None:
            self._unread(reader, "ORIGIN")
            return
        if side == CLIENT:
            self._ignored(reader, "ORIGIN of the client (RFC 8336 §2.1)")
        elif stream or flags & 0x0F:
            what = "on a stream that is not 0" if stream else "with flags"
            self._ignored(reader, f"ORIGIN {what} (RFC 8336 §2.1)")
        elif len(self.origins) < MOST_ANNOUNCED:
            names = []
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

    @cython.cfunc
    def _ignored(self, reader: FrameReader, what: str) -> cython.void:
        self._once(what, reader.packet, f"{what}: its receiver must ignore it")

    @cython.cfunc
    def _unread(self, reader: FrameReader, what: str) -> cython.void:
        if reader.length > MOST_COLLECTED:
            self._once(f"long {what}", reader.packet, f"{what} of {reader.length} bytes: not read (RFC 9113 §10.5)")


def shown(data, most):
    """As text that prints on one line."""
    text = data[:most].decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + ("…" if len(data) > most else "")
