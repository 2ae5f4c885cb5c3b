"""IP packets put together from their fragments: RFC 791 §3.2, RFC 815, RFC 8200 §4.5.

Bytes that contradict one another are never mixed: of such packets nothing is passed on, and they are counted.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from itertools import islice
from typing import NamedTuple

# RFC 8200 §4.5: how long a packet may take until all of it is there, from its first fragment on, in capture time.
HOLD_NS = 60_000_000_000
# What incomplete packets may take up together; then the oldest go.
MOST_HELD_BYTES = 16 << 20
# What a fragment costs besides its bytes.
_OVERHEAD_BYTES = 256
_NUMBER_BYTES = 40  # a packet number, and its place in a list
_MOST_PACKET_BYTES = 65_535


class Packet(NamedTuple):
    """An IP packet without its header, put together."""

    data: bytes  # up to the first byte that was not captured
    length: int  # on the wire
    protocol: int  # that of its first fragment


class _Piece(NamedTuple):
    """A fragment's bytes. They may be cut by the snapshot length."""

    offset: int
    length: int  # on the wire
    data: bytes

    @property
    def end(self) -> int:
        return self.offset + self.length


class _Incomplete:
    """A packet of which fragments are missing."""

    __slots__ = ("began_ns", "given_up", "held", "length", "numbers", "pieces", "protocol", "there")

    def __init__(self, time_ns: int):
        self.began_ns = time_ns
        self.pieces: list[_Piece] = []  # in order, without overlaps
        self.there = 0  # bytes of them, on the wire
        self.held = _OVERHEAD_BYTES
        self.length: int | None = None  # known from the last fragment
        self.numbers: list[int] = []  # packets that its fragments came in, if somebody wants to know
        self.protocol = 0
        self.given_up = False  # its fragments overlapped: what comes yet is dropped


