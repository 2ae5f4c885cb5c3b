"""TLS records of one side: a byte stream in, fragments out. RFC 8446 §5, RFC 5246 §6.2.

A fragment nobody wants is counted and never copied. Where the framing is lost, the next record is found by its header
and the one after it. SSL 2.0's framing is followed for its hellos (RFC 5246 §E.2).
"""

from __future__ import annotations

from typing import Final, Protocol

from analyzer.dissector.tls.resync import PLAUSIBLE, Piece, Resync

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = range(20, 25)
CONTENT_TYPES: Final = ("change_cipher_spec", "alert", "handshake", "application_data", "heartbeat")

MOST_PLAINTEXT: Final = 1 << 14  # bytes of a fragment that is not encrypted, RFC 8446 §5.1
MOST_CIPHERTEXT: Final = MOST_PLAINTEXT + 256  # RFC 8446 §5.2
MOST_CIPHERTEXT_1_2: Final = MOST_PLAINTEXT + 2048  # RFC 5246 §6.2.3; more than this is no record
EVERYTHING: Final = 1 << 62  # more bytes than any connection has

HEADER, FRAGMENT, LOST, SSL2_HEADER, SSL2_FRAGMENT, IGNORED = range(6)


class Sink(Protocol):
    """Who reads the records: the dissector."""

    def wanted(self, reader: RecordReader, content_type: int) -> bool:
        """Whether the fragment that begins now shall be collected."""

    def record(
        self, reader: RecordReader, content_type: int, version: int, length: int, fragment: bytes | None
    ) -> None:
        """A record has ended. No fragment: it was not wanted."""

    def holed(self, reader: RecordReader, content_type: int, length: int, lost: int, begin: bytes) -> None:
        """A record has ended of which `lost` bytes are missing; `begin`: what came before the first missing one."""

    def ssl2(self, reader: RecordReader, fragment: bytes) -> None:
        """A record in SSL 2.0's form has ended."""

    def unframed(self, reader: RecordReader, why: str | None) -> None:
        """Records may be missing from here on. `why` is a fault, None if a gap or the capture's beginning is."""

    def fault(self, packet: int, message: str) -> None: ...


