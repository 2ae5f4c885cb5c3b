# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The same packet seen twice: captured on two interfaces, on both sides of a router, or copied by a mirror port.

Only what brings nothing new is looked up among the packets before it, and there only among those with the same number
in the same connection, so that ordinary traffic hardly pays for it. Pure-Python mode, types in `copies.pxd`.
"""

from __future__ import annotations

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.history import ConnectionHistory
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.history import ConnectionHistory
    from analyzer.dissector.layout import *

COMPILED = cython.compiled

# How far apart two copies of a packet may be, in frames of the capture and in time. Within a second a host uses another
# IPv4 identification for what it sends again (RFC 6864 §4), and its timestamps move on (RFC 7323 §4.1).
MOST_FRAMES_BETWEEN = 512
_MOST_FRAMES = cython.declare(cython.Py_ssize_t, MOST_FRAMES_BETWEEN)
_MOST_NS = cython.declare(cython.longlong, 1_000_000_000)
# Without both a quick retransmission would look the same: no sender sends again so soon.
_MOST_NS_IF_UNMARKED = cython.declare(cython.longlong, 3_000_000)

# Words of a remembered packet.
_WORDS = cython.declare(cython.Py_ssize_t, 5)
_NUMBERS = cython.declare(cython.Py_ssize_t, 0)  # sequence number << 32 | acknowledgement
_SHAPE = cython.declare(cython.Py_ssize_t, 1)  # flags << 48 | window << 32 | payload
_OWNER = cython.declare(cython.Py_ssize_t, 2)  # the connection's id << 1 | who sent it; -1: none
_TIME = cython.declare(cython.Py_ssize_t, 3)
_MARK = cython.declare(cython.Py_ssize_t, 4)  # as `_mark` says

# Remembered packets are found by chains of those whose numbers mix to the same.
_CHAINS = cython.declare(cython.ulonglong, 1024)
_MIX = cython.declare(cython.ulonglong, 0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: multiplicative hashing
_MIXED = cython.declare(cython.int, 54)  # 64 less the bits of a chain's place

_MASK_32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_MASK_64 = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
_NO_CHECKSUM = cython.declare(cython.longlong, 0x10000)


@cython.cclass
class ConnectionCopies(ConnectionHistory):
    """Remembers the last frames of the capture, those of earlier chunks included."""

    def __init__(self, automata, tests, seed, settle_ns, linger_ns, most_rows, vlan_key, follow):
        ConnectionHistory.__init__(self, automata, tests, seed, settle_ns, linger_ns, most_rows, vlan_key, follow)
        self.remembered = memoryview(np.zeros(_MOST_FRAMES * _WORDS, np.int64))
        self.frames_before = 0
        # Frames of the capture, counted from 0: the last of each chain, and by a frame's place the one before it.
        self.chain_last = memoryview(np.full(_CHAINS, -1, np.int64))
        self.chain_before = memoryview(np.full(_MOST_FRAMES, -1, np.int64))

    def load(self, table) -> None:
        ConnectionHistory.load(self, table)
        self.ip_offset = memoryview(table.ip_offset)
        self.tcp_offset = memoryview(table.tcp_offset)
        self.payload_offset = memoryview(table.payload_offset)

    @cython.cfunc
    def _remember_frames(self, count: cython.Py_ssize_t) -> cython.int:
        """The chunk of so many frames is over."""
        i: cython.Py_ssize_t
        at: cython.Py_ssize_t
        for i in range(count - _MOST_FRAMES if count > _MOST_FRAMES else 0, count):
            at = (self.frames_before + i) % _MOST_FRAMES * _WORDS
            self.remembered[at + _OWNER] = -1
            if self.sender[i] >= 0:
                self.remembered[at + _NUMBERS] = self._numbers(i)
                self.remembered[at + _SHAPE] = self._shape(i)
                self.remembered[at + _OWNER] = self.connection[i] << 1 | self.sender[i]
                self.remembered[at + _TIME] = self.time_ns[i]
                self.remembered[at + _MARK] = self._mark(i)
        self.frames_before += count

    @cython.cfunc
    @cython.inline
    def _chain(self, i: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """The chain of packet i and of its copies."""
        mixed: cython.ulonglong = self.connection[i] << 32 ^ self.sequence[i]
        return (mixed * _MIX & _MASK_64) >> _MIXED

    @cython.cfunc
    def _chain_up(self, i: cython.Py_ssize_t) -> cython.int:
        """Packet i has been taken in: the next ones may be its copies."""
        frame: cython.longlong = self.frames_before + i
        chain: cython.Py_ssize_t = self._chain(i)
        self.chain_before[frame % _MOST_FRAMES] = self.chain_last[chain]
        self.chain_last[chain] = frame

    @cython.cfunc
    def _is_copy(self, i: cython.Py_ssize_t, side: cython.int) -> cython.bint:
        """Whether packet i, sent by `side` of its connection, has been captured before: the packet, not only its bytes.

        Hops change the time to live, VLAN tags and the IPv4 checksum; nothing else may differ.
        """
        frame: cython.longlong = self.chain_last[self._chain(i)]
        first: cython.longlong = max(0, self.frames_before + i - _MOST_FRAMES)
        owner: cython.longlong = self.connection[i] << 1 | side
        numbers: cython.longlong = self._numbers(i)
        shape: cython.longlong = self._shape(i)
        j: cython.Py_ssize_t
        at: cython.Py_ssize_t
        while frame >= first:
            if frame >= self.frames_before:
                j = frame - self.frames_before
                if (
                    self.sequence[j] == self.sequence[i] and self.connection[j] << 1 | self.sender[j] == owner
                    and self._numbers(j) == numbers and self._shape(j) == shape
                    and self._equal(i, self._mark(i), self._mark(j), self.time_ns[j])
                ):  # fmt: skip
                    return True
            else:
                at = frame % _MOST_FRAMES * _WORDS
                if (
                    self.remembered[at + _OWNER] == owner
                    and self.remembered[at + _NUMBERS] == numbers and self.remembered[at + _SHAPE] == shape
                    and self._equal(i, self._mark(i), self.remembered[at + _MARK], self.remembered[at + _TIME])
                ):  # fmt: skip
                    return True
            frame = self.chain_before[frame % _MOST_FRAMES]
        return False

    @cython.cfunc
    @cython.inline
    def _numbers(self, i: cython.Py_ssize_t) -> cython.longlong:
        return (self.sequence[i] & 0x7FFFFFFF) << 32 | self.acknowledgement[i]

    @cython.cfunc
    @cython.inline
    def _shape(self, i: cython.Py_ssize_t) -> cython.longlong:
        return cython.cast(cython.longlong, self.flags[i]) << 48 | (
            cython.cast(cython.longlong, self.window[i]) << 32 | self.payload[i] & _MASK_32
        )

    @cython.cfunc
    def _mark(self, i: cython.Py_ssize_t) -> cython.longlong:
        """What tells packet i from one that says the same: identification << 17 | checksum of TCP, which covers options
        and payload; 0x10000 if that was cut off."""
        at: cython.longlong = self.tcp_offset[i]
        mark: cython.longlong = _NO_CHECKSUM
        if self.payload_offset[i] - at >= 18:
            mark = self.data[at + 16] << 8 | self.data[at + 17]
        if self.family[i] & 15 == 4:
            at = self.ip_offset[i]
            mark |= cython.cast(cython.longlong, self.data[at + 4] << 8 | self.data[at + 5]) << 17
        return mark

    @cython.cfunc
    def _unfilled(self, i: cython.Py_ssize_t) -> cython.longlong:
        """What the checksum of packet i, and of its copies, is as long as it is left to the network card."""
        low: cython.ulonglong = (self.source_low[i] & 0xFFFFFFFF) + (self.destination_low[i] & 0xFFFFFFFF)
        high: cython.ulonglong = (self.source_high[i] & 0xFFFFFFFF) + (self.destination_high[i] & 0xFFFFFFFF)
        total: cython.ulonglong = low + high + (self.source_low[i] >> 32) + (self.destination_low[i] >> 32)
        total += (self.source_high[i] >> 32) + (self.destination_high[i] >> 32) + 6 + self.payload[i]
        total += (self.data[self.tcp_offset[i] + 12] >> 4) * 4
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return cython.cast(cython.longlong, total)

    @cython.cfunc
    def _equal(
        self, i: cython.Py_ssize_t, mark: cython.longlong, other: cython.longlong, time_ns: cython.longlong
    ) -> cython.bint:
        """Whether packet i and one of that other mark, which says the same, are copies."""
        apart: cython.longlong = abs(self.time_ns[i] - time_ns)
        unfilled: cython.longlong
        if mark >> 17 != other >> 17 or apart > _MOST_NS:
            return False
        if mark != other:
            if mark >> 17 == 0 or (mark | other) & _NO_CHECKSUM:
                return mark >> 17 != 0
            unfilled = self._unfilled(i)
            return mark & 0xFFFF == unfilled or other & 0xFFFF == unfilled
        if mark >> 17 != 0 or apart <= _MOST_NS_IF_UNMARKED:
            return True
        return self.options[i] & OPTION_TIMESTAMPS != 0 and not mark & _NO_CHECKSUM and self._unfilled(i) != mark
