# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Checksums of TCP segments and of the IPv4 headers in front of them, for those who ask for them.

They are not looked at otherwise: a sum over all bytes is 6 % more instructions for short web connections, and more for
bulk data. Ordinary Python in Cython's pure-Python mode.
"""

from __future__ import annotations

import sys

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.libc.string import memcpy
else:
    from analyzer.dissector.layout import *

COMPILED = cython.compiled

_LITTLE_ENDIAN = cython.declare(cython.bint, sys.byteorder == "little")
_MASK_32 = cython.declare(cython.ulonglong, 0xFFFFFFFF)


@cython.cfunc
@cython.inline
def folded(total: cython.ulonglong) -> cython.uint:
    """The one's complement sum of 16-bit words out of a sum of wider ones (RFC 1071 §2)."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return cython.cast(cython.uint, total)


@cython.cclass
class Checksums:
    """Fills the column `checksum`. `leave_out`: segments with a wrong one become KIND_BAD_CHECKSUM."""

    leave_out: cython.bint
    data: cython.const[cython.uchar][::1]

    def __init__(self, leave_out):
        self.leave_out = leave_out

    def check(self, table, data) -> None:
        """Look at the segments of a chunk, whose bytes are `data`.

        A sender may leave a checksum to its network card. Then the field holds what the card begins with: of TCP the
        sum of the pseudo-header (Linux, Windows), of IPv4 zero. On the wire there was another one, so it is not wrong.
        """
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = table.count
        header: cython.Py_ssize_t
        length: cython.Py_ssize_t
        at: cython.Py_ssize_t
        pseudo: cython.ulonglong
        ip_sum: cython.uint
        kind: cython.schar[::1] = memoryview(table.kind)
        family: cython.int[::1] = memoryview(table.family)
        found: cython.schar[::1] = memoryview(table.checksum)
        ip_offset: cython.longlong[::1] = memoryview(table.ip_offset)
        tcp_offset: cython.longlong[::1] = memoryview(table.tcp_offset)
        payload: cython.longlong[::1] = memoryview(table.payload)
        captured: cython.longlong[::1] = memoryview(table.payload_captured)
        begins: cython.longlong[::1] = memoryview(table.payload_offset)
        source_high: cython.ulonglong[::1] = memoryview(table.source_high)
        source_low: cython.ulonglong[::1] = memoryview(table.source_low)
        destination_high: cython.ulonglong[::1] = memoryview(table.destination_high)
        destination_low: cython.ulonglong[::1] = memoryview(table.destination_low)
        self.data = data
        for i in range(count):
            found[i] = CHECKSUM_RIGHT
            if kind[i] != KIND_TCP:
                continue
            at = ip_offset[i]
            if family[i] & 15 == 4:  # of fragments this is the one that completed the packet
                header = (self.data[at] & 15) * 4
                ip_sum = folded(self._sum(at, header))
                if ip_sum != 0xFFFF:
                    found[i] = CHECKSUM_BAD
                    if self.data[at + 10] == 0 and self.data[at + 11] == 0:
                        found[i] = CHECKSUM_UNFILLED
            elif at < 0:
                continue  # the pseudo-header has the final destination (RFC 8200 §8.1)
            at = tcp_offset[i]
            header = begins[i] - at
            if header < 20 or header != (self.data[at + 12] >> 4) * 4 or captured[i] != payload[i]:
                pass  # cut off: cannot be told
            else:
                length = header + payload[i]
                pseudo = self._words(source_high[i]) + self._words(source_low[i]) + length + 6
                pseudo += self._words(destination_high[i]) + self._words(destination_low[i])
                if folded(pseudo + self._in_network_order(folded(self._sum(at, length)))) != 0xFFFF:
                    if folded(pseudo) == (self.data[at + 16] << 8 | self.data[at + 17]):
                        if found[i] == CHECKSUM_RIGHT:
                            found[i] = CHECKSUM_UNFILLED
                    else:
                        found[i] = CHECKSUM_BAD
            if self.leave_out and found[i] == CHECKSUM_BAD:
                kind[i] = KIND_BAD_CHECKSUM

    @cython.cfunc
    @cython.inline
    def _words(self, number: cython.ulonglong) -> cython.ulonglong:
        return (number & _MASK_32) + (number >> 32)

    @cython.cfunc
    @cython.inline
    def _in_network_order(self, total: cython.uint) -> cython.uint:
        if _LITTLE_ENDIAN:
            return (total & 0xFF) << 8 | total >> 8
        return total

    @cython.cfunc
    def _sum(self, at: cython.Py_ssize_t, length: cython.Py_ssize_t) -> cython.ulonglong:
        """The bytes as words in this machine's order, added up; the order does not matter (RFC 1071 §2 (B))."""
        total: cython.ulonglong = 0
        k: cython.Py_ssize_t
        if at < 0 or length < 0 or at + length > self.data.shape[0]:
            raise IndexError(at)
        if cython.compiled:
            word: cython.uint = 0
            rest: cython.ushort = 0
            if length == 0:
                return 0
            octets = cython.cast(cython.p_char, cython.address(self.data[at]))
            for k in range(0, length - 3, 4):
                memcpy(cython.address(word), octets + k, 4)
                total += word
            if length & 2:
                k = length & ~cython.cast(cython.Py_ssize_t, 3)
                memcpy(cython.address(rest), octets + k, 2)
                total += rest
            if length & 1:
                rest = 0
                memcpy(cython.address(rest), octets + length - 1, 1)
                total += rest
            return total
        octets = bytes(self.data[at : at + length]) + bytes(length & 1)
        return int(np.frombuffer(octets, np.uint16).sum(dtype=np.uint64))
