# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""IEEE 802.11 frames, by themselves or behind what the capturing station noted of their reception.

Pure-Python mode, types in `wireless.pxd`.
"""

from __future__ import annotations

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.analyzer.dissector.links import LinkReader
else:
    from analyzer.dissector.layout import *
    from analyzer.dissector.links import LinkReader

COMPILED = cython.compiled

LINK_TYPES = (105, 119, 127, 163, 192)
# A packet in an aggregate is never shorter than its subframe header, LLC and SNAP, an IP header and eight bytes.
_LEAST_SUBFRAME = 14 + 8 + 20 + 8


@cython.cclass
class WirelessReader(LinkReader):
    """Reads IEEE 802.11 frames."""

    @cython.cfunc
    def _room(self, frames) -> cython.Py_ssize_t:
        """Frames may be aggregates."""
        link_types = frames.link_type[: frames.count]
        if not frames.count or link_types.max() < LINK_TYPES[0]:
            return 0
        wireless = np.isin(link_types, LINK_TYPES)
        return int(frames.captured[: frames.count][wireless].sum()) // _LEAST_SUBFRAME

    @cython.cfunc
    def _other_link(
        self, i: cython.Py_ssize_t, link: cython.int, at: cython.Py_ssize_t, end: cython.Py_ssize_t,
        wire: cython.Py_ssize_t,
    ) -> cython.int:  # fmt: skip
        if link == 127:
            return self._radiotap(i, at, end, wire)
        if link == 105:
            return self._wireless(i, at, end, wire, False)
        if link == 119 or link == 163:
            return self._prism(i, at, end, wire)
        if link == 192:
            return self._per_packet(i, at, end, wire)
        return LinkReader._other_link(self, i, link, at, end, wire)

    @cython.cfunc
    def _radiotap(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """https://www.radiotap.org: fields in the order of their bits, each aligned to its size, little-endian."""
        length: cython.Py_ssize_t
        field: cython.Py_ssize_t
        present: cython.int
        flags: cython.int = 0
        if end - at < 8 or self.data[at] != 0:
            return KIND_DAMAGED
        length = self._u16_little(at + 2)
        if length < 8 or end - at < length:
            return KIND_DAMAGED
        present = self.data[at + 4]
        field = at + 4
        while self.data[field + 3] & 0x80:  # another word of bits follows
            field += 4
            if field + 4 > at + length:
                return KIND_DAMAGED
        field += 4
        if present & 1:  # TSFT
            field = at + ((field - at + 7) & ~7) + 8
        if present & 2 and field < at + length:
            flags = self.data[field]
        if flags & 0x40:  # failed its check sequence
            return KIND_DAMAGED
        # With 0x10 the check sequence is there; the length of the IP packet says where it begins.
        return self._wireless(i, at + length, end, wire, flags & 0x20 != 0)

    @cython.cfunc
    def _per_packet(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """PPI: a header that names the link type of what follows."""
        length: cython.Py_ssize_t
        link: cython.int
        if end - at < 8:
            return KIND_DAMAGED
        length = self._u16_little(at + 2)
        if length < 8 or end - at < length:
            return KIND_DAMAGED
        link = self._u16_little(at + 4)
        if link == 192:  # itself
            return KIND_DAMAGED
        return self._frame(i, link, at + length, end, wire)

    @cython.cfunc
    def _prism(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """The Prism header, in the byte order of its writer, or the AVS header, in network order."""
        length: cython.longlong
        if end - at < 8:
            return KIND_DAMAGED
        length = self._u32(at + 4)
        if length > 0xFFFF:
            length = self._u16_little(at + 4)
        if length < 8 or end - at < length:
            return KIND_DAMAGED
        return self._wireless(i, at + length, end, wire, False)

    @cython.cfunc
    def _wireless(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        padded: cython.bint,
    ) -> cython.int:  # fmt: skip
        """IEEE 802.11-2020 §9.2 and §9.3.2. `padded`: the payload begins at a multiple of four bytes."""
        header: cython.Py_ssize_t = 24
        kind: cython.int
        flags: cython.int
        aggregate: cython.bint = False
        if end - at < 2:
            return KIND_DAMAGED
        kind = self.data[at]
        flags = self.data[at + 1]
        if kind & 0x0C != 0x08 or kind & 0x40:  # not data, or without payload
            return KIND_OTHER
        if flags & 3 == 3:  # to and from a distribution system: four addresses
            header += 6
        if kind & 0x80:  # QoS
            if end - at < header + 2:
                return KIND_DAMAGED
            aggregate = self.data[at + header] & 0x80 != 0
            header += 2
            if flags & 0x80:  # HT control
                header += 4
        if end - at < 24:
            return KIND_DAMAGED
        if flags & 4 or self.data[at + 22] & 15:  # more fragments, or not the first
            return KIND_FRAGMENT
        if padded:
            header = (header + 3) & ~3
        if flags & 0x40 and not (
            # Some stations decrypt and leave the bit: no cipher's header looks like LLC and SNAP.
            not aggregate and end - at - header >= 8
            and self._u32(at + header) == 0xAAAA0300 and self._u16(at + header + 4) == 0
        ):  # fmt: skip
            return KIND_PROTECTED
        if aggregate:
            return self._a_msdu(i, at + header, end, wire)
        return self._llc(i, at + header, end, wire)

    @cython.cfunc
    def _a_msdu(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """§9.3.2.2: subframes of two addresses, a length, and a packet; all but the last padded to four bytes.

        Packets that say something to the connection tracker have a row each.
        """
        length: cython.Py_ssize_t
        stop: cython.Py_ssize_t
        found: cython.int = KIND_OTHER
        row: cython.Py_ssize_t = i
        while end - at >= 14:
            length = self._u16(at + 12)
            if length == 0:
                break
            if found == KIND_TCP or found == KIND_ICMP_ERROR:  # noqa: SIM109
                self.kind[row] = found
                row += 1
                self.extra += 1
                self.number[row] = self.number[i]
                self.time_ns[row] = self.time_ns[i]
                self.vlan[row] = 0
                self.encapsulation[row] = 0
            stop = at + 14 + length
            found = self._llc(row, at + 14, end if end < stop else stop, wire if wire < stop else stop)
            at = at + ((14 + length + 3) & ~3)
        return found
