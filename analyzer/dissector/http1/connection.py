# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The HTTP/1 dissector: two byte streams in, exchanges out. RFC 9112 if no other document is named.

    dissector = Dissector()
    dissector.feed(CLIENT, b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", at_ns, packet)

It does no IO, knows no clock, and raises for no input. Bytes of the two sides come in the order of the capture; how
they were cut into segments changes nothing but packet numbers and times. Bodies are counted and never copied:
`skippable` says how many bytes of a side need not even be fed. Pure-Python mode, types in `connection.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http1.bodies import PIECE
from analyzer.dissector.http1.odd import HTTP_0_9, shown
from analyzer.dissector.http1.probe import probe
from analyzer.dissector.layer import EVERYTHING

if cython.compiled:
    from cython.cimports.analyzer.dissector.http1.head import (
        Fields,
        RequestLine,
        StatusLine,
        fields_of,
        parse_request_line,
        parse_status_line,
    )
    from cython.cimports.analyzer.dissector.http1.messages import Messages
    from cython.cimports.analyzer.dissector.http1.side import Side
    from cython.cimports.analyzer.dissector.http1.states import *
else:
    from analyzer.dissector.http1.head import (
        Fields,
        RequestLine,
        StatusLine,
        fields_of,
        parse_request_line,
        parse_status_line,
    )
    from analyzer.dissector.http1.messages import Messages
    from analyzer.dissector.http1.side import Side
    from analyzer.dissector.http1.states import *

COMPILED = cython.compiled

__all__ = ["Dissector", "probe"]

HEAD_LIMIT = 262_144  # bytes


@cython.no_gc
@cython.final
@cython.cclass
class Dissector(Messages):
    """One connection. See `Pairing` for what is found.

    `head_limit`: bytes of a head, at most; a longer one is a fault. `keep_fields`: whether `Message.fields` shall be
    filled. `midstream`: the connection was open before the capture began, so responses may answer requests not seen.
    """

    def __init__(self, keep_fields=False, midstream=False, *, head_limit=HEAD_LIMIT):
        self._begin(head_limit, keep_fields)
        self._midstream = self._requests_lost = midstream

    # Input

    @cython.ccall
    def feed(self, side: cython.int, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """The next bytes of a side: bytes or a memoryview."""
        s: Side = self._side(side)
        if not len(data) or (s.closed is not None and not self._reopened(s)):
            return
        s.at_ns = at_ns
        s.packet = packet
        s.seen = True
        if side == CLIENT and self._unasked:
            self._blame()
        self._run(s, data)

    @cython.ccall
    def skippable(self, side: cython.int) -> cython.longlong:
        """How many of the next bytes of a side need not be fed but may be passed by `skip`. 0: every byte matters."""
        s: Side = self._side(side)
        if s.state == LENGTH or s.state == CHUNK_DATA or s.state == UNTIL_CLOSE:
            return s.remaining if self.sink is None else 0
        if s.state == HANDED and self.handover is not None:
            return self.handover.skippable(side)
        return EVERYTHING if s.closed is not None and s.state != RESUMABLE else 0

    @cython.ccall
    def skip(
        self, side: cython.int, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """So many bytes came, and were not looked at. Before the other side is fed, so that the order is kept."""
        s: Side = self._side(side)
        taken: cython.longlong
        if s.closed is not None or length <= 0:
            return
        s.at_ns = at_ns
        s.packet = packet
        s.seen = True
        if s.state == HANDED and self.handover is not None:
            self.handover.skip(side, length, at_ns, packet)
            return
        if s.state == LENGTH or s.state == CHUNK_DATA or s.state == UNTIL_CLOSE:
            taken = min(length, s.remaining)
            if self.sink is not None and s.message is not None:
                self.sink.gap(s.message)
            self._take_body(s, taken)
            length -= taken
        if length:
            self._missing(s, length, "not looked at", packet)

    @cython.ccall
    def gap(self, side: cython.int, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        """So many bytes are not in the capture; `packet` is the one that shows it."""
        s: Side = self._side(side)
        taken: cython.longlong
        if s.closed is not None or length <= 0:
            return
        s.packet = packet
        s.seen = True
        if s.state == LENGTH or s.state == CHUNK_DATA or s.state == UNTIL_CLOSE:
            taken = min(length, s.remaining)
            if s.message is not None:
                s.message.body_lost += taken
                if self.sink is not None:
                    self.sink.gap(s.message)
            self._take_body(s, taken)
            length -= taken
        if length:
            self._missing(s, length, cause, packet)

    @cython.ccall
    def close(self, side: cython.int, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """No more bytes of a side: "fin", "rst" (which ends both), or "end" of what was captured."""
        client: Side = self.client
        server: Side = self.server
        if side == CLIENT or how == "rst":
            self._close(client, how, at_ns, packet)
        if side == SERVER or how == "rst":
            self._close(server, how, at_ns, packet)
        if server.closed is not None and client.state == HOLD:
            self._release()
        if client.closed is not None:
            if client.seen and client.closed != "end":
                self._blame()
            elif server.closed is not None:
                if client.seen:
                    self._blame()
                else:
                    self._forgive()

    @cython.cfunc
    def _close(self, s: Side, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        if s.closed is None:
            s.at_ns = at_ns
            s.packet = packet
            s.closed = how
            s.closed_ns = at_ns
            s.closed_packet = packet
            self._closed(s, how)

    @cython.cfunc
    def _reopened(self, s: Side) -> cython.bint:
        """Bytes after a RST that cut nothing: whatever it was, it did not end the connection."""
        if s.closed is None or s.closed != "rst" or s.state != RESUMABLE:
            return False
        s.closed = None
        s.state = HEAD
        return True

    @cython.cfunc
    def _run(self, s: Side, data) -> cython.void:
        at: cython.Py_ssize_t = 0
        size: cython.Py_ssize_t = len(data)
        later: list = None
        while True:
            while at < size:
                at = self._handle(s, data, at)
                if s.pushback is not None:
                    if at < size:
                        later = later or []
                        later.append((data, at))
                    data, s.pushback = s.pushback, None
                    at = 0
                    size = len(data)
            if not later:
                return
            data, at = later.pop()
            size = len(data)

    @cython.cfunc
    def _handle(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Takes bytes of `data` from `at` on, which are not its end; how far it came. So do all that it calls."""
        state: cython.int = s.state
        count: cython.longlong
        if state == HEAD:
            return self._head(s, data, at)
        if state in (LENGTH, CHUNK_DATA, UNTIL_CLOSE):
            count = min(s.remaining, len(data) - at)
            if self.sink is not None and s.message is not None:
                self.sink.body(s.message, data[at : at + count])
            self._take_body(s, count)
            return at + count
        if state == CHUNK_SIZE:
            return self._chunk_size(s, data, at)
        if state == CHUNK_END:
            return self._chunk_end(s, data, at)
        if state == TRAILERS:
            return self._trailers(s, data, at)
        if state == LOST:
            return self._lost(s, data, at)
        if state == HOLD:
            return self._hold(s, data, at)
        if state == HANDED:
            return self._handed(s, data, at)
        return len(data)

    # Heads

    @cython.cfunc
    def _head(self, s: Side, data, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        if type(data) is not bytes:
            return at + self._head(s, bytes(data[at : at + PIECE]), 0)
        block: bytes = data
        buffer: bytearray = s.buffer
        size: cython.Py_ssize_t = len(block)
        line_end: cython.Py_ssize_t
        end: cython.Py_ssize_t
        if self._simple and s.number == SERVER and self._is_simple_response():
            return self._simple_response(s, block, at)
        if not buffer:
            # §2.2: empty lines before a message do not matter.
            while block[at] == 13 or block[at] == 10:
                at += 1
                if at == size:
                    return at
            s.began_ns = s.at_ns
            s.began_packet = s.packet
            line_end = at
            while line_end < size and block[line_end] != 10:
                line_end += 1
            if line_end < size and line_end > at and block[line_end - 1] == 13:
                fields: Fields = Fields()
                end = fields.read(block, line_end)
                if 0 <= end <= at + self._head_limit:
                    return at + self._message(s, block, at, line_end, end, fields)
            end = _head_end(block, at)
            if 0 <= end <= at + self._head_limit:
                return at + self._message(s, block, at, line_end, end, None)
        return self._incomplete_head(s, block, at)

    def _incomplete_head(self, s: Side, data: bytes, at):
        buffer = s.waiting()
        before = len(buffer)
        piece = data[at : at + min(PIECE, self._head_limit - before)]
        buffer += piece
        at += len(piece)
        end = _head_end(buffer, max(0, before - 2))
        if end >= 0:
            self._buffered(s, end)
            return at - before - len(piece) + end
        if not s.line_seen:
            line_end = buffer.find(b"\n", before)
            if line_end >= 0:
                line = bytes(buffer[:line_end]).removesuffix(b"\r")
                known = parse_request_line(line) if s.number == CLIENT else parse_status_line(line)
                if known is None or known.version == HTTP_0_9:
                    self._buffered(s, len(buffer))
                    return at
                s.line_seen = True
        if len(buffer) >= self._head_limit:
            self._head_without_end(s, f"a head of more than {self._head_limit} bytes (RFC 9112 §2.2)", True)
        return at

    def _buffered(self, s: Side, end):
        """Reads the head in the buffer."""
        head = bytes(s.buffer[:end])
        s.buffer.clear()
        s.line_seen = False
        used = self._message(s, head, 0, head.index(b"\n"), end, None)
        if used < end:
            s.pushback = head[used:]

    @cython.cfunc
    def _message(
        self, s: Side, head: bytes, begin: cython.Py_ssize_t, line_end: cython.Py_ssize_t, end: cython.Py_ssize_t,
        fields: Fields | None,
    ) -> cython.Py_ssize_t:  # fmt: skip
        """A head from `begin` to `end`, whose first line ends with the LF at `line_end`; how many bytes of it were one.
        `fields`: what was read of it, or None."""
        stop: cython.Py_ssize_t = line_end
        if line_end > begin and head[line_end - 1] == 13:
            stop -= 1
        line: bytes = head[begin:stop]
        if s.number == CLIENT:
            asked: RequestLine = parse_request_line(line)
            if asked is None or (asked.version == HTTP_0_9 and s.messages):
                self._lose(s, f"`{shown(line)}` is no request", "framing")
                return 0
            if asked.version == HTTP_0_9:
                return self._simple_request(s, asked, line_end + 1 - begin)
            if fields is None:
                fields = fields_of(head[begin:end], line_end - begin)
            fields.frame(asked.version, False, False)
            self._request(s, asked, fields, fields.kind, fields.length, end - begin, True)
        else:
            status: StatusLine = parse_status_line(line)
            if status is None:
                self._lose(s, f"`{shown(line)}` is no response", "framing")
                return 0
            if status.fault is not None:
                self.fault(s.began_packet, status.fault)
            if fields is None:
                fields = fields_of(head[begin:end], line_end - begin)
            self._response(s, status.version, status.status, fields, end - begin, True)
        return end - begin

    def _head_without_end(self, s: Side, why: str, after):
        """The rest of this head cannot be read. Its start line may be known: a request or response there was. `after`:
        it ended at all."""
        head, lost = bytes(s.buffer), self.lost
        known, s.line_seen = s.line_seen, False
        s.buffer.clear()
        self.fault(s.packet, why)
        if known:
            line_end = head.index(b"\n")
            line = head[:line_end].removesuffix(b"\r")
            fields: Fields = fields_of(head[: head.rindex(b"\n") + 1] + b"\r\n", line_end)
            if s.number == CLIENT:
                asked: RequestLine = parse_request_line(line)
                if asked is not None:
                    self._request(s, asked, fields, UNKNOWN, 0, len(head), after)
            else:
                status: StatusLine = parse_status_line(line)
                if status is not None:
                    self._response(s, status.version, status.status, fields, len(head), False)
        if s.state == HEAD:
            self._lose(s, None, "framing")
        if not after:  # the connection ended here, and nothing was lost
            self.lost = lost
            if s.message is not None:
                s.message.cut = None

    # Loss

    @cython.cfunc
    def _missing(self, s: Side, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        """A gap outside of a body's bytes."""
        if s.state == HANDED and self.handover is not None:
            self.handover.gap(s.number, length, cause, packet)
        elif s.state == HOLD:
            if s.held is None:
                s.held = []
            s.held.append((b"", length, cause, s.at_ns, packet))
        elif s.state == LOST and s.resync is not None:
            s.resync.restart()
        elif s.state != DONE:
            if s.number == CLIENT:
                self._forgive()
            if s.buffer and s.state == HEAD:
                self.lost = self.lost or cause
                self._head_without_end(s, f"{length} bytes of a head are missing: {cause}", True)
                if s.message is not None:
                    s.message.cut = cause
            else:
                where = "between two messages" if s.state == HEAD else "where the size of a chunk stood"
                self._lose(s, f"{length} bytes are missing {where}: {cause}", cause)

    @cython.cfunc
    def _release(self) -> cython.void:
        """The response was not the one that changes the protocol: the bytes held back are HTTP."""
        s: Side = self.client
        held: list = s.held or []
        s.held = None
        s.held_bytes = 0
        s.hold = None
        if s.state != HOLD:
            return
        s.state = HEAD
        now = s.at_ns, s.packet
        for data, missing, cause, at_ns, packet in held:
            s.at_ns, s.packet = at_ns, packet
            if missing:
                self._missing(s, missing, cause, packet)
            else:
                self._run(s, data)
        s.at_ns, s.packet = now
        if s.closed is not None:
            self._closed(s, s.closed)

    # Ends of the connection

    @cython.cfunc
    def _closed(self, s: Side, how: str) -> cython.void:
        """RFC 9112 §8, §9.6."""
        state: cython.int = s.state
        if state == HANDED and self.handover is not None and s.closed is not None:
            self.handover.close(s.number, s.closed, s.closed_ns, s.closed_packet)
            return
        if state == HOLD:
            return
        if state == HEAD and not s.buffer and how == "rst":
            s.state = RESUMABLE
            return
        over = how != "end"  # else nobody knows what came next
        if state == HEAD and s.buffer and s.number == SERVER and self._simple and self._is_simple_response():
            self._begin_simple_response(s)
            state = s.state
        elif state == HEAD and s.buffer:
            if over or s.line_seen:
                why = "the connection ended inside a head (RFC 9112 §8)" if over else "the capture ends inside a head"
                self._head_without_end(s, why, False)
        elif state == LOST and s.resync is not None:
            self._say_skipped(s, s.resync.dropped + s.resync.held, "up to the end")
        if s.message is not None:
            if state == UNTIL_CLOSE and how == "fin":
                self._end_message(s, None, True)  # §6.3 rule 8
            else:
                # A client need not go on with what has already been answered (RFC 9112 §9.5).
                answered = s.number == CLIENT and s.exchange is not None and s.exchange.response is not None
                if over and s.state != LOST and not answered:
                    rest = f", {s.remaining} bytes before its end" if state == LENGTH else ""
                    self.fault(s.packet, f"the connection ended inside a body{rest} (RFC 9112 §8)")
                # Where its end is not in the capture, nobody knows whether it was cut.
                seen = s.message.cut is None or s.message.cut == "framing"
                self._end_message(s, s.message.cut or how, over and seen)
        s.state = DONE


def _head_end(data, at):
    """Index after the empty line that ends a head; -1: there is none. §2.2: LF alone may end a line."""
    end = data.find(b"\n\r\n", at)
    short = data.find(b"\n\n", at) if end < 0 else data.find(b"\n\n", at, end + 1)
    if short >= 0:
        return short + 2
    return end + 3 if end >= 0 else -1
