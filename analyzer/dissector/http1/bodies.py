"""Bodies and what comes between messages: how a message ends, and what happens where its end cannot be found.

RFC 9112 if no other document is named.
"""

from __future__ import annotations

from typing import Final

from analyzer.dissector.handover import Handover
from analyzer.dissector.http1.head import BY_CHUNKS, BY_CLOSE, BY_LENGTH, NO_BODY, UNKNOWN, Framing, parse_chunk_size
from analyzer.dissector.http1.pairing import Pairing
from analyzer.dissector.http1.resync import Resync
from analyzer.dissector.http1.side import (
    CHUNK_DATA,
    CHUNK_END,
    CHUNK_SIZE,
    CLIENT,
    HANDED,
    HEAD,
    HOLD,
    LENGTH,
    LOST,
    SERVER,
    TRAILERS,
    UNTIL_CLOSE,
    Side,
)  # fmt: skip
from analyzer.dissector.layer import EVERYTHING

CHUNK_LINE_LIMIT: Final = 16_384  # bytes; §7.1.1 asks for a limit of extensions
HOLD_LIMIT: Final = 262_144  # bytes
PIECE: Final = 16_384  # bytes looked at at once where bytes must be copied

_STATE_OF: Final = {BY_LENGTH: LENGTH, BY_CHUNKS: CHUNK_SIZE, BY_CLOSE: UNTIL_CLOSE}


