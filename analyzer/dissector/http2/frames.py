"""HTTP/2 frames of one side: a byte stream in, frames out. RFC 9113 §4, §6.

The payload of DATA is handed on as it comes and never collected; that of other frames is, up to `MOST_COLLECTED` bytes,
if anybody wants it. Where the framing is lost, the next frames are found by their headers.
"""

from __future__ import annotations

from typing import Final, Protocol

from analyzer.dissector.http2.resync import HEADER, PLAUSIBLE, Resync
from analyzer.dissector.layer import EVERYTHING
from analyzer.dissector.resync import Piece

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ALTSVC, ORIGIN, PRIORITY_UPDATE = 10, 12, 16

# Flags, §6.
END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # §3.4
MOST_COLLECTED: Final = 262_144  # bytes of one payload that are read
_COLLECTED: Final = frozenset(
    (
        HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, ALTSVC,
        ORIGIN, PRIORITY_UPDATE,
    )
)  # fmt: skip
_STREAM_ID: Final = 0x7FFFFFFF  # §4.1: the reserved bit means nothing

# What the next byte belongs to.
_PREFACE, _HEADER, _PAD_LENGTH, _CONTENT, _PADDING, _COLLECT, _PASS, _LOST, _IGNORED = range(9)
_COUNTED: Final = (_CONTENT, _PADDING, _PASS)  # bytes that need not be looked at


class Sink(Protocol):
    """Who reads the frames: the dissector. A stream of 0 is the connection."""

    def preface(self, reader: FrameReader) -> None:
        """The client's connection preface has ended."""

    def data(self, reader: FrameReader, stream: int) -> None:
        """The header of a DATA frame has come."""

    def content(
        self, reader: FrameReader, stream: int, data: bytes | memoryview | None, length: int, lost: int
    ) -> None:
        """Bytes of DATA without padding. No data: they were not looked at, or `lost` of them are missing."""

    def unread(self, reader: FrameReader, stream: int) -> int:
        """How many of the next bytes of this stream's content need not be looked at."""

    def data_end(self, reader: FrameReader, flags: int, stream: int) -> None:
        """A DATA frame has ended."""

    def frame(self, reader: FrameReader, kind: int, flags: int, stream: int, payload: bytes | None) -> None:
        """Any other frame has ended. No payload: it is too long, or of a kind nobody reads, or bytes are missing."""

    def unframed(self, reader: FrameReader, why: str | None) -> None:
        """Frames may be missing from here on. `why` is a fault, None if a gap or the capture's beginning is."""

    def violation(self, reader: FrameReader, stream: int, error: str, message: str) -> None: ...

    def fault(self, packet: int, message: str) -> None: ...


