"""The HTTP/1 dissector: two byte streams in, exchanges out. RFC 9112 if no other document is named.

    dissector = Dissector()
    dissector.feed(CLIENT, b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n", at_ns, packet)

It does no IO, knows no clock, and raises for no input. Bytes of the two sides come in the order of the capture; how
they were cut into segments changes nothing but packet numbers and times. Bodies are counted and never copied:
`skippable` says how many bytes of a side need not even be fed.
"""

from __future__ import annotations

from typing import Final

from analyzer.dissector.handover import Handover
from analyzer.dissector.http1 import ATTRIBUTES, STEPS
from analyzer.dissector.http1.bodies import PIECE
from analyzer.dissector.http1.exchanges import Exchange, HttpEvent
from analyzer.dissector.http1.head import (
    HTTP_0_9,
    UNKNOWN_END,
    Fields,
    framing,
    parse_request_line,
    parse_status_line,
    shown,
)
from analyzer.dissector.http1.messages import Messages
from analyzer.dissector.http1.probe import probe
from analyzer.dissector.http1.side import (
    BODY,
    CHUNK_DATA,
    CHUNK_END,
    CHUNK_SIZE,
    CLIENT,
    DONE,
    HANDED,
    HEAD,
    HOLD,
    LENGTH,
    LOST,
    RESUMABLE,
    SERVER,
    TRAILERS,
    UNTIL_CLOSE,
    Side,
)  # fmt: skip
from analyzer.dissector.layer import EVERYTHING

__all__ = ["ATTRIBUTES", "CLIENT", "SERVER", "STEPS", "Dissector", "Exchange", "Handover", "HttpEvent", "probe"]

HEAD_LIMIT: Final = 262_144  # bytes