class Bodies(Pairing):
    """The two sides with their bodies. Handlers take bytes of `data` from `at` on and return how far they came."""

    def __init__(self, head_limit: int, keep_fields: bool):
        super().__init__()
        self.handover: Handover | None = None
        self.lost: str | None = None  # why steps may be missing: the cause of a gap, "mid-stream", "framing"
        self._head_limit = max(16, head_limit)
        self._keep_fields = keep_fields
        self._midstream = False  # the connection was open before the capture began
        self._sides = (Side(CLIENT), Side(SERVER))

    def _release(self) -> None:
        """The response was not the one that changes the protocol: the bytes held back are HTTP."""
        raise NotImplementedError

    def _begin_body(self, s: Side, length: Framing) -> None:
        kind = length.kind
        if kind == NO_BODY:
            message = s.message
            if s.number == CLIENT and s.hold is None and self.handover is None and message is not None:
                message.complete = True  # as most requests are
                s.message = s.exchange = None
            else:
                self._end_message(s)
        elif kind == UNKNOWN:
            self._lose(s, None)
        else:
            s.state = _STATE_OF[kind]
            s.remaining = EVERYTHING if kind == BY_CLOSE else length.length

    def _take_body(self, s: Side, count: int) -> None:
        message = s.message
        if message is not None:
            message.body_bytes += count
            message.last_packet = s.packet
        if s.state == UNTIL_CLOSE:
            return
        s.remaining -= count
        if not s.remaining:
            if s.state == LENGTH:
                self._end_message(s)
            else:
                s.state = CHUNK_END

    def _body(self, s: Side, data: bytes | memoryview, at: int) -> int:
        count = min(s.remaining, len(data) - at)
        self._take_body(s, count)
        return at + count

    def _line(self, s: Side, data: bytes | memoryview, at: int, most: int) -> tuple[int, bytes | None]:
        """The next line, once it is complete, without its LF."""
        buffer = s.buffer
        piece = bytes(data[at : at + min(PIECE, most - len(buffer))])
        found = piece.find(b"\n")
        if found < 0:
            buffer += piece
            if len(buffer) >= most:
                self._lose(s, f"a line of {most} bytes or more in a chunked body (RFC 9112 §7.1)")
            return at + len(piece), None
        line = piece[:found]
        if buffer:
            line = bytes(buffer) + line
            buffer.clear()
        return at + found + 1, line

    def _chunk_size(self, s: Side, data: bytes | memoryview, at: int) -> int:
        at, line = self._line(s, data, at, CHUNK_LINE_LIMIT)
        if line is None:
            return at
        size, fault = parse_chunk_size(line)
        if size is None:
            self._lose(s, fault)
            return at
        if fault:
            self.fault(s.packet, fault)
        s.remaining = size
        s.state = CHUNK_DATA if size else TRAILERS
        return at

    def _chunk_end(self, s: Side, data: bytes | memoryview, at: int) -> int:
        byte = data[at]
        if byte == 13 and not s.buffer:
            s.buffer.append(13)
        elif byte == 10:
            if not s.buffer:
                self.fault(s.packet, "a chunk ends with LF alone (RFC 9112 §7.1)")
            s.buffer.clear()
            s.state = CHUNK_SIZE
        else:
            s.buffer.clear()
            self._lose(s, "a chunk is longer than its size says (RFC 9112 §7.1)")
            return at
        return at + 1

    def _trailers(self, s: Side, data: bytes | memoryview, at: int) -> int:
        """§7.1.2"""
        at, line = self._line(s, data, at, self._head_limit)
        message = s.message
        if line is None or message is None:
            return at
        message.trailer_bytes += len(line) + 1
        if message.trailer_bytes > self._head_limit:
            self._lose(s, f"a trailer section of more than {self._head_limit} bytes (RFC 9112 §7.1.2)")
        elif line in (b"", b"\r"):
            self._end_message(s)
        elif self._keep_fields:
            message.trailers.append(line.removesuffix(b"\r"))
        return at

    # Ends of messages

    def _end_message(self, s: Side, cut: str | None = None, *, event: bool = True) -> None:
        """The message is over. `cut`: but not complete, for this reason."""
        message, exchange = s.message, s.exchange
        s.message = s.exchange = None
        s.state = HEAD
        if message is None or exchange is None:
            return
        message.complete = cut is None
        message.cut = cut
        if s.number == CLIENT:
            if cut is None:
                message.last_packet = s.packet
            if self.handover is not None:
                s.state = HANDED
            elif s.hold is not None:
                s.state = HOLD
            return
        exchange.finished_ns = s.at_ns if cut is None else None
        if event:
            self._response_event("HTTP Response" if cut is None else "Cut Response", exchange, s.packet, s.at_ns)
            self._answered(exchange)
        client = self._sides[CLIENT]
        if client.hold is exchange:
            self._release()

    # Loss

    def _lose(self, s: Side, why: str | None, *, cut: str = "framing") -> None:
        """Where the next message begins is unknown from here on. `why` is a fault, except at a side's beginning."""
        if s.message is not None:
            s.message.cut = cut
        if why is not None and s.messages:
            self.fault(s.packet, why)
        elif not s.messages:
            # Perhaps the capture began in the middle of a message, and requests before it are not known either.
            self._forgive()
        self.lost = self.lost or ("mid-stream" if self._midstream and not s.messages else cut)
        s.buffer.clear()
        s.line_seen = False
        s.early = None
        s.state = LOST
        s.lost_packet = s.packet
        s.resync = Resync(requests=s.number == CLIENT)

    def _lost(self, s: Side, data: bytes | memoryview, at: int) -> int:
        assert s.resync is not None
        piece = bytes(data[at : at + PIECE])
        found = s.resync.feed(piece)
        if found is not None:
            self._say_skipped(s, s.resync.dropped, "before this message")
            s.resync = None
            s.pushback = found
            if s.number == SERVER and s.message is not None:
                # A response that is followed by another one has ended, wherever.
                message, cut = s.message, s.message.cut
                self._end_message(s)
                message.cut = cut
            s.message = s.exchange = None
            s.state = HEAD
        return at + len(piece)

    def _say_skipped(self, s: Side, count: int, where: str) -> None:
        if count:
            begin = "" if s.messages else "this is not HTTP: "
            if begin and self._midstream:
                begin = f"the capture begins inside a message, or {begin}"
            self.fault(s.packet, f"{begin}{count} bytes skipped {where}")

    # Bytes that are not, or perhaps not, HTTP/1

    def _hold(self, s: Side, data: bytes | memoryview, at: int) -> int:
        """After CONNECT or a request with Upgrade it is the response that says what the next bytes are."""
        s.held_bytes += len(data) - at + 64
        s.held.append((bytes(data[at:]), 0, "", s.at_ns, s.packet))
        if s.held_bytes > HOLD_LIMIT:
            self.fault(s.packet, "bytes follow a request to change the protocol, and there is no response")
            self._release()
        return len(data)

    def _handed(self, s: Side, data: bytes | memoryview, at: int) -> int:
        assert self.handover is not None
        self.handover.feed(s.number, data[at:] if at else data, s.at_ns, s.packet)
        return len(data)
