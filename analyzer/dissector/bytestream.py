# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""One side's bytes in order, out of segments that come in any order, twice, or not at all.

What is lost is a value: the reader is told of gaps, and never sees made-up bytes. What the reader does not want (the
rest of a body) is counted and not looked at. Pure-Python mode, types in `bytestream.pxd`.
"""

from __future__ import annotations

import bisect

import cython

if cython.compiled:
    from cython.cimports.analyzer.dissector.layer import Layer
else:
    from analyzer.dissector.layer import Layer

COMPILED = cython.compiled

# Bytes that wait for earlier ones, per side. More is not what a receiver's window holds back in practice.
MOST_HELD_BYTES = 1 << 20
# And segments: a byte each must not become a million objects.
MOST_HELD_SEGMENTS = 4096
# Bytes handed on, per side, with which those sent again are compared, and in how many segments.
MOST_KEPT_BYTES = 16_384
MOST_KEPT_SEGMENTS = 32
# Contradictions listed per side; further ones are counted.
MOST_CONTRADICTIONS = 10


@cython.no_gc
@cython.cclass
class ByteStream:
    """The bytes of one side of one connection. Offsets are those of the packet table: the first byte has 1.

    `reader`, wherever it is given: who gets the bytes. `missing`: how many bytes of this side had not been captured
    when that packet came. What exceeds the gaps already told (`lost`) may still come.
    """

    def __init__(self, side):
        self.side = side
        self.next = 1  # offset of the first byte not yet handed on
        self.lost = 0  # bytes the reader was told are not in the capture
        self._held = None  # of each segment that waits: offset, packet, length on the wire, bytes, time
        self._held_bytes = 0
        self._present = -1  # packet of the segment that has just come
        self.reached = -1  # what the peer had acknowledged by then
        # Bytes sent again with another content: offset of the first and after the last that differ, packet of those
        # handed on, packet of the others, and whether the peer had acknowledged them when the later one came.
        self.contradictions = None
        self.contradicted = 0  # all of them
        self._kept = None  # of the last bytes handed on: offset, bytes, packet
        self._kept_bytes = 0

    @cython.ccall
    def segment(
        self, reader: Layer, offset: cython.longlong, length: cython.longlong, data: bytes, at_ns: cython.longlong,
        packet: cython.longlong, missing: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """A segment with payload. `length`: of the payload on the wire, `data`: what was captured of it."""
        self._present = packet
        if offset > self.next:
            if missing > self.lost:
                self._hold(reader, offset, length, data, at_ns, packet, missing)
                return
            # All that is before it was captured: what waits, and between that what nobody wanted.
            while self._held and self._held[0][0] < offset:
                self._release(reader)
            self._pass(reader, offset, at_ns, packet)
        self._take(reader, offset, length, data, at_ns, packet)
        while self._held and (self._held[0][0] <= self.next or missing <= self.lost):
            self._release(reader)

    @cython.ccall
    def acknowledged(
        self, reader: Layer, offset: cython.longlong, packet: cython.longlong, missing: cython.longlong
    ) -> cython.void:
        """The peer has everything up to `offset`: what of it is still missing was lost in the capture."""
        while self._held and self._held[0][0] <= offset:
            self._give_up(reader, missing, packet, "lost-in-capture")

    @cython.ccall
    def end(
        self, reader: Layer, offset: cython.longlong, at_ns: cython.longlong, packet: cython.longlong,
        missing: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """No more bytes will come after `offset`, the place of the FIN or where the capture ends."""
        while self._held:
            self._give_up(reader, missing, packet, "lost-in-capture")
        if offset > self.next:
            self._tell_gap(reader, min(offset - self.next, missing - self.lost), packet, "lost-in-capture")
            self._pass(reader, offset, at_ns, packet)

    @cython.cfunc
    def _take(
        self, reader: Layer, offset: cython.longlong, length: cython.longlong, data: bytes, at_ns: cython.longlong,
        packet: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """A segment that begins at or before `next`."""
        end: cython.longlong = offset + length
        done: cython.Py_ssize_t = self.next - offset
        if done > 0 and self._kept is not None:
            self._compare(offset, data, packet)
        if end <= self.next:
            return
        if done < len(data):
            if done:
                data = data[done:]
            self._keep(self.next, data, packet)
            self.next += len(data)
            reader.feed(self.side, data, at_ns, packet)
        if self.next < end:
            reader.gap(self.side, end - self.next, "snaplen", packet)
            self.next = end

    @cython.cfunc
    def _keep(self, offset: cython.longlong, data: bytes, packet: cython.longlong) -> cython.void:
        if self._kept is None:
            self._kept = []
        self._kept.append((offset, data, packet))
        self._kept_bytes += len(data)
        while self._kept and (self._kept_bytes > MOST_KEPT_BYTES or len(self._kept) > MOST_KEPT_SEGMENTS):
            self._kept_bytes -= len(self._kept[0][1])
            del self._kept[0]

    @cython.cfunc
    def _compare(self, offset: cython.longlong, data: bytes, packet: cython.longlong) -> cython.void:
        """A segment that begins before `next`: are its bytes those that were handed on?"""
        begin: cython.longlong
        end: cython.longlong
        kept_at: cython.longlong
        if len(data) == 1 and offset == self.next - 1:
            return  # a keep-alive, whose byte may be any, RFC 1122 §4.2.3.6
        for kept_at, kept, kept_packet in self._kept:
            begin = max(kept_at, offset)
            end = min(kept_at + len(kept), offset + len(data))
            if begin >= end or kept[begin - kept_at : end - kept_at] == data[begin - offset : end - offset]:
                continue
            self.contradicted += 1
            if self.contradictions is None:
                self.contradictions = []
            if len(self.contradictions) < MOST_CONTRADICTIONS:
                while kept[begin - kept_at] == data[begin - offset]:
                    begin += 1
                while kept[end - 1 - kept_at] == data[end - 1 - offset]:
                    end -= 1
                acknowledged = packet == self._present and self.reached >= end
                self.contradictions.append((begin, end, kept_packet, packet, acknowledged))

    @cython.cfunc
    def _pass(
        self, reader: Layer, offset: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        """Everything up to `offset` was captured, and not handed on because nobody wanted it."""
        if offset > self.next:
            reader.skip(self.side, offset - self.next, at_ns, packet)
            self.next = offset

    @cython.cfunc
    def _tell_gap(self, reader: Layer, length: cython.longlong, packet: cython.longlong, cause: str) -> cython.void:
        if length > 0:
            reader.gap(self.side, length, cause, packet)
            self.next += length
            self.lost += length

    def _hold(self, reader: Layer, offset, length, data, at_ns, packet, missing):
        if self._held is None:
            self._held = []
        bisect.insort(self._held, (offset, packet, length, data, at_ns))
        self._held_bytes += len(data)
        if self._held_bytes > MOST_HELD_BYTES or len(self._held) > MOST_HELD_SEGMENTS:
            self._give_up(reader, missing, packet, "buffer-full")

    @cython.cfunc
    def _give_up(self, reader: Layer, missing: cython.longlong, packet: cython.longlong, cause: str) -> cython.void:
        """What lies before the first held segment will not come any more."""
        hole: cython.longlong = self._held[0][0] - self.next
        self._tell_gap(reader, min(hole, missing - self.lost), packet, cause)
        self._release(reader)

    @cython.cfunc
    def _release(self, reader: Layer) -> cython.void:
        """Hand on the first held segment, and with it all that follow without a hole."""
        count: cython.Py_ssize_t = 0
        for offset, packet, length, data, at_ns in self._held:
            if count == 0:
                self._pass(reader, offset, at_ns, packet)
            elif offset > self.next:
                break
            self._take(reader, offset, length, data, at_ns, packet)
            self._held_bytes -= len(data)
            count += 1
        del self._held[:count]
