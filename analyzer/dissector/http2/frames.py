# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""HTTP/2 frames of one side: a byte stream in, frames out. RFC 9113 §4, §6.

The payload of DATA is handed on as it comes and never collected; that of other frames is, up to `MOST_COLLECTED` bytes,
if anybody wants it. Where the framing is lost, the next frames are found by their headers. Pure-Python mode, types in
`frames.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2.resync import HEADER, PLAUSIBLE, Resync

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.wire import *
    from cython.cimports.analyzer.dissector.layer import Layer
else:
    from analyzer.dissector.http2.wire import *
    from analyzer.dissector.layer import Layer

COMPILED = cython.compiled

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # §3.4
MOST_COLLECTED = 262_144  # bytes of one payload that are read


@cython.cclass
class Sink(Layer):
    """Who reads the frames: the dissector. A stream of 0 is the connection."""

    @cython.cfunc
    def preface(self, reader: FrameReader) -> cython.void:
        """The client's connection preface has ended."""

    @cython.cfunc
    def data(self, reader: FrameReader, stream: cython.longlong) -> cython.void:
        """The header of a DATA frame has come."""

    @cython.cfunc
    def content(
        self, reader: FrameReader, data, begin: cython.Py_ssize_t, length: cython.longlong, lost: cython.longlong
    ) -> cython.void:
        """Bytes of DATA without padding, which begin at `begin` of `data`. No data: they were not looked at, or `lost`
        of them are missing."""

    @cython.cfunc
    def unread(self, reader: FrameReader) -> cython.longlong:
        """How many of the next bytes of the DATA frame's content need not be looked at."""
        return 0

    @cython.cfunc
    def data_end(self, reader: FrameReader, flags: cython.int, stream: cython.longlong) -> cython.void:
        """A DATA frame has ended."""

    @cython.cfunc
    def frame(
        self, reader: FrameReader, kind: cython.int, flags: cython.int, stream: cython.longlong, payload: bytes | None
    ) -> cython.void:
        """Any other frame has ended. No payload: it is too long, or of a kind nobody reads, or bytes are missing."""

    @cython.cfunc
    def unframed(self, reader: FrameReader, why: str | None) -> cython.void:
        """Frames may be missing from here on. `why` is a fault, None if a gap or the capture's beginning is."""

    @cython.cfunc
    def violation(self, reader: FrameReader, stream: cython.longlong, error: str, message: str) -> cython.void:
        """What the side must not do. A stream of 0 is the connection."""

    @cython.ccall
    def fault(self, packet: cython.longlong, message: str) -> cython.void:
        """What was wrong with the traffic."""


@cython.final
@cython.cclass
class FrameReader:
    """One side. `packet` and `at_ns` are those of the bytes being read, `first_packet` and `first_ns` those of the
    frame's first byte; `kind`, `flags` and `length` (of its payload) are its header's. Times never go back. `sink` is
    who reads the frames, always the same."""

    def __init__(self, number, midstream):
        self.number = number
        self.cause = "mid-stream"  # of the last gap
        self.at_ns = 0
        self.packet = 0
        self.late = False  # the bytes being read waited for missing ones
        self.late_ns = 0  # when they were captured
        self.first_ns = 0
        self.first_packet = 0
        self.length = 0
        self.flags = 0
        self.frames = 0
        self.remaining = 0  # of what `_state` says
        self.content_length = 0  # of a DATA frame, what is no padding
        self.padding = 0
        self.kind = 0
        self._stream = 0
        self._buffer = bytearray()  # an incomplete header, or the payload so far
        self._lost = 0  # bytes of this frame that are missing
        self._suspicious = False  # there was a gap: the next header has to look like one
        self._state = LOST if midstream else IN_HEADER if number else IN_PREFACE
        self._resync = Resync() if midstream else None
        self._found = None  # what `_resync` gave back, to be read before anything else

    @cython.cfunc
    def inside(self) -> cython.bint:
        """The side's bytes end in the middle of a frame."""
        return self._state not in (IN_HEADER, IN_PREFACE, LOST) or len(self._buffer) > 0

    @cython.cfunc
    def skippable(self, sink: Sink) -> cython.longlong:
        unread: cython.longlong
        if self._state == CONTENT:
            unread = sink.unread(self)
            # Padding behind it is nobody's either.
            return self.remaining + self.padding if unread >= self.remaining else unread
        return self.remaining if self._state == PADDING or self._state == PASS else 0

    @cython.cfunc
    def feed(self, sink: Sink, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        at: cython.Py_ssize_t = 0
        size: cython.Py_ssize_t = len(data)
        later: list = None  # the last one comes next
        while True:
            self._now(at_ns, packet)
            while at < size:
                at = self._handle(sink, data, at)
                if self._found is not None:
                    if later is None:
                        later = []
                    if at < size:
                        later.append((data, at, at_ns, packet))
                    later += [(piece, 0, piece_ns, number) for piece, piece_ns, number in reversed(self._found)]
                    self._found = None
                    break
            if not later:
                return
            data, at, at_ns, packet = later.pop()
            size = len(data)

    @cython.cfunc
    def _handle(self, sink: Sink, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Takes bytes of `data` from `at` on, which are not its end; how far it came. So do all that it calls."""
        state: cython.int = self._state
        count: cython.longlong
        if state == IN_HEADER:
            return self._header(sink, data, at)
        if state == COLLECT:
            return self._collect(sink, data, at)
        if state in (CONTENT, PADDING, PASS):
            count = min(self.remaining, len(data) - at)
            if state == CONTENT:
                sink.content(self, data, at, count, 0)
            self._advance(sink, count)
            return at + count
        if state == PAD_LENGTH:
            return self._pad_length(sink, data, at)
        if state == IN_PREFACE:
            return self._preface(sink, data, at)
        return self._search(sink, data, at)

    @cython.cfunc
    def _now(self, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """Bytes that came early, out of order, are read when what was missing before them has come."""
        if packet >= self.packet:
            self.at_ns = max(at_ns, self.at_ns)
            self.packet = packet
            self.late = False
        else:
            self.late = True
            self.late_ns = min(at_ns, self.at_ns)

    @cython.cfunc
    def skip(self, sink: Sink, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """So many bytes came and were not looked at; not more than `skippable`, or a gap begins behind them."""
        self._now(at_ns, packet)
        length = self._count(sink, length, False)
        if length:
            self.gap(sink, length, "not looked at", packet)

    @cython.cfunc
    def gap(self, sink: Sink, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        """So many bytes are not in the capture. The framing survives what lies within a payload."""
        before: cython.longlong = self.packet
        self.cause = cause
        # What shows a gap may have been captured after the bytes behind it, which are read next.
        self.packet = max(self.packet, packet)
        self._pass_gap(sink, length)
        self.packet = before

    @cython.cfunc
    def _pass_gap(self, sink: Sink, length: cython.longlong) -> cython.void:
        taken: cython.longlong
        self._suspicious = True
        length = self._count(sink, length, True)
        if not length:
            return
        if self._state == COLLECT:
            taken = min(length, self.remaining)
            self._lost += taken
            length -= taken
            self._collected(sink, taken)
        if not length:
            return
        if self._resync is not None:
            self._buffer.clear()
            self._resync.restart()
        else:
            self._lose(sink, None)

    @cython.cfunc
    def _count(self, sink: Sink, length: cython.longlong, lost: cython.bint) -> cython.longlong:
        """Bytes that nobody looks at; how many are left."""
        taken: cython.longlong
        while length and (self._state == CONTENT or self._state == PADDING or self._state == PASS):
            taken = min(length, self.remaining)
            length -= taken
            if lost:
                self._lost += taken
            if self._state == CONTENT:
                sink.content(self, None, 0, taken, taken if lost else 0)
            self._advance(sink, taken)
        return length

    @cython.cfunc
    def end(self, sink: Sink) -> cython.longlong:
        """The side is over: how many of its last bytes were not read because the framing was lost."""
        resync = self._resync
        if resync is None:
            return 0
        found = resync.feed(bytes(self._buffer), self.at_ns, self.packet) or resync.end()
        self._buffer.clear()
        if found is None:
            return resync.dropped + resync.held
        self._begin_again(sink, found)
        self._found = None
        for piece, at_ns, packet in found:
            self.feed(sink, piece, at_ns, packet)
        return 0

    # Headers

    @cython.cfunc
    def _preface(self, sink: Sink, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        buffer: bytearray = self._buffer
        size: cython.Py_ssize_t = len(data)
        if not buffer:
            self.first_packet = self.packet
            self.first_ns = self.at_ns
        need = len(PREFACE) - len(buffer)
        buffer += data[at : at + need]
        if not PREFACE.startswith(buffer):
            begin = bytes(buffer)
            self._lose(sink, "the client does not begin with the connection preface: PROTOCOL_ERROR (RFC 9113 §3.4)")
            self._search(sink, begin, 0)
        elif len(buffer) == len(PREFACE):
            buffer.clear()
            self._state = IN_HEADER
            sink.preface(self)
        return min(at + need, size)

    @cython.cfunc
    def _header(self, sink: Sink, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """§4.1: length, type, flags, stream."""
        buffer: bytearray = self._buffer
        size: cython.Py_ssize_t = len(data)
        need: cython.Py_ssize_t
        if not buffer:
            self.first_packet = self.packet
            self.first_ns = self.at_ns
            if at + 9 <= size:
                if type(data) is bytes:
                    self._begin(sink, data, at)
                else:
                    self._begin(sink, bytes(data[at : at + 9]), 0)
                return at + 9
        need = 9 - len(buffer)
        buffer += data[at : at + need]
        if len(buffer) == 9:
            head = bytes(buffer)
            buffer.clear()
            self._begin(sink, head, 0)
        return min(at + need, size)

    @cython.cfunc
    def _begin(self, sink: Sink, head: bytes, at: cython.Py_ssize_t) -> cython.void:
        """The frame whose header begins at `at`."""
        length: cython.longlong = 0
        stream: cython.longlong = 0
        if self._suspicious:
            # How many bytes a gap has is not always known, for example where a record could not be decrypted.
            if PLAUSIBLE.match(head, at) is None:
                self._lose(sink, None)
                self._search(sink, head[at : at + HEADER], 0)
                return
            self._suspicious = False
        length = head[at]
        length = length << 8 | head[at + 1]
        length = length << 8 | head[at + 2]
        stream = head[at + 5]
        stream = stream << 8 | head[at + 6]
        stream = stream << 8 | head[at + 7]
        stream = stream << 8 | head[at + 8]
        self.length = length
        self.kind = head[at + 3]
        self.flags = head[at + 4]
        self._stream = stream & STREAM_ID
        self._lost = 0
        self.frames += 1
        if self.kind == DATA:
            self.content_length = length
            self.padding = 0
            sink.data(self, self._stream)
            if self.flags & PADDED:
                self._state = PAD_LENGTH
                if not length:
                    message = "padded DATA without a pad length (RFC 9113 §4.2, §6.1)"
                    sink.violation(self, self._stream, "FRAME_SIZE_ERROR", message)
                    self._end_data(sink)
                return
            self._content(sink, length)
            return
        self.remaining = length
        collected: cython.bint = self.kind <= ALTSVC or self.kind == ORIGIN or self.kind == PRIORITY_UPDATE
        self._state = COLLECT if collected and length <= MOST_COLLECTED else PASS
        if not length:
            self._end_frame(sink, b"")

    # Payloads

    @cython.cfunc
    def _pad_length(self, sink: Sink, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """§6.1."""
        content: cython.longlong
        self.padding = data[at]
        content = self.length - 1 - self.padding
        if content < 0:
            message = f"{self.padding} bytes of padding in a frame of {self.length} (RFC 9113 §6.1)"
            sink.violation(self, 0, "PROTOCOL_ERROR", message)
            self.padding = self.length - 1
            content = 0
        self._content(sink, content)
        return at + 1

    @cython.cfunc
    def _content(self, sink: Sink, length: cython.longlong) -> cython.void:
        self.content_length = self.remaining = length
        self._state = CONTENT
        if not length:
            self._advance(sink, 0)

    @cython.cfunc
    def _advance(self, sink: Sink, count: cython.longlong) -> cython.void:
        self.remaining -= count
        if self.remaining:
            return
        if self._state == CONTENT and self.padding:
            self._state = PADDING
            self.remaining = self.padding
        elif self._state == PASS:
            self._end_frame(sink, None)
        else:
            self._end_data(sink)

    @cython.cfunc
    def _end_data(self, sink: Sink) -> cython.void:
        self._state = IN_HEADER
        sink.data_end(self, self.flags, self._stream)

    @cython.cfunc
    def _collect(self, sink: Sink, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        count: cython.longlong = min(self.remaining, len(data) - at)
        if count == self.length and not self._buffer:
            self.remaining = 0
            payload = data[at : at + count]
            self._end_frame(sink, payload if type(payload) is bytes else bytes(payload))
            return at + count
        self._buffer += data[at : at + count]
        self._collected(sink, count)
        return at + count

    @cython.cfunc
    def _collected(self, sink: Sink, count: cython.longlong) -> cython.void:
        self.remaining -= count
        if not self.remaining:
            payload = bytes(self._buffer) if not self._lost else None
            self._buffer.clear()
            self._end_frame(sink, payload)

    @cython.cfunc
    def _end_frame(self, sink: Sink, payload: bytes | None) -> cython.void:
        self._state = IN_HEADER
        sink.frame(self, self.kind, self.flags, self._stream, payload)

    # Loss

    @cython.cfunc
    def _lose(self, sink: Sink, why: str | None) -> cython.void:
        self._buffer.clear()
        self._state = LOST
        self._suspicious = False
        self._resync = Resync()
        sink.unframed(self, why)

    @cython.cfunc
    def _search(self, sink: Sink, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        resync = self._resync
        if not self.frames and not self.number and not resync.dropped:
            # The connection was open before the capture, and had not said anything yet.
            whole = self._buffer + data[at:]
            self._buffer = bytearray()
            if PREFACE.startswith(whole[: len(PREFACE)]):
                if len(whole) < len(PREFACE):
                    self._buffer = whole
                    return len(data)
                self._resync = None
                self._state = IN_HEADER
                sink.preface(self)
                if len(whole) > len(PREFACE):
                    self._found = [(bytes(whole[len(PREFACE) :]), self.at_ns, self.packet)]
                return len(data)
            found = resync.feed(bytes(whole), self.at_ns, self.packet)
        else:
            found = resync.feed(bytes(data[at:]), self.at_ns, self.packet)
        if found is not None:
            self._begin_again(sink, found)
        return len(data)

    @cython.cfunc
    def _begin_again(self, sink: Sink, found: list) -> cython.void:
        if self._resync.dropped:
            where = "" if self.frames else "the capture begins inside a frame, or this is not HTTP/2: "
            sink.fault(found[0][2], f"{where}{self._resync.dropped} bytes skipped before this frame")
        self._resync = None
        self._state = IN_HEADER
        self._found = found
        _, self.at_ns, self.packet = found[0]  # they are read as if they came only now
        self.late = False