class Reassembly:
    """Incomplete IP packets of a capture. Counts are of packets, but `duplicates` and `malformed` of fragments."""

    def __init__(self) -> None:
        self.complete = 0
        self.expired = 0  # not complete within HOLD_NS
        self.crowded_out = 0  # dropped because of MOST_HELD_BYTES
        self.overlapping = 0  # fragments contradicted one another
        self.first_overlap = 0  # packet number
        self.duplicates = 0  # a fragment that was there already
        self.malformed = 0  # of a length that is not allowed
        # Of packets put together the number of the frame that completed them, and those of the frames before it; taken
        # out by whoever put a list here. None: nobody wants them.
        self.joined: list[tuple[int, list[int]]] | None = None
        # The oldest first, which a dict would look for behind all that have left it.
        self._incomplete: OrderedDict[bytes, _Incomplete] = OrderedDict()
        self._held = 0

    @property
    def incomplete(self) -> int:
        """Packets of which fragments are missing, those dropped included."""
        waiting = sum(not packet.given_up for packet in self._incomplete.values())
        return self.expired + self.crowded_out + waiting

    def add(
        self, key: bytes, offset: int, more: bool, data: bytes, length: int, protocol: int, time_ns: int, number: int
    ) -> Packet | None:
        """A fragment: `length` bytes on the wire from `offset` on, of which `data` was captured; the packet that it
        completes.

        `key`: what a packet's fragments have in common, its first byte the IP version. `more`: others follow.
        """
        self._expire(time_ns)
        # RFC 791 §3.2, RFC 8200 §4.5: all but the last are multiples of eight bytes.
        if length <= 0 or (more and length % 8) or offset + length > _MOST_PACKET_BYTES:
            self.malformed += 1
            return None
        packet = self._incomplete.get(key)
        if packet is None:
            packet = self._begin(key, time_ns)
        elif packet.given_up:
            return None
        new = self._fitting(packet, _Piece(offset, length, data), more, strict=key[0] == 6)
        if new is None:
            self.overlapping += 1
            self.first_overlap = self.first_overlap or number
            self._drop(key)
            if key[0] == 6:  # RFC 5722 §4: the fragments yet to come are dropped, too
                self._begin(key, time_ns).given_up = True
                return None
            if offset > 0:
                return None
            # In IPv4 the identification may be in use again, RFC 6864 §3.1.
            packet = self._begin(key, time_ns)
            new = [_Piece(offset, length, data)]
        if self.joined is not None:
            packet.numbers.append(number)
            packet.held += _NUMBER_BYTES
            self._held += _NUMBER_BYTES
        if not new:
            self.duplicates += 1
            return None
        for piece in new:
            bisect.insort(packet.pieces, piece)
            packet.there += piece.length
            packet.held += len(piece.data) + _OVERHEAD_BYTES
            self._held += len(piece.data) + _OVERHEAD_BYTES
        if not more:
            packet.length = offset + length
        if offset == 0:
            packet.protocol = protocol
        if packet.there == packet.length:
            self._drop(key)
            self.complete += 1
            if self.joined is not None:
                self.joined.append((number, packet.numbers))
            return Packet(_joined(packet.pieces), packet.length, packet.protocol)
        while self._held > MOST_HELD_BYTES:
            oldest = next(iter(self._incomplete))
            self.crowded_out += not self._incomplete[oldest].given_up
            self._drop(oldest)
        return None

    def _begin(self, key: bytes, time_ns: int) -> _Incomplete:
        packet = self._incomplete[key] = _Incomplete(time_ns)
        self._held += packet.held
        return packet

    def _drop(self, key: bytes) -> None:
        self._held -= self._incomplete.pop(key).held

    def _expire(self, time_ns: int) -> None:
        while self._incomplete:
            oldest = next(iter(self._incomplete))
            packet = self._incomplete[oldest]
            if time_ns - packet.began_ns <= HOLD_NS:
                return
            self.expired += not packet.given_up
            self._drop(oldest)

    @staticmethod
    def _fitting(packet: _Incomplete, piece: _Piece, more: bool, strict: bool) -> list[_Piece] | None:
        """What of a fragment is not there yet; None if it contradicts what is there.

        RFC 5722 §4 (`strict`): in IPv6 no two fragments may overlap, except that one may be there twice. Those of IPv4
        may (RFC 791 §3.2), but which of two differing bytes counts depends on who receives them.
        """
        end = piece.offset + piece.length
        if packet.length is not None and (end > packet.length or (not more and end != packet.length)):
            return None
        if not more and packet.pieces and packet.pieces[-1].end > end:
            return None
        new: list[_Piece] = []
        at = piece.offset
        first = max(0, bisect.bisect_left(packet.pieces, (piece.offset,)) - 1)
        for there in islice(packet.pieces, first, None):
            if there.offset >= end:
                break
            if there.end <= at:
                continue
            if not _agree(there, piece) or (strict and there[:2] != piece[:2]):
                return None
            if there.offset > at:
                new.append(_part(piece, at, there.offset))
            at = there.end
        if at < end:
            new.append(_part(piece, at, end))
        return new


def _part(piece: _Piece, begin: int, end: int) -> _Piece:
    return _Piece(begin, end - begin, piece.data[begin - piece.offset : end - piece.offset])


def _agree(one: _Piece, other: _Piece) -> bool:
    """Whether the captured bytes that two overlapping fragments have in common are the same."""
    begin = max(one.offset, other.offset)
    end = min(one.offset + len(one.data), other.offset + len(other.data))
    return end <= begin or (
        one.data[begin - one.offset : end - one.offset] == other.data[begin - other.offset : end - other.offset]
    )


def _joined(pieces: list[_Piece]) -> bytes:
    """Their bytes up to the first that was not captured."""
    parts = []
    for piece in pieces:
        parts.append(piece.data)
        if len(piece.data) < piece.length:
            break
    return b"".join(parts)
