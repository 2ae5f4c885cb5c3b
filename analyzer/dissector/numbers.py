# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Sequence numbers of a connection's sides: from 32 bits to offsets, where they begin, and what their SYNs said.

Pure-Python mode, types in `numbers.pxd`.
"""

from __future__ import annotations

import cython

if cython.compiled:
    from cython.cimports.analyzer.dissector.copies import ConnectionCopies
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.copies import ConnectionCopies
    from analyzer.dissector.layout import *

COMPILED = cython.compiled

# Numbers this large are Python objects to Cython unless they have a type.
_MASK_32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_TWO_31 = cython.declare(cython.longlong, 1 << 31)
_TWO_32 = cython.declare(cython.longlong, 1 << 32)


@cython.cclass
class ConnectionNumbers(ConnectionCopies):
    """What `ConnectionTable` knows of sequence numbers."""

    # Sequence arithmetic: modulo 2**32 here and nowhere else.

    @cython.cfunc
    def _unwrap(self, number: cython.longlong, isn: cython.longlong, reference: cython.longlong) -> cython.longlong:
        """The 64-bit offset of a 32-bit number, the one nearest to `reference`. RFC 9293 §3.4."""
        distance: cython.longlong = (number - isn - reference) & _MASK_32
        if distance >= _TWO_31:
            distance -= _TWO_32
        return reference + distance

    @cython.cfunc
    def _reference(self, sender: cython.longlong, receiver: cython.longlong) -> cython.longlong:
        """The offset that `sender` has certainly reached."""
        sent: cython.longlong = self.rows[sender + SENT]
        acked: cython.longlong = self.rows[receiver + ACKED]
        if acked > sent:
            sent = acked
        return sent if sent > 0 else 0

    @cython.cfunc
    def _set_isn(self, me: cython.longlong, isn: cython.longlong) -> cython.int:
        """Offsets of this side count from here on; what was counted from a guess is forgotten."""
        self._free_gaps(me)
        self.rows[me + MISSING] = 0
        self.rows[me + ISN] = isn
        self.rows[me + SENT] = -1
        self.rows[me + FIN_AT] = -1
        self.rows[me + STATE] |= HAS_ISN

    @cython.cfunc
    def _retry(self, row: cython.longlong, number: cython.longlong) -> cython.int:
        """The same SYN after a reset: some stacks try a refused opening again. The last attempt is what counts."""
        base: cython.longlong = row * ROW_WORDS
        side: cython.int
        me: cython.longlong
        self._free_events(base)
        self.rows[base + OPEN_RUN] = 1
        self.rows[base + CLOSE_RUN] = 1
        self.rows[base + FLAGS] = self.rows[base + FLAGS] & ~ENDED | RETRIED
        if self.rows[base + RETRY_PACKET] == 0:
            self.rows[base + RETRY_PACKET] = number
        for side in range(2):
            me = base + SIDES + side * SIDE_WORDS
            self._set_isn(me, self.rows[me + ISN])
            self.rows[me + STATE] = 0
            self.rows[me + ACKED] = -1
            self.rows[me + AHEAD] = -1
        self._unlink(row)
        self._append(row, False)

    @cython.cfunc
    def _bad_syn_ack(self, base: cython.longlong, number: cython.longlong) -> cython.int:
        if not self.rows[base + FLAGS] & BAD_SYN_ACK:
            self.rows[base + FLAGS] |= BAD_SYN_ACK
            self.rows[base + FAULT_PACKET] = number

    @cython.cfunc
    def _syn_options(self, i: cython.Py_ssize_t, me: cython.longlong) -> cython.int:
        flags: cython.int = self.flags[i]
        found: cython.longlong = SYN_OPTION_PRESENT
        options: cython.int = self.options[i]
        if options & OPTION_SACK_PERMITTED:
            found |= SYN_OPTION_SACK
        if options & OPTION_TIMESTAMPS:
            found |= SYN_OPTION_TIMESTAMPS
        if options & OPTION_FAST_OPEN:
            found |= SYN_OPTION_FAST_OPEN
        if options & OPTION_MPTCP:
            found |= SYN_OPTION_MPTCP
        # RFC 3168 §6.1.1: the SYN asks with both flags, the SYN-ACK agrees with ECE alone.
        if flags & (FLAG_ECE | FLAG_CWR) == (FLAG_ECE if flags & FLAG_ACK else FLAG_ECE | FLAG_CWR):
            found |= SYN_OPTION_ECN
        found |= (self.window_scale[i] + 1) << SYN_OPTION_SCALE_SHIFT
        found |= cython.cast(cython.longlong, self.mss[i] + 1) << SYN_OPTION_MSS_SHIFT
        self.rows[me + SYN_OPTIONS] = found