class FrameReader:
    """One side. `packet` and `at_ns` are those of the bytes being read, `first_packet` and `first_ns` those of the
    frame's first byte; `kind`, `flags` and `length` (of its payload) are its header's. Times never go back."""

    __slots__ = (
        "_buffer", "_found", "_lost", "_resync", "_sink", "_state", "_stream", "_suspicious", "at_ns",
        "cause", "content_length", "first_ns", "first_packet", "flags", "frames", "kind", "late_ns", "length", "number",
        "packet", "padding", "remaining",
    )  # fmt: skip

    def __init__(self, number: int, sink: Sink, *, midstream: bool):
        self.number = number
        self.cause = "mid-stream"  # of the last gap
        self.at_ns = 0
        self.packet = 0
        self.late_ns: int | None = None  # when the bytes being read were captured, if they waited for missing ones
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
        self._sink = sink
        self._buffer = bytearray()  # an incomplete header, or the payload so far
        self._lost = 0  # bytes of this frame that are missing
        self._suspicious = False  # there was a gap: the next header has to look like one
        self._state = _LOST if midstream else _HEADER if number else _PREFACE
        self._resync: Resync | None = Resync() if midstream else None
        self._found: list[Piece] | None = None  # what `_resync` gave back, to be read before anything else

    @property
    def inside(self) -> bool:
        """The side's bytes end in the middle of a frame."""
        return self._state not in (_HEADER, _PREFACE, _LOST, _IGNORED) or bool(self._buffer)

    @property
    def searching(self) -> bool:
        return self._resync is not None

    def skippable(self) -> int:
        if self._state == _CONTENT:
            unread = self._sink.unread(self, self._stream)
            # Padding behind it is nobody's either.
            return self.remaining + self.padding if unread >= self.remaining else unread
        if self._state in (_PADDING, _PASS):
            return self.remaining
        return EVERYTHING if self._state == _IGNORED else 0

    def ignore(self) -> None:
        """What follows is not read any more."""
        self._state = _IGNORED
        self._buffer.clear()

    def feed(self, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        later: list[tuple[bytes | memoryview, int, int, int]] = []  # the last one comes next
        at = 0
        while True:
            self._now(at_ns, packet)
            size = len(data)
            while at < size:
                at = _HANDLERS[self._state](self, data, at)
                if self._found is not None:
                    if at < size:
                        later.append((data, at, at_ns, packet))
                    later += [(piece, 0, piece_ns, number) for piece, piece_ns, number in reversed(self._found)]
                    self._found = None
                    break
            if not later:
                return
            data, at, at_ns, packet = later.pop()

    def _now(self, at_ns: int, packet: int) -> None:
        """Bytes that came early, out of order, are read when what was missing before them has come."""
        if packet >= self.packet:
            self.at_ns, self.packet = max(at_ns, self.at_ns), packet
            self.late_ns = None
        else:
            self.late_ns = min(at_ns, self.at_ns)

    def skip(self, length: int, at_ns: int, packet: int) -> None:
        """So many bytes came and were not looked at; not more than `skippable`, or a gap begins behind them."""
        self._now(at_ns, packet)
        length = self._count(length, lost=False)
        if length and self._state != _IGNORED:
            self.gap(length, "not looked at", packet)

    def gap(self, length: int, cause: str, packet: int) -> None:
        """So many bytes are not in the capture. The framing survives what lies within a payload."""
        self.cause = cause
        if self._state == _IGNORED:
            return
        # What shows a gap may have been captured after the bytes behind it, which are read next.
        before, self.packet = self.packet, max(self.packet, packet)
        self._pass_gap(length)
        self.packet = before

    def _pass_gap(self, length: int) -> None:
        self._suspicious = True
        length = self._count(length, lost=True)
        if not length:
            return
        if self._state == _COLLECT:
            taken = min(length, self.remaining)
            self._lost += taken
            length -= taken
            self._collected(taken)
        if not length:
            return
        if self._resync is not None:
            self._buffer.clear()
            self._resync.restart()
        else:
            self._lose(None)

    def _count(self, length: int, *, lost: bool) -> int:
        """Bytes that nobody looks at; how many are left."""
        while length and self._state in _COUNTED:
            taken = min(length, self.remaining)
            length -= taken
            if lost:
                self._lost += taken
            if self._state == _CONTENT:
                self._sink.content(self, self._stream, None, taken, taken if lost else 0)
            self._advance(taken)
        return length

    def end(self) -> int:
        """The side is over: how many of its last bytes were not read because the framing was lost."""
        resync = self._resync
        if resync is None:
            return 0
        found = resync.feed(bytes(self._buffer), self.at_ns, self.packet) or resync.end()
        self._buffer.clear()
        if found is None:
            return resync.dropped + resync.held
        self._begin_again(resync, found)
        self._found = None
        for piece, at_ns, packet in found:
            self.feed(piece, at_ns, packet)
        return 0

    # Headers

    def _preface(self, data: bytes | memoryview, at: int) -> int:
        buffer = self._buffer
        if not buffer:
            self.first_packet, self.first_ns = self.packet, self.at_ns
        need = len(PREFACE) - len(buffer)
        buffer += data[at : at + need]
        if not PREFACE.startswith(buffer):
            begin = bytes(buffer)
            self._lose("the client does not begin with the connection preface: PROTOCOL_ERROR (RFC 9113 §3.4)")
            self._search(begin, 0)
        elif len(buffer) == len(PREFACE):
            buffer.clear()
            self._state = _HEADER
            self._sink.preface(self)
        return min(at + need, len(data))

    def _header(self, data: bytes | memoryview, at: int) -> int:
        """§4.1: length, type, flags, stream."""
        buffer = self._buffer
        if not buffer:
            self.first_packet, self.first_ns = self.packet, self.at_ns
            if at + HEADER <= len(data):
                self._begin(bytes(data[at : at + HEADER]))
                return at + HEADER
        need = HEADER - len(buffer)
        buffer += data[at : at + need]
        if len(buffer) == HEADER:
            head = bytes(buffer)
            buffer.clear()
            self._begin(head)
        return min(at + need, len(data))

    def _begin(self, head: bytes) -> None:
        if self._suspicious:
            # How many bytes a gap has is not always known, for example where a record could not be decrypted.
            if PLAUSIBLE.match(head) is None:
                self._lose(None)
                self._search(head, 0)
                return
            self._suspicious = False
        self.length = length = int.from_bytes(head[:3], "big")
        self.kind, self.flags = head[3], head[4]
        self._stream = int.from_bytes(head[5:], "big") & _STREAM_ID
        self._lost = 0
        self.frames += 1
        if self.kind == DATA:
            self.content_length, self.padding = length, 0
            self._sink.data(self, self._stream)
            if self.flags & PADDED:
                self._state = _PAD_LENGTH
                if not length:
                    message = "padded DATA without a pad length (RFC 9113 §4.2, §6.1)"
                    self._sink.violation(self, self._stream, "FRAME_SIZE_ERROR", message)
                    self._end_data()
                return
            self._content(length)
            return
        self.remaining = length
        self._state = _COLLECT if self.kind in _COLLECTED and length <= MOST_COLLECTED else _PASS
        if not length:
            self._end_frame(b"")

    # Payloads

    def _pad_length(self, data: bytes | memoryview, at: int) -> int:
        """§6.1."""
        self.padding = data[at]
        content = self.length - 1 - self.padding
        if content < 0:
            message = f"{self.padding} bytes of padding in a frame of {self.length} (RFC 9113 §6.1)"
            self._sink.violation(self, 0, "PROTOCOL_ERROR", message)
            self.padding, content = self.length - 1, 0
        self._content(content)
        return at + 1

    def _content(self, length: int) -> None:
        self.content_length = self.remaining = length
        self._state = _CONTENT
        if not length:
            self._advance(0)

    def _read_content(self, data: bytes | memoryview, at: int) -> int:
        count = min(self.remaining, len(data) - at)
        self._sink.content(self, self._stream, data[at : at + count], count, 0)
        self._advance(count)
        return at + count

    def _pass(self, data: bytes | memoryview, at: int) -> int:
        count = min(self.remaining, len(data) - at)
        self._advance(count)
        return at + count

    def _advance(self, count: int) -> None:
        self.remaining -= count
        if self.remaining:
            return
        if self._state == _CONTENT and self.padding:
            self._state, self.remaining = _PADDING, self.padding
        elif self._state == _PASS:
            self._end_frame(None)
        else:
            self._end_data()

    def _end_data(self) -> None:
        self._state = _HEADER
        self._sink.data_end(self, self.flags, self._stream)

    def _collect(self, data: bytes | memoryview, at: int) -> int:
        count = min(self.remaining, len(data) - at)
        if not self._buffer and count == self.length:
            self.remaining = 0
            self._end_frame(bytes(data[at : at + count]))
            return at + count
        self._buffer += data[at : at + count]
        self._collected(count)
        return at + count

    def _collected(self, count: int) -> None:
        self.remaining -= count
        if not self.remaining:
            payload = bytes(self._buffer) if not self._lost else None
            self._buffer.clear()
            self._end_frame(payload)

    def _end_frame(self, payload: bytes | None) -> None:
        self._state = _HEADER
        self._sink.frame(self, self.kind, self.flags, self._stream, payload)

    # Loss

    def _lose(self, why: str | None) -> None:
        self._buffer.clear()
        self._state = _LOST
        self._suspicious = False
        self._resync = Resync()
        self._sink.unframed(self, why)

    def _search(self, data: bytes | memoryview, at: int) -> int:
        resync = self._resync
        assert resync is not None
        if not self.frames and not self.number and not resync.dropped:
            # The connection was open before the capture, and had not said anything yet.
            whole = self._buffer + data[at:]
            if PREFACE.startswith(whole[: len(PREFACE)]):
                self._buffer = whole
                if len(whole) >= len(PREFACE):
                    self._buffer = bytearray()
                    self._resync = None
                    self._state = _HEADER
                    self._sink.preface(self)
                    if len(whole) > len(PREFACE):
                        self._found = [(bytes(whole[len(PREFACE) :]), self.at_ns, self.packet)]
                return len(data)
            self._buffer = bytearray()
            found = resync.feed(bytes(whole), self.at_ns, self.packet)
        else:
            found = resync.feed(bytes(data[at:]), self.at_ns, self.packet)
        if found is not None:
            self._begin_again(resync, found)
        return len(data)

    def _begin_again(self, resync: Resync, found: list[Piece]) -> None:
        if resync.dropped:
            where = "" if self.frames else "the capture begins inside a frame, or this is not HTTP/2: "
            self._sink.fault(found[0][2], f"{where}{resync.dropped} bytes skipped before this frame")
        self._resync = None
        self._state = _HEADER
        self._found = found
        _, self.at_ns, self.packet = found[0]  # they are read as if they came only now
        self.late_ns = None

    def _ignore(self, data: bytes | memoryview, at: int) -> int:
        return len(data)


_HANDLERS: Final = {
    _PREFACE: FrameReader._preface,
    _HEADER: FrameReader._header,
    _PAD_LENGTH: FrameReader._pad_length,
    _CONTENT: FrameReader._read_content,
    _PADDING: FrameReader._pass,
    _COLLECT: FrameReader._collect,
    _PASS: FrameReader._pass,
    _LOST: FrameReader._search,
    _IGNORED: FrameReader._ignore,
}
