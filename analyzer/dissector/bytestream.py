"""One side's bytes in order, out of segments that come in any order, twice, or not at all.

What is lost is a value: the consumer is told of gaps, and never sees made-up bytes. What the consumer does not want
(the rest of a body) is counted and not looked at.
"""

from __future__ import annotations

import bisect
from typing import Protocol

# Bytes that wait for earlier ones, per side. More is not what a receiver's window holds back in practice.
MOST_HELD_BYTES = 1 << 20
# And segments: a byte each must not become a million objects.
MOST_HELD_SEGMENTS = 4096


class Consumer(Protocol):
    """Who reads the bytes of a connection: a dissector. `side`: 0 client, 1 server."""

    def feed(self, side: int, data: bytes, at_ns: int, packet: int) -> None:
        """The side's next bytes, as one segment brought them."""

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        """So many bytes came, and were not looked at because `skippable` said so."""

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        """So many bytes are not in the capture."""

    def skippable(self, side: int) -> int:
        """How many of the side's next bytes need not be looked at."""


class ByteStream:
    """The bytes of one side of one connection. Offsets are those of the packet table: the first byte has 1.

    `missing`, wherever it is given: how many bytes of this side had not been captured when that packet came. What
    exceeds the gaps already told (`lost`) may still come.
    """

    __slots__ = ("_held", "_held_bytes", "consumer", "lost", "next", "side")

    def __init__(self, side: int, consumer: Consumer):
        self.side = side
        self.consumer = consumer
        self.next = 1  # offset of the first byte not yet handed on
        self.lost = 0  # bytes the consumer was told are not in the capture
        self._held: list[tuple[int, int, bytes, int, int]] = []  # offset, length on the wire, bytes, packet, time
        self._held_bytes = 0

    def segment(self, offset: int, length: int, data: bytes, at_ns: int, packet: int, missing: int) -> None:
        """A segment with payload. `length`: of the payload on the wire, `data`: what was captured of it."""
        if offset > self.next:
            if missing > self.lost:
                self._hold(offset, length, data, at_ns, packet)
                return
            self._pass(offset, at_ns, packet)
        self._take(offset, length, data, at_ns, packet)
        while self._held and (self._held[0][0] <= self.next or missing <= self.lost):
            self._release()

    def acknowledged(self, offset: int, packet: int, missing: int) -> None:
        """The peer has everything up to `offset`: what of it is still missing was lost in the capture."""
        while self._held and self._held[0][0] <= offset:
            self._give_up(missing, packet)

    def end(self, offset: int, at_ns: int, packet: int, missing: int) -> None:
        """No more bytes will come after `offset`, the place of the FIN or where the capture ends."""
        while self._held:
            self._give_up(missing, packet)
        if offset > self.next:
            self._tell_gap(min(offset - self.next, missing - self.lost), packet)
            self._pass(offset, at_ns, packet)

    def _take(self, offset: int, length: int, data: bytes, at_ns: int, packet: int) -> None:
        """A segment that begins at or before `next`."""
        end = offset + length
        if end <= self.next:
            return
        done = self.next - offset
        if done < len(data):
            self.consumer.feed(self.side, data[done:] if done else data, at_ns, packet)
            self.next = offset + len(data)
        if self.next < end:
            self.consumer.gap(self.side, end - self.next, "snaplen", packet)
            self.next = end

    def _pass(self, offset: int, at_ns: int, packet: int) -> None:
        """Everything up to `offset` was captured, and not handed on because nobody wanted it."""
        if offset > self.next:
            self.consumer.skip(self.side, offset - self.next, at_ns, packet)
            self.next = offset

    def _tell_gap(self, length: int, packet: int, cause: str = "lost-in-capture") -> None:
        if length > 0:
            self.consumer.gap(self.side, length, cause, packet)
            self.next += length
            self.lost += length

    def _hold(self, offset: int, length: int, data: bytes, at_ns: int, packet: int) -> None:
        bisect.insort(self._held, (offset, length, data, packet, at_ns))
        self._held_bytes += len(data)
        if self._held_bytes > MOST_HELD_BYTES or len(self._held) > MOST_HELD_SEGMENTS:
            self._tell_gap(self._held[0][0] - self.next, packet, "buffer-full")
            self._release()

    def _give_up(self, missing: int, packet: int) -> None:
        """What lies before the first held segment will not come any more."""
        self._tell_gap(min(self._held[0][0] - self.next, missing - self.lost), packet)
        self._release()

    def _release(self) -> None:
        """Hand on the first held segment, and with it all that follow without a hole."""
        count = 0
        for offset, length, data, packet, at_ns in self._held:
            if count == 0:
                self._pass(offset, at_ns, packet)
            elif offset > self.next:
                break
            self._take(offset, length, data, at_ns, packet)
            self._held_bytes -= len(data)
            count += 1
        del self._held[:count]
