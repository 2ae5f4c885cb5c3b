# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Bodies and what comes between messages: how a message ends, and what happens where its end cannot be found.

RFC 9112 if no other document is named. Pure-Python mode, types in `bodies.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http1.odd import parse_chunk_size
from analyzer.dissector.http1.resync import Resync

if cython.compiled:
    from cython.cimports.analyzer.dissector.http1.exchanges import Exchange, Message
    from cython.cimports.analyzer.dissector.http1.pairing import Pairing
    from cython.cimports.analyzer.dissector.http1.side import Side
    from cython.cimports.analyzer.dissector.http1.states import *
else:
    from analyzer.dissector.http1.exchanges import Exchange, Message
    from analyzer.dissector.http1.pairing import Pairing
    from analyzer.dissector.http1.side import Side
    from analyzer.dissector.http1.states import *

COMPILED = cython.compiled

CHUNK_LINE_LIMIT = 16_384  # bytes; §7.1.1 asks for a limit of extensions
HOLD_LIMIT = 262_144  # bytes
PIECE = 16_384  # bytes looked at at once where bytes must be copied

_EVERYTHING = cython.declare(cython.longlong, 1 << 62)  # `layer.EVERYTHING`
_NEVER = cython.declare(cython.longlong, -(1 << 63))  # `exchanges.NEVER`


@cython.no_gc
@cython.cclass
class Bodies(Pairing):
    """The two sides with their bodies. Handlers take bytes of `data` (bytes or a memoryview) from `at` on and return
    how far they came."""

    @cython.cfunc
    def _begin(self, head_limit: cython.longlong, keep_fields: cython.bint) -> cython.void:
        self._begin_pairing()
        self.handover = None
        self.sink = None  # who gets the bytes of bodies, `content.Sink`; None: they are only counted
        self.lost = None  # why steps may be missing: the cause of a gap, "mid-stream", "framing"
        self._head_limit = max(16, head_limit)
        self._keep_fields = keep_fields
        self._midstream = False  # the connection was open before the capture began
        self.client = Side(CLIENT)
        self.server = Side(SERVER)

    @cython.cfunc
    def _side(self, number: cython.int) -> Side:
        return self.server if number else self.client

    @cython.cfunc
    def _release(self) -> cython.void:
        """The response was not the one that changes the protocol: the bytes held back are HTTP."""
        raise NotImplementedError

    @cython.cfunc
    def _begin_body(self, s: Side, kind: cython.int, length: cython.longlong) -> cython.void:
        message: Message = s.message
        if kind == NO_BODY:
            if s.number == CLIENT and s.hold is None and self.handover is None and message is not None:
                message.complete = True  # as most requests are
                s.message = s.exchange = None
            else:
                self._end_message(s, None, True)
        elif kind == UNKNOWN:
            self._lose(s, None, "framing")
        elif kind == BY_LENGTH:
            s.state = LENGTH
            s.remaining = length
        elif kind == BY_CHUNKS:
            s.state = CHUNK_SIZE
            s.remaining = 0
        else:
            s.state = UNTIL_CLOSE
            s.remaining = _EVERYTHING

    @cython.cfunc
    def _take_body(self, s: Side, count: cython.longlong) -> cython.void:
        message: Message = s.message
        if message is not None:
            message.body_bytes += count
            message.last_packet = s.packet
        if s.state == UNTIL_CLOSE:
            return
        s.remaining -= count
        if not s.remaining:
            if s.state == LENGTH:
                self._end_message(s, None, True)
            else:
                s.state = CHUNK_END

    def _line(self, s: Side, data, at: cython.Py_ssize_t, most: cython.longlong):
        """The next line, once it is complete, without its LF."""
        buffer = s.waiting()
        piece = bytes(data[at : at + min(PIECE, most - len(buffer))])
        found = piece.find(b"\n")
        if found < 0:
            buffer += piece
            if len(buffer) >= most:
                self._lose(s, f"a line of {most} bytes or more in a chunked body (RFC 9112 §7.1)", "framing")
            return at + len(piece), None
        line = piece[:found]
        if buffer:
            line = bytes(buffer) + line
            buffer.clear()
        return at + found + 1, line

    @cython.cfunc
    def _chunk_size(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        at, line = self._line(s, data, at, CHUNK_LINE_LIMIT)
        if line is None:
            return at
        size, fault = parse_chunk_size(line)
        if size is None:
            self._lose(s, fault, "framing")
            return at
        if fault:
            self.fault(s.packet, fault)
        s.remaining = size
        s.state = CHUNK_DATA if size else TRAILERS
        return at

    @cython.cfunc
    def _chunk_end(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        byte = data[at]
        if byte == 13 and not s.buffer:
            s.waiting().append(13)
        elif byte == 10:
            if not s.buffer:
                self.fault(s.packet, "a chunk ends with LF alone (RFC 9112 §7.1)")
            s.waiting().clear()
            s.state = CHUNK_SIZE
        else:
            s.waiting().clear()
            self._lose(s, "a chunk is longer than its size says (RFC 9112 §7.1)", "framing")
            return at
        return at + 1

    @cython.cfunc
    def _trailers(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """§7.1.2"""
        at, line = self._line(s, data, at, self._head_limit)
        message: Message = s.message
        if line is None or message is None:
            return at
        message.trailer_bytes += len(line) + 1
        if message.trailer_bytes > self._head_limit:
            self._lose(s, f"a trailer section of more than {self._head_limit} bytes (RFC 9112 §7.1.2)", "framing")
        elif line in (b"", b"\r"):
            self._end_message(s, None, True)
        elif self._keep_fields:
            if message.trailers is None:
                message.trailers = []
            message.trailers.append(line.removesuffix(b"\r"))
        return at

    # Ends of messages

    @cython.cfunc
    def _end_message(self, s: Side, cut: str | None, event: cython.bint) -> cython.void:
        """The message is over. `cut`: but not complete, for this reason; None: it is."""
        message: Message = s.message
        exchange: Exchange = s.exchange
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
        exchange.finished = s.at_ns if cut is None else _NEVER
        if event:
            self._response_event(HTTP_RESPONSE if cut is None else CUT_RESPONSE, exchange, s.packet, s.at_ns, None)
            self._answered(exchange)
        if self.client.hold is exchange:
            self._release()

    # Loss

    @cython.cfunc
    def _lose(self, s: Side, why: str | None, cut: str) -> cython.void:
        """Where the next message begins is unknown from here on. `why` is a fault, except at a side's beginning;
        `cut`: why the message that is being read is not complete, "framing" unless bytes are missing."""
        if s.message is not None:
            s.message.cut = cut
        if why is not None and s.messages:
            self.fault(s.packet, why)
        elif not s.messages:
            # Perhaps the capture began in the middle of a message, and requests before it are not known either.
            self._forgive()
        self.lost = self.lost or ("mid-stream" if self._midstream and not s.messages else cut)
        if s.buffer:
            s.buffer.clear()
        s.line_seen = False
        s.early = None
        s.state = LOST
        s.lost_packet = s.packet
        s.resync = Resync(requests=s.number == CLIENT)

    @cython.cfunc
    def _lost(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        assert s.resync is not None
        piece = bytes(data[at : at + PIECE])
        found = s.resync.feed(piece)
        if found is not None:
            self._say_skipped(s, s.resync.dropped, "before this message")
            s.resync = None
            s.pushback = found
            if s.number == SERVER and s.message is not None:
                # A response that is followed by another one has ended, wherever.
                message: Message = s.message
                cut: str = message.cut
                self._end_message(s, None, True)
                message.cut = cut
            s.message = s.exchange = None
            s.state = HEAD
        return at + len(piece)

    @cython.cfunc
    def _say_skipped(self, s: Side, count: cython.longlong, where: str) -> cython.void:
        if count:
            begin = "" if s.messages else "this is not HTTP: "
            if begin and self._midstream:
                begin = f"the capture begins inside a message, or {begin}"
            self.fault(s.packet, f"{begin}{count} bytes skipped {where}")

    # Bytes that are not, or perhaps not, HTTP/1

    @cython.cfunc
    def _hold(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """After CONNECT or a request with Upgrade it is the response that says what the next bytes are."""
        s.held_bytes += len(data) - at + 64
        if s.held is None:
            s.held = []
        s.held.append((bytes(data[at:]), 0, "", s.at_ns, s.packet))
        if s.held_bytes > HOLD_LIMIT:
            self.fault(s.packet, "bytes follow a request to change the protocol, and there is no response")
            self._release()
        return len(data)

    @cython.cfunc
    def _handed(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        assert self.handover is not None
        self.handover.feed(s.number, data[at:] if at else data, s.at_ns, s.packet)
        return len(data)
