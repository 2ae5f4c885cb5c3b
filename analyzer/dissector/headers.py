# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Frames to packet-table rows: link layer, IPv4 and IPv6, TCP headers, as nearly all packets have them.

What is rarer is left to the classes on top of this one: `links.py` and `wireless.py` (further link types), `tunnels.py`
(packets inside packets), `reader.py` (fragments, ICMP errors). So the way of a common packet stays short. Ordinary
Python in Cython's pure-Python mode: uncompiled it gives the same answers, slower. Every index is
checked against the captured bytes before it is used; bounds checks stay on besides, since the input is hostile.
"""

from __future__ import annotations

import cython

COMPILED = cython.compiled

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.layout import *

# More tags or extension headers than any real stack sends; hostile packets must not buy time with them.
_MAX_TAGS = cython.declare(cython.int, 8)
_MAX_EXTENSIONS = cython.declare(cython.int, 32)


@cython.cclass
class HeaderReader:
    """Reads the headers of a chunk of frames into a packet table. `headers.pxd` has the types.

    By itself it knows only common packets: use `reader.PacketReader`.
    """

    def read(self, frames, table) -> None:
        """Fill `table` (a PacketTable) from `frames` (a Frames).

        Row i describes frame i, but for frames that hold several packets: they have a row for each of these.
        """
        i: cython.Py_ssize_t
        row: cython.Py_ssize_t
        found: cython.int
        count: cython.Py_ssize_t = frames.count
        number: cython.longlong = frames.first_number
        table.reserve(count + self._room(frames))
        self.data = frames.data
        self.extra = 0
        self.source_high = memoryview(table.source_high)
        self.source_low = memoryview(table.source_low)
        self.destination_high = memoryview(table.destination_high)
        self.destination_low = memoryview(table.destination_low)
        self.source_port = memoryview(table.source_port)
        self.destination_port = memoryview(table.destination_port)
        self.family = memoryview(table.family)
        self.encapsulation = memoryview(table.encapsulation)
        self.vlan = memoryview(table.vlan)
        self.sequence = memoryview(table.sequence)
        self.acknowledgement = memoryview(table.acknowledgement)
        self.flags = memoryview(table.flags)
        self.window = memoryview(table.window)
        self.options = memoryview(table.options)
        self.mss = memoryview(table.mss)
        self.window_scale = memoryview(table.window_scale)
        self.payload = memoryview(table.payload)
        self.payload_captured = memoryview(table.payload_captured)
        self.payload_offset = memoryview(table.payload_offset)
        self.ip_offset = memoryview(table.ip_offset)
        self.tcp_offset = memoryview(table.tcp_offset)
        offset: cython.longlong[::1] = memoryview(frames.offset)
        captured: cython.longlong[::1] = memoryview(frames.captured)
        original: cython.longlong[::1] = memoryview(frames.original)
        time_in: cython.longlong[::1] = memoryview(frames.time_ns)
        link_type: cython.int[::1] = memoryview(frames.link_type)
        numbers: cython.longlong[::1] = memoryview(table.number)
        time_out: cython.longlong[::1] = memoryview(table.time_ns)
        kind: cython.schar[::1] = memoryview(table.kind)
        self.number = numbers
        self.time_ns = time_out
        self.kind = kind
        wire: cython.longlong
        for i in range(count):
            wire = original[i]
            if wire < captured[i]:
                wire = captured[i]
            row = i + self.extra
            numbers[row] = number + i
            time_out[row] = time_in[i]
            found = self._frame(row, link_type[i], offset[i], offset[i] + captured[i], offset[i] + wire)
            kind[i + self.extra] = found  # of several packets in a frame it is the last one's
        table.count = count + self.extra
        table.frames = count
        table.data = self.data

    @cython.cfunc
    def _room(self, frames) -> cython.Py_ssize_t:
        """How many packets more than frames there may be in a chunk."""
        return 0

    # In the methods below `at` is where a header begins, `end` where the captured bytes end and `wire` where the
    # frame ended on the wire, all as indices into `data`; `wire` may lie beyond `data`. They return the kind.

    @cython.cfunc
    @cython.inline
    def _u16(self, at: cython.Py_ssize_t) -> cython.int:
        return self.data[at] << 8 | self.data[at + 1]

    @cython.cfunc
    @cython.inline
    def _u32(self, at: cython.Py_ssize_t) -> cython.longlong:
        high: cython.longlong = self.data[at] << 8 | self.data[at + 1]
        return high << 16 | self.data[at + 2] << 8 | self.data[at + 3]

    @cython.cfunc
    def _u64(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self._u32(at)
        low: cython.ulonglong = self._u32(at + 4)
        return high << 32 | low

    @cython.cfunc
    def _frame(
        self, i: cython.Py_ssize_t, link: cython.int, at: cython.Py_ssize_t, end: cython.Py_ssize_t,
        wire: cython.Py_ssize_t,
    ) -> cython.int:  # fmt: skip
        family: cython.int
        version: cython.int
        self.vlan[i] = 0
        self.encapsulation[i] = 0
        if link == LINK_EXCLUDED:
            return KIND_EXCLUDED
        if link == 1:  # Ethernet
            if end - at < 14:
                return KIND_DAMAGED
            return self._ethertype(i, at + 14, end, wire, self._u16(at + 12))
        if link == 113:  # LINUX_SLL
            if end - at < 16:
                return KIND_DAMAGED
            return self._ethertype(i, at + 16, end, wire, self._u16(at + 14))
        if link == 276:  # LINUX_SLL2
            if end - at < 20:
                return KIND_DAMAGED
            return self._ethertype(i, at + 20, end, wire, self._u16(at))
        if link == 101 or link == 12 or link == 14 or link == 228 or link == 229:  # RAW, IPV4, IPV6
            if end <= at:
                return KIND_DAMAGED
            version = self.data[at] >> 4
            if version == 4:
                return self._ipv4(i, at, end, wire)
            if version == 6:
                return self._ipv6(i, at, end, wire)
            return KIND_OTHER
        if link == 0 or link == 108:  # BSD NULL is in the writer's byte order, LOOP in network order
            if end - at < 4:
                return KIND_DAMAGED
            family = self._u16(at + 2)
            if family == 0:
                family = self.data[at + 1] << 8 | self.data[at]
            if family == 2:
                return self._ipv4(i, at + 4, end, wire)
            if family == 10 or family == 24 or family == 28 or family == 30:  # Linux, NetBSD, FreeBSD, Darwin
                return self._ipv6(i, at + 4, end, wire)
            return KIND_OTHER
        return self._other_link(i, link, at, end, wire)

    @cython.cfunc
    def _ethertype(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        tags: cython.int = 0
        tag: cython.longlong
        # IEEE 802.1Q, 802.1ad, and the numbers used for stacked tags before that
        while protocol == 0x8100 or protocol == 0x88A8 or protocol == 0x9100 or protocol == 0x9200:
            if end - at < 4 or tags == _MAX_TAGS:
                return KIND_DAMAGED
            if tags < 4:
                tag = (self._u16(at) & 0xFFF) + 1
                self.vlan[i] = self.vlan[i] | tag << 13 * tags
            protocol = self._u16(at + 2)
            at += 4
            tags += 1
        if protocol == 0x0800:
            return self._ipv4(i, at, end, wire)
        if protocol == 0x86DD:
            return self._ipv6(i, at, end, wire)
        return self._other_ethertype(i, at, end, wire, protocol)

    @cython.cfunc
    def _ipv4(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 791 §3.1."""
        header: cython.Py_ssize_t
        total: cython.Py_ssize_t
        if end - at < 20:
            return KIND_DAMAGED
        header = (self.data[at] & 15) * 4
        if self.data[at] >> 4 != 4 or header < 20:
            return KIND_DAMAGED
        total = self._u16(at + 2)
        # A length of 0 comes from segmentation offload: the real one did not fit or was not known yet.
        if total != 0:
            if total < header:
                return KIND_DAMAGED
            if at + total < wire:
                wire = at + total
            if wire < end:
                end = wire
        self.ip_offset[i] = at
        self.family[i] = 4
        self.source_high[i] = 0
        self.source_low[i] = self._u32(at + 12)
        self.destination_high[i] = 0
        self.destination_low[i] = self._u32(at + 16)
        if self._u16(at + 6) & 0x3FFF:  # more fragments, or not the first
            return self._fragment(i, at + 4, at + header, end, wire, self.data[at + 9])
        return self._transport(i, at + header, end, wire, self.data[at + 9])

    @cython.cfunc
    def _ipv6(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 8200 §3."""
        total: cython.Py_ssize_t
        if end - at < 40 or self.data[at] >> 4 != 6:
            return KIND_DAMAGED
        total = self._u16(at + 4)
        if total != 0:  # 0: offload, or a jumbogram (RFC 2675), whose end is the frame's
            if at + 40 + total < wire:
                wire = at + 40 + total
            if wire < end:
                end = wire
        self.ip_offset[i] = at
        self.family[i] = 6
        self.source_high[i] = self._u64(at + 8)
        self.source_low[i] = self._u64(at + 16)
        self.destination_high[i] = self._u64(at + 24)
        self.destination_low[i] = self._u64(at + 32)
        return self._transport(i, at + 40, end, wire, self.data[at + 6])

    @cython.cfunc
    def _transport(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        _extensions: cython.int
        length: cython.Py_ssize_t
        for _extensions in range(_MAX_EXTENSIONS):
            if protocol == 6:
                return self._tcp(i, at, end, wire)
            if protocol == 17:
                return self._udp(i, at, end, wire)
            if protocol == 44:  # fragment header; an atomic fragment is whole, RFC 6946 §4
                if self.family[i] == 4:
                    return KIND_OTHER
                if end - at < 8:
                    return KIND_DAMAGED
                if self._u16(at + 2) & 0xFFF9:
                    return self._fragment(i, at, at + 8, end, wire, self.data[at])
                length = 8
            elif protocol == 51:  # authentication header, RFC 4302 §2.2
                if end - at < 2:
                    return KIND_DAMAGED
                length = (self.data[at + 1] + 2) * 4
            # hop-by-hop, routing, destination options, mobility, HIP, shim6: IANA's list of extension headers
            elif (
                protocol == 0 or protocol == 43 or protocol == 60 or protocol == 135 or protocol == 139
                or protocol == 140
            ):  # fmt: skip
                if self.family[i] == 4:
                    return KIND_OTHER
                if end - at < 8:
                    return KIND_DAMAGED
                if protocol == 43 and self.data[at + 3] != 0:
                    self.ip_offset[i] = -1
                length = (self.data[at + 1] + 1) * 8
            else:
                return self._other_protocol(i, at, end, wire, protocol)
            if end - at < length:
                return KIND_DAMAGED
            protocol = self.data[at]
            at += length
        return KIND_DAMAGED

    @cython.cfunc
    def _udp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """UDP, or QUIC where the datagram begins with a long header of a version we know (RFC 9000 §17.2)."""
        version: cython.longlong
        at += 8
        if end - at >= 7 and self.data[at] & 0xC0 == 0xC0:
            version = self._u32(at + 1)
            if version == 1 or version == 0x6B3343CF or version >> 8 == 0xFF0000:  # RFC 9000, RFC 9369, drafts
                return KIND_QUIC
        return KIND_UDP

    # What the classes on top of this one know more of.

    @cython.cfunc
    def _other_link(
        self, i: cython.Py_ssize_t, link: cython.int, at: cython.Py_ssize_t, end: cython.Py_ssize_t,
        wire: cython.Py_ssize_t,
    ) -> cython.int:  # fmt: skip
        """A frame of another link type."""
        return KIND_OTHER

    @cython.cfunc
    def _other_ethertype(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        """What an Ethernet header announces that is neither IP nor a VLAN tag; below 1536 it is a length."""
        return KIND_OTHER

    @cython.cfunc
    def _other_protocol(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        """What IP carries that is neither TCP nor UDP."""
        return KIND_OTHER

    @cython.cfunc
    def _fragment(
        self, i: cython.Py_ssize_t, field: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t,
        wire: cython.Py_ssize_t, protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        """A part of an IP packet. `field`: the identification's place (IPv4), or the fragment header's (IPv6)."""
        return KIND_FRAGMENT

    @cython.cfunc
    def _cut_tcp(self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.int:
        """A TCP header that is not whole, or contradicts itself."""
        return KIND_DAMAGED

    @cython.cfunc
    def _tcp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 9293 §3.1."""
        header: cython.Py_ssize_t
        if end - at < 20 and (self.quoting or end - at < 16 or wire - at < 20):
            # Where the snapshot length ends after the window, what is there is enough; in a quotation it is not.
            return self._cut_tcp(i, at, end)
        header = (self.data[at + 12] >> 4) * 4
        if header < 20 or at + header > wire:
            return self._cut_tcp(i, at, end)
        self.tcp_offset[i] = at
        self.source_port[i] = self._u16(at)
        self.destination_port[i] = self._u16(at + 2)
        self.sequence[i] = self._u32(at + 4)
        self.acknowledgement[i] = self._u32(at + 8)
        self.flags[i] = self._u16(at + 12) & 0x1FF
        self.window[i] = self._u16(at + 14)
        self.options[i] = 0
        self.mss[i] = -1
        self.window_scale[i] = -1
        if header > 20:
            # Nearly every segment carries just this: two paddings and a timestamp (RFC 7323, appendix A).
            if header == 32 and end - at >= 32 and self._u32(at + 20) == 0x0101080A:
                self.options[i] = OPTION_TIMESTAMPS
            else:
                self._options(i, at + 20, at + header if at + header < end else end)
        self.payload[i] = wire - at - header
        self.payload_offset[i] = at + header if at + header < end else end
        self.payload_captured[i] = end - self.payload_offset[i]
        return KIND_TCP

    @cython.cfunc
    def _options(self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.int:
        """TCP options, https://www.iana.org/assignments/tcp-parameters; stops at the first malformed one."""
        option: cython.int
        length: cython.Py_ssize_t
        found: cython.int = 0
        while at < end:
            option = self.data[at]
            if option == 0:
                break
            if option == 1:
                at += 1
                continue
            if end - at < 2:
                break
            length = self.data[at + 1]
            if length < 2 or length > end - at:
                break
            if option == 2 and length == 4:
                self.mss[i] = self._u16(at + 2)
            elif option == 3 and length == 3:
                self.window_scale[i] = self.data[at + 2]
            elif option == 4 and length == 2:
                found |= OPTION_SACK_PERMITTED
            elif option == 5:
                found |= OPTION_SACK
            elif option == 8 and length == 10:
                found |= OPTION_TIMESTAMPS
            elif option == 34 or (option == 254 and length >= 4 and self._u16(at + 2) == 0xF989):
                found |= OPTION_FAST_OPEN  # RFC 7413 §4.1.1 and the experimental form before it
            elif option == 30:
                found |= OPTION_MPTCP  # RFC 8684 §3
            at += length
        self.options[i] = found