class RecordReader:
    """One side. `packet` and `at_ns` are those of the bytes being read, `first_packet` and `first_ns` those of the
    record's first byte."""

    __slots__ = (
        "_begin", "_buffer", "_content_type", "_fed_ns", "_fed_packet", "_found", "_keep", "_lost", "_resync", "_sink",
        "_state", "_version", "at_ns", "captured_ns", "captured_packet", "cause", "first_ns", "first_packet", "length",
        "number", "packet", "records", "remaining",
    )  # fmt: skip

    def __init__(self, number: int, sink: Sink, *, midstream: bool):
        self.number = number
        self.cause = "mid-stream"  # of the last gap
        self.at_ns = 0
        self.packet = 0
        self.captured_ns = 0  # when all of the record was captured: before it was read, if it came early
        self.captured_packet = 0
        self.first_ns = 0
        self.first_packet = 0
        self.length = 0  # of the fragment being read
        self.remaining = 0  # of it
        self.records = 0
        self._fed_ns = 0
        self._fed_packet = 0
        self._sink = sink
        self._state = LOST if midstream else HEADER
        self._buffer = bytearray()  # an incomplete header, or the fragment so far
        self._content_type = 0
        self._version = 0
        self._keep = False
        self._lost = 0  # bytes of this fragment that are missing
        self._begin = b""  # of this fragment, up to the first missing byte
        self._resync: Resync | None = Resync() if midstream else None
        self._found: list[Piece] | None = None  # what `_resync` gave back, to be read before anything else

    @property
    def state(self) -> int:
        return self._state

    @property
    def inside(self) -> bool:
        """The side's bytes end in the middle of a record."""
        return self._state in (FRAGMENT, SSL2_FRAGMENT) or bool(self._buffer)

    @property
    def content_type(self) -> int:
        return self._content_type

    def skippable(self) -> int:
        if self._state == IGNORED:
            return EVERYTHING
        return self.remaining if self._state == FRAGMENT and not self._keep else 0

    def ignore(self) -> None:
        """What follows is not read any more."""
        self._state = IGNORED
        self._buffer.clear()

    def feed(self, data: bytes | memoryview, at_ns: int, packet: int) -> None:
        later: list[tuple[bytes | memoryview, int, int, int]] = []  # the last one comes next
        at = 0
        while True:
            self._now(at_ns, packet)
            size = len(data)
            while at < size:
                state = self._state
                if state == HEADER:
                    at = self._header(data, at)
                elif state in (FRAGMENT, SSL2_FRAGMENT):
                    at = self._fragment(data, at)
                elif state == SSL2_HEADER:
                    at = self._ssl2_header(data, at)
                elif state == LOST:
                    at = self._search(data, at)
                else:
                    at = size
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
        if packet > self.packet:
            self.at_ns, self.packet = at_ns, packet
        self._fed_ns, self._fed_packet = at_ns, packet
        if packet > self.captured_packet:
            self.captured_ns, self.captured_packet = at_ns, packet

    def skip(self, length: int, at_ns: int, packet: int) -> None:
        """So many bytes came and were not looked at; not more than `skippable`, or a gap begins behind them."""
        self._now(at_ns, packet)
        if self._state == FRAGMENT and not self._keep:
            taken = min(length, self.remaining)
            self._take(taken)
            length -= taken
        if length and self._state != IGNORED:
            self.gap(length, "not looked at", packet)

    def gap(self, length: int, cause: str, packet: int) -> None:
        """So many bytes are not in the capture. The framing survives what lies within a fragment."""
        self.cause = cause
        self.packet = max(self.packet, packet)
        if self._state == IGNORED:
            return
        if self._state == FRAGMENT and length <= self.remaining:
            if self._keep and not self._lost:
                self._begin = bytes(self._buffer)
                self._buffer.clear()
            self._lost += length
            self._take(length)
            return
        if self._state == FRAGMENT:
            missing = self._lost + self.remaining
            begin = self._begin if self._lost else bytes(self._buffer)
            self.records += 1
            self._sink.holed(self, self._content_type, self.length, missing, begin if self._keep else b"")
        if self._resync is not None:
            self._resync.restart()
        else:
            self._lose(None)

    def end(self) -> int:
        """The side is over: how many of its last bytes were not read because the framing was lost."""
        return self._resync.dropped + self._resync.held if self._resync is not None else 0

    # Headers

    def _header(self, data: bytes | memoryview, at: int) -> int:
        """RFC 8446 §5.1: type, version, length."""
        buffer = self._buffer
        if not buffer:
            self.first_packet, self.first_ns = self.packet, self.at_ns
            self.captured_packet, self.captured_ns = self._fed_packet, self._fed_ns
            if data[at] & 0x80 and not self.records:
                self._state = SSL2_HEADER
                return at
            if at + 5 <= len(data):
                head = bytes(data[at : at + 5])
                self._begin_record(head)
                if self._resync is None:
                    return at + 5
                return at
        need = 5 - len(buffer)
        buffer += data[at : at + need]
        at = min(at + need, len(data))
        if len(buffer) == 5:
            head = bytes(buffer)
            buffer.clear()
            self._begin_record(head)
            if self._resync is not None:
                self._search(head, 0)
        return at

    def _begin_record(self, head: bytes) -> None:
        content_type, length = head[0], head[3] << 8 | head[4]
        if not PLAUSIBLE.match(head) or length > MOST_CIPHERTEXT_1_2:
            if 20 <= content_type <= 24 and head[1] == 3:
                why = f"a record of {length} bytes (RFC 8446 §5.1)"
            else:
                why = f"no record begins with {head.hex(' ')} (RFC 8446 §5.1)"
            self._lose(why)
            return
        self._content_type = content_type
        self._version = head[1] << 8 | head[2]
        self.length = self.remaining = length
        self._lost = 0
        self._keep = self._sink.wanted(self, content_type)
        if length:
            self._state = FRAGMENT
        else:
            self._end_record(b"" if self._keep else None)

    def _ssl2_header(self, data: bytes | memoryview, at: int) -> int:
        """RFC 5246 §E.2: two bytes of length, the highest bit set."""
        buffer = self._buffer
        if not buffer:
            self.first_packet, self.first_ns = self.packet, self.at_ns
        need = 5 - len(buffer)
        buffer += data[at : at + need]
        at = min(at + need, len(data))
        if len(buffer) == 5:
            head = bytes(buffer)
            buffer.clear()
            length = (head[0] & 0x7F) << 8 | head[1]
            # CLIENT-HELLO is 1, SERVER-HELLO 4; at least one of each is longer than these bytes.
            if not head[0] & 0x80 or head[2] != (4 if self.number else 1) or length < 9:
                self._state = HEADER
                self._lose(f"no record begins with {head.hex(' ')} (RFC 8446 §5.1)")
                self._search(head, 0)
                return at
            self._state = SSL2_FRAGMENT
            self._keep = True
            self._lost = 0
            self.length = length
            self.remaining = length - 3
            buffer += head[2:]
        return at

    # Fragments

    def _fragment(self, data: bytes | memoryview, at: int) -> int:
        count = min(self.remaining, len(data) - at)
        if self._keep and not self._lost:
            if not self._buffer and count == self.remaining:
                self.remaining = 0
                self._end_record(bytes(data[at : at + count]))
                return at + count
            self._buffer += data[at : at + count]
        self._take(count)
        return at + count

    def _take(self, count: int) -> None:
        self.remaining -= count
        if self.remaining:
            return
        if self._lost:
            self._state = HEADER
            self.records += 1
            self._sink.holed(self, self._content_type, self.length, self._lost, self._begin if self._keep else b"")
            self._begin = b""
            return
        fragment = bytes(self._buffer) if self._keep else None
        self._buffer.clear()
        self._end_record(fragment)

    def _end_record(self, fragment: bytes | None) -> None:
        ssl2 = self._state == SSL2_FRAGMENT
        self._state = HEADER
        self.records += 1
        if ssl2:
            self._sink.ssl2(self, fragment or b"")
        else:
            self._sink.record(self, self._content_type, self._version, self.length, fragment)

    # Loss

    def _lose(self, why: str | None) -> None:
        self._buffer.clear()
        self._state = LOST
        self._resync = Resync()
        self._sink.unframed(self, why)

    def _search(self, data: bytes | memoryview, at: int) -> int:
        assert self._resync is not None
        found = self._resync.feed(bytes(data[at:]), self.at_ns, self.packet)
        if found is not None:
            if self._resync.dropped:
                where = "" if self.records else "the capture begins inside a record, or this is not TLS: "
                message = f"{where}{self._resync.dropped} bytes skipped before this record"
                self._sink.fault(found[0][2], message)
            self._resync = None
            self._state = HEADER
            self._found = found
            _, self.at_ns, self.packet = found[0]  # they are read as if they came only now
        return len(data)