class Dissector(Messages):
    """One connection. See `Pairing` for what is found.

    `head_limit`: bytes of a head, at most; a longer one is a fault. `keep_fields`: whether `Message.fields` shall be
    filled. `midstream`: the connection was open before the capture began, so responses may answer requests not seen.
    """

    def __init__(self, *, head_limit: int = HEAD_LIMIT, keep_fields: bool = False, midstream: bool = False):
        super().__init__(head_limit, keep_fields)
        self._midstream = self._requests_lost = midstream

    # Input

    def feed(self, side: int, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        """The next bytes of a side."""
        s = self._sides[side]
        if not len(data) or (s.closed is not None and not self._reopened(s)):
            return
        s.at_ns, s.packet, s.seen = at_ns, packet, True
        if self._unasked and side == CLIENT:
            self._blame()
        self._run(s, data)

    def skippable(self, side: int) -> int:
        """How many of the next bytes of a side need not be fed but may be passed by `skip`. 0: every byte matters."""
        s = self._sides[side]
        if s.state in BODY:
            return s.remaining
        if s.state == HANDED and self.handover is not None:
            return self.handover.skippable(side)
        return EVERYTHING if s.closed is not None and s.state != RESUMABLE else 0

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        """So many bytes came, and were not looked at. Before the other side is fed, so that the order is kept."""
        s = self._sides[side]
        if s.closed is not None or length <= 0:
            return
        s.at_ns, s.packet, s.seen = at_ns, packet, True
        if s.state == HANDED and self.handover is not None:
            self.handover.skip(side, length, at_ns, packet)
            return
        if s.state in BODY:
            taken = min(length, s.remaining)
            self._take_body(s, taken)
            length -= taken
        if length:
            self._missing(s, length, "not looked at", packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        """So many bytes are not in the capture; `packet` is the one that shows it."""
        s = self._sides[side]
        if s.closed is not None or length <= 0:
            return
        s.packet, s.seen = packet, True
        if s.state in BODY:
            taken = min(length, s.remaining)
            if s.message is not None:
                s.message.body_lost += taken
            self._take_body(s, taken)
            length -= taken
        if length:
            self._missing(s, length, cause, packet)

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        """No more bytes of a side: "fin", "rst" (which ends both), or "end" of what was captured."""
        for s in self._sides if how == "rst" else (self._sides[side],):
            if s.closed is None:
                s.at_ns, s.packet = at_ns, packet
                s.closed = how, at_ns, packet
                self._closed(s, how)
        client, server = self._sides
        if server.closed is not None and client.state == HOLD:
            self._release()
        if client.closed is not None:
            if client.seen and client.closed[0] != "end":
                self._blame()
            elif server.closed is not None:
                self._blame() if client.seen else self._forgive()

    def _reopened(self, s: Side) -> bool:
        """Bytes after a RST that cut nothing: whatever it was, it did not end the connection."""
        if s.closed is None or s.closed[0] != "rst" or s.state != RESUMABLE:
            return False
        s.closed, s.state = None, HEAD
        return True

    def _run(self, s: Side, data: bytes | memoryview) -> None:
        at, size = 0, len(data)
        later: list[tuple[bytes | memoryview, int]] | None = None
        while True:
            while at < size:
                at = _HANDLERS[s.state](self, s, data, at)
                if s.pushback is not None:
                    if at < size:
                        later = [*(later or ()), (data, at)]
                    data, s.pushback = s.pushback, None
                    at, size = 0, len(data)
            if not later:
                return
            data, at = later.pop()
            size = len(data)

    # Heads

    def _head(self, s: Side, data: bytes | memoryview, at: int) -> int:
        """Each handler takes bytes of `data` from `at` on and returns how far it came."""
        if type(data) is not bytes:
            return at + self._head(s, bytes(data[at : at + PIECE]), 0)
        buffer = s.buffer
        if self._simple and s.number == SERVER and self._is_simple_response():
            return self._simple_response(s, data, at)
        if not buffer:
            # §2.2: empty lines before a message do not matter.
            while data[at] in b"\r\n":
                at += 1
                if at == len(data):
                    return at
            s.began_ns, s.began_packet = s.at_ns, s.packet
            end = _head_end(data, at)
            if 0 <= end <= at + self._head_limit:
                return at + self._message(s, data[at:end])
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
            self._head_without_end(s, f"a head of more than {self._head_limit} bytes (RFC 9112 §2.2)")
        return at

    def _buffered(self, s: Side, end: int) -> None:
        """Reads the head in the buffer."""
        head = bytes(s.buffer[:end])
        s.buffer.clear()
        s.line_seen = False
        used = self._message(s, head)
        if used < end:
            s.pushback = head[used:]

    def _message(self, s: Side, head: bytes) -> int:
        """Reads a head; returns how many bytes of it were one."""
        line_end = head.index(b"\n")
        line = head[: line_end - 1] if head[line_end - 1] == 13 else head[:line_end]
        if s.number == CLIENT:
            parsed = parse_request_line(line)
            if parsed is None or (parsed.version == HTTP_0_9 and s.messages):
                self._lose(s, f"`{shown(line)}` is no request")
                return 0
            if parsed.version == HTTP_0_9:
                return self._simple_request(s, parsed, line_end + 1)
            fields = Fields(head, line_end)
            length = framing(fields, parsed.version, response=False, bodiless=False)
            self._request(s, parsed, fields, length, len(head))
        else:
            status = parse_status_line(line)
            if status is None:
                self._lose(s, f"`{shown(line)}` is no response")
                return 0
            if status.fault:
                self.fault(s.began_packet, status.fault)
            self._response(s, status.version, status.status, Fields(head, line_end), len(head))
        return len(head)

    def _head_without_end(self, s: Side, why: str, *, after: bool = True) -> None:
        """The rest of this head cannot be read. Its start line may be known: a request or response there was. `after`:
        it ended at all."""
        head, lost = bytes(s.buffer), self.lost
        known, s.line_seen = s.line_seen, False
        s.buffer.clear()
        self.fault(s.packet, why)
        if known:
            line_end = head.index(b"\n")
            line = head[:line_end].removesuffix(b"\r")
            fields = Fields(head[: head.rindex(b"\n") + 1] + b"\r\n", line_end)
            unknown = UNKNOWN_END
            if s.number == CLIENT:
                request = parse_request_line(line)
                if request is not None:
                    self._request(s, request, fields, unknown, len(head), event=after)
            else:
                status = parse_status_line(line)
                if status is not None:
                    self._response(s, status.version, status.status, fields, len(head), unknown)
        if s.state == HEAD:
            self._lose(s, None)
        if not after:  # the connection ended here, and nothing was lost
            self.lost = lost
            if s.message is not None:
                s.message.cut = None

    # Loss

    def _missing(self, s: Side, length: int, cause: str, packet: int) -> None:
        """A gap outside of a body's bytes."""
        if s.state == HANDED and self.handover is not None:
            self.handover.gap(s.number, length, cause, packet)
        elif s.state == HOLD:
            s.held.append((b"", length, cause, s.at_ns, packet))
        elif s.state == LOST and s.resync is not None:
            s.resync.restart()
        elif s.state != DONE:
            if s.number == CLIENT:
                self._forgive()
            if s.buffer and s.state == HEAD:
                self.lost = self.lost or cause
                self._head_without_end(s, f"{length} bytes of a head are missing: {cause}")
                if s.message is not None:
                    s.message.cut = cause
            else:
                where = "between two messages" if s.state == HEAD else "where the size of a chunk stood"
                self._lose(s, f"{length} bytes are missing {where}: {cause}", cut=cause)

    def _release(self) -> None:
        """The response was not the one that changes the protocol: the bytes held back are HTTP."""
        s = self._sides[CLIENT]
        held, s.held, s.held_bytes, s.hold = s.held, [], 0, None
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
            self._closed(s, s.closed[0])

    # Ends of the connection

    def _closed(self, s: Side, how: str) -> None:
        """RFC 9112 §8, §9.6."""
        state = s.state
        if state == HANDED and self.handover is not None and s.closed is not None:
            self.handover.close(s.number, *s.closed)
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
                self._head_without_end(s, why, after=False)
        elif state == LOST and s.resync is not None:
            self._say_skipped(s, s.resync.dropped + s.resync.held, "up to the end")
        if s.message is not None:
            if state == UNTIL_CLOSE and how == "fin":
                self._end_message(s)  # §6.3 rule 8
            else:
                # A client need not go on with what has already been answered (RFC 9112 §9.5).
                answered = s.number == CLIENT and s.exchange is not None and s.exchange.response is not None
                if over and s.state != LOST and not answered:
                    rest = f", {s.remaining} bytes before its end" if state == LENGTH else ""
                    self.fault(s.packet, f"the connection ended inside a body{rest} (RFC 9112 §8)")
                # Where its end is not in the capture, nobody knows whether it was cut.
                seen = s.message.cut in (None, "framing")
                self._end_message(s, s.message.cut or how, event=over and seen)
        s.state = DONE

    def _done(self, s: Side, data: bytes | memoryview, at: int) -> int:
        return len(data)


def _head_end(data: bytes | bytearray, at: int) -> int:
    """Index after the empty line that ends a head; -1: there is none. §2.2: LF alone may end a line."""
    end = data.find(b"\n\r\n", at)
    short = data.find(b"\n\n", at) if end < 0 else data.find(b"\n\n", at, end + 1)
    if short >= 0:
        return short + 2
    return end + 3 if end >= 0 else -1


_HANDLERS: Final = {
    HEAD: Dissector._head,
    LENGTH: Dissector._body,
    CHUNK_SIZE: Dissector._chunk_size,
    CHUNK_DATA: Dissector._body,
    CHUNK_END: Dissector._chunk_end,
    TRAILERS: Dissector._trailers,
    UNTIL_CLOSE: Dissector._body,
    LOST: Dissector._lost,
    HOLD: Dissector._hold,
    HANDED: Dissector._handed,
    RESUMABLE: Dissector._done,
    DONE: Dissector._done,
}
