# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""TLS records: two byte streams in, fragments out. RFC 8446 §5, RFC 5246 §6.2.

A fragment nobody wants is counted and never copied; application data that tells nothing new is counted without a call.
Where the framing is lost, the next record is found by its header and the one after it. SSL 2.0's framing is followed
for its hellos (RFC 5246 §E.2). Pure-Python mode, types in `records.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.layer import EVERYTHING
from analyzer.dissector.tls.resync import Resync

if cython.compiled:
    from cython.cimports.analyzer.dissector.layer import Layer
else:
    from analyzer.dissector.layer import Layer

COMPILED = cython.compiled

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = range(20, 25)
CONTENT_TYPES = ("change_cipher_spec", "alert", "handshake", "application_data", "heartbeat")

MOST_PLAINTEXT = 1 << 14  # bytes of a fragment that is not encrypted, RFC 8446 §5.1
MOST_CIPHERTEXT = MOST_PLAINTEXT + 256  # RFC 8446 §5.2
MOST_CIPHERTEXT_1_2 = MOST_PLAINTEXT + 2048  # RFC 5246 §6.2.3; more than this is no record

_DATA = cython.declare(cython.int, APPLICATION_DATA)
_MOST_SILENT = cython.declare(cython.int, MOST_PLAINTEXT)
_MOST_LENGTH = cython.declare(cython.int, MOST_CIPHERTEXT_1_2)
_EVERYTHING = cython.declare(cython.longlong, EVERYTHING)

# What a side's next byte belongs to.
_HEADER = cython.declare(cython.int, 0)
_FRAGMENT = cython.declare(cython.int, 1)
_LOST = cython.declare(cython.int, 2)
_SSL2_HEADER = cython.declare(cython.int, 3)
_SSL2_FRAGMENT = cython.declare(cython.int, 4)
_IGNORED = cython.declare(cython.int, 5)


@cython.no_gc
@cython.cclass
class RecordLayer(Layer):
    """The records of both sides. Who reads them derives from this."""

    def __init__(self, midstream: cython.bint = False) -> None:
        self.client = RecordReader(0, midstream)
        self.server = RecordReader(1, midstream)

    @property
    def records(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many there were, by content type, of client and server."""
        return self.client.counts(), self.server.counts()

    @property
    def application_bytes(self) -> tuple[int, int]:
        """Of application_data records, as sent."""
        return self.client.application_bytes, self.server.application_bytes

    @cython.cfunc
    def _reader(self, side: cython.int) -> RecordReader:
        return self.server if side else self.client

    # Input

    @cython.ccall
    def feed(self, side: cython.int, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """The next bytes of a side."""
        self._reader(side).feed(self, data, at_ns, packet)

    @cython.ccall
    def skippable(self, side: cython.int) -> cython.longlong:
        """How many of the next bytes of a side need not be fed but may be passed by `skip`. 0: every byte matters."""
        reader: RecordReader = self._reader(side)
        if reader.state == _FRAGMENT and not reader.keep:
            return reader.remaining
        return _EVERYTHING if reader.state == _IGNORED else 0

    @cython.ccall
    def skip(
        self, side: cython.int, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """So many bytes came, and were not looked at."""
        if length > 0:
            self._reader(side).skip(self, length, at_ns, packet)

    @cython.ccall
    def gap(self, side: cython.int, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        """So many bytes are not in the capture; `packet` is the one that shows it."""
        if length > 0:
            self._reader(side).gap(self, length, cause, packet)

    # What was read

    @cython.cfunc
    def wanted(self, reader: RecordReader, content_type: cython.int) -> cython.bint:
        """Whether the fragment that begins now shall be collected."""
        raise NotImplementedError

    @cython.cfunc
    def record(
        self, reader: RecordReader, content_type: cython.int, version: cython.int, fragment: bytes | None
    ) -> cython.void:
        """A record of `reader.length` bytes has ended. No fragment: it was not wanted."""
        raise NotImplementedError

    @cython.cfunc
    def holed(self, reader: RecordReader, content_type: cython.int, lost: cython.longlong, begin: bytes) -> cython.void:
        """A record has ended of which `lost` bytes are missing; `begin`: what came before the first missing one."""
        raise NotImplementedError

    @cython.cfunc
    def ssl2(self, reader: RecordReader, fragment: bytes) -> cython.void:
        """A record in SSL 2.0's form has ended."""
        raise NotImplementedError

    @cython.cfunc
    def unframed(self, reader: RecordReader, why: str | None) -> cython.void:
        """Records may be missing from here on. `why` is a fault, None if a gap or the capture's beginning is."""
        raise NotImplementedError

    @cython.ccall
    def fault(self, packet: cython.longlong, message: str) -> cython.void:
        raise NotImplementedError


@cython.no_gc
@cython.final
@cython.cclass
class RecordReader:
    """One side. `packet` and `at_ns` are those of the bytes being read, `first_packet` and `first_ns` those of the
    record's first byte. `layer`, wherever it is given: who reads the records."""

    def __init__(self, number: cython.int, midstream: cython.bint = False) -> None:
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
        self.application_bytes = 0
        self.silent = False  # whether the layer wants not even to be told of application data
        self.state = _LOST if midstream else _HEADER
        self.content_type = 0
        self.keep = False
        self._by_type = [0] * len(CONTENT_TYPES)
        self._application_records = 0
        self._fed_ns = 0
        self._fed_packet = 0
        self._buffer = bytearray()  # an incomplete header, or the fragment so far
        self._version = 0
        self._lost = 0  # bytes of this fragment that are missing
        self._begin = b""  # of this fragment, up to the first missing byte
        self._resync = Resync() if midstream else None
        self._found = None  # what `_resync` gave back, to be read before anything else

    def counts(self) -> dict[str, int]:
        """Records by content type."""
        found = dict(zip(CONTENT_TYPES, self._by_type, strict=True))
        found["application_data"] = self._application_records
        return found

    @cython.cfunc
    def inside(self) -> cython.bint:
        """The side's bytes end in the middle of a record."""
        return self.state == _FRAGMENT or self.state == _SSL2_FRAGMENT or len(self._buffer) > 0

    @cython.cfunc
    def ignore(self) -> cython.void:
        """What follows is not read any more."""
        self.state = _IGNORED
        self._buffer.clear()

    @cython.cfunc
    def end(self) -> cython.longlong:
        """The side is over: how many of its last bytes were not read because the framing was lost."""
        return self._resync.dropped + self._resync.held if self._resync is not None else 0

    @cython.cfunc
    def feed(self, layer: RecordLayer, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        later: list = None  # what is to be read behind what was found; the last one comes next
        at: cython.Py_ssize_t = 0
        size: cython.Py_ssize_t
        while True:
            self._now(at_ns, packet)
            size = len(data)
            while at < size:
                if self.state == _HEADER:
                    at = self._header(layer, data, at, size)
                elif self.state == _FRAGMENT or self.state == _SSL2_FRAGMENT:
                    at = self._fragment(layer, data, at, size)
                elif self.state == _SSL2_HEADER:
                    at = self._ssl2_header(layer, data, at, size)
                elif self.state == _LOST:
                    self._search(layer, bytes(data[at:]))
                    at = size
                else:
                    at = size
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

    @cython.cfunc
    def _now(self, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """Bytes that came early, out of order, are read when what was missing before them has come."""
        if packet > self.packet:
            self.at_ns = at_ns
            self.packet = packet
        self._fed_ns = at_ns
        self._fed_packet = packet
        if packet > self.captured_packet:
            self.captured_ns = at_ns
            self.captured_packet = packet

    @cython.cfunc
    def skip(
        self, layer: RecordLayer, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """So many bytes came and were not looked at; not more than `skippable`, or a gap begins behind them."""
        taken: cython.longlong
        self._now(at_ns, packet)
        if self.state == _FRAGMENT and not self.keep:
            taken = min(length, self.remaining)
            self._take(layer, taken)
            length -= taken
        if length and self.state != _IGNORED:
            self.gap(layer, length, "not looked at", packet)

    @cython.cfunc
    def gap(self, layer: RecordLayer, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        """So many bytes are not in the capture. The framing survives what lies within a fragment."""
        self.cause = cause
        self.packet = max(self.packet, packet)
        if self.state == _IGNORED:
            return
        if self.state == _FRAGMENT and length <= self.remaining:
            if self.keep and not self._lost:
                self._begin = bytes(self._buffer)
                self._buffer.clear()
            self._lost += length
            self._take(layer, length)
            return
        if self.state == _FRAGMENT:
            missing = self._lost + self.remaining
            begin = self._begin if self._lost else bytes(self._buffer)
            self._count()
            layer.holed(self, self.content_type, missing, begin if self.keep else b"")
        if self._resync is not None:
            self._resync.restart()
        else:
            self._lose(layer, None)

    # Headers

    @cython.cfunc
    def _header(self, layer: RecordLayer, data, at: cython.Py_ssize_t, size: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """RFC 8446 §5.1: type, version, length."""
        need: cython.Py_ssize_t
        head: bytes
        if not self._buffer:
            self.first_packet = self.packet
            self.first_ns = self.at_ns
            self.captured_packet = self._fed_packet
            self.captured_ns = self._fed_ns
            if not self.records and data[at] & 0x80:
                self.state = _SSL2_HEADER
                return at
            if at + 5 <= size:
                head = bytes(data[at : at + 5])
                self._begin_record(layer, head)
                return at + 5 if self._resync is None else at
        need = 5 - len(self._buffer)
        self._buffer += data[at : at + need]
        if len(self._buffer) == 5:
            head = bytes(self._buffer)
            self._buffer.clear()
            self._begin_record(layer, head)
            if self._resync is not None:
                self._search(layer, head)
        return min(at + need, size)

    @cython.cfunc
    def _begin_record(self, layer: RecordLayer, head: bytes) -> cython.void:
        octets: cython.p_uchar = head
        content_type: cython.int = octets[0]
        length: cython.int = octets[3] << 8 | octets[4]
        of_a_record: cython.bint = 20 <= content_type <= 24 and octets[1] == 3
        if not of_a_record or octets[2] > 4 or length > _MOST_LENGTH:
            if of_a_record:
                self._lose(layer, f"a record of {length} bytes (RFC 8446 §5.1)")
            else:
                self._lose(layer, f"no record begins with {head.hex(' ')} (RFC 8446 §5.1)")
            return
        self.content_type = content_type
        self._version = octets[1] << 8 | octets[2]
        self.length = self.remaining = length
        self._lost = 0
        self.keep = not (self.silent and content_type == _DATA) and layer.wanted(self, content_type)
        if length:
            self.state = _FRAGMENT
        else:
            self._end_record(layer, b"" if self.keep else None)

    @cython.cfunc
    def _ssl2_header(
        self, layer: RecordLayer, data, at: cython.Py_ssize_t, size: cython.Py_ssize_t
    ) -> cython.Py_ssize_t:
        """RFC 5246 §E.2: two bytes of length, the highest bit set."""
        need: cython.Py_ssize_t
        length: cython.int
        if not self._buffer:
            self.first_packet = self.packet
            self.first_ns = self.at_ns
        need = 5 - len(self._buffer)
        self._buffer += data[at : at + need]
        if len(self._buffer) == 5:
            head: bytes = bytes(self._buffer)
            self._buffer.clear()
            length = (head[0] & 0x7F) << 8 | head[1]
            # CLIENT-HELLO is 1, SERVER-HELLO 4; at least one of each is longer than these bytes.
            if not head[0] & 0x80 or head[2] != (4 if self.number else 1) or length < 9:
                self.state = _HEADER
                self._lose(layer, f"no record begins with {head.hex(' ')} (RFC 8446 §5.1)")
                self._search(layer, head)
            else:
                self.state = _SSL2_FRAGMENT
                self.keep = True
                self._lost = 0
                self.length = length
                self.remaining = length - 3
                self._buffer += head[2:]
        return min(at + need, size)

    # Fragments

    @cython.cfunc
    def _fragment(self, layer: RecordLayer, data, at: cython.Py_ssize_t, size: cython.Py_ssize_t) -> cython.Py_ssize_t:
        count: cython.Py_ssize_t = min(self.remaining, size - at)
        if self.keep and not self._lost:
            if count == self.remaining and not self._buffer:
                self.remaining = 0
                self._end_record(layer, bytes(data[at : at + count]))
                return at + count
            self._buffer += data[at : at + count]
        self._take(layer, count)
        return at + count

    @cython.cfunc
    def _take(self, layer: RecordLayer, count: cython.longlong) -> cython.void:
        fragment: bytes = None
        self.remaining -= count
        if self.remaining:
            return
        if self._lost:
            self.state = _HEADER
            self._count()
            begin = self._begin if self.keep else b""
            self._begin = b""
            layer.holed(self, self.content_type, self._lost, begin)
            return
        if self.keep:
            fragment = bytes(self._buffer)
            self._buffer.clear()
        self._end_record(layer, fragment)

    @cython.cfunc
    def _count(self) -> cython.void:
        self.records += 1
        if self.content_type == _DATA:
            self._application_records += 1
            self.application_bytes += self.length
        else:
            self._by_type[self.content_type - 20] += 1

    @cython.cfunc
    def _end_record(self, layer: RecordLayer, fragment: bytes | None) -> cython.void:
        if self.state == _SSL2_FRAGMENT:
            self.state = _HEADER
            self.records += 1
            layer.ssl2(self, fragment)
            return
        self.state = _HEADER
        self._count()
        if not (self.silent and self.content_type == _DATA and self.length <= _MOST_SILENT):
            layer.record(self, self.content_type, self._version, fragment)

    # Loss

    @cython.cfunc
    def _lose(self, layer: RecordLayer, why: str | None) -> cython.void:
        self._buffer.clear()
        self.state = _LOST
        self._resync = Resync()
        layer.unframed(self, why)

    @cython.cfunc
    def _search(self, layer: RecordLayer, piece: bytes) -> cython.void:
        found: list = self._resync.feed(piece, self.at_ns, self.packet)
        if found is not None:
            if self._resync.dropped:
                where = "" if self.records else "the capture begins inside a record, or this is not TLS: "
                layer.fault(found[0][2], f"{where}{self._resync.dropped} bytes skipped before this record")
            self._resync = None
            self.state = _HEADER
            self._found = found
            _, self.at_ns, self.packet = found[0]  # they are read as if they came only now
