# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Frames to packet-table rows, all of it: fragments put together, and what ICMP errors quote.

Pure-Python mode, types in `reader.pxd`.
"""

from __future__ import annotations

import struct

import cython
import numpy as np

from analyzer.dissector.encapsulation import Encapsulations

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.analyzer.dissector.tunnels import TunnelReader
    from cython.cimports.analyzer.dissector.wireless import WirelessReader
else:
    from analyzer.dissector.layout import *
    from analyzer.dissector.tunnels import TunnelReader
    from analyzer.dissector.wireless import WirelessReader

COMPILED = cython.compiled


@cython.final
@cython.cclass
class PacketReader(TunnelReader):
    """Reads the headers of frames into a packet table. From chunk to chunk it keeps fragments, and the numbers of
    encapsulations.

    `vlan_key`: VLAN ids inside tunnels tell connections apart. `reassembly` is None until there was a fragment.
    """

    def __init__(self, vlan_key=False):
        TunnelReader.__init__(self, Encapsulations(vlan_key))
        self.reassembly = None
        self.quoting = False
        self.quoted = 0
        self.room = None
        self.filled = 0

    @cython.cfunc
    def _room(self, frames) -> cython.Py_ssize_t:
        self.room = None
        self.filled = 0
        return WirelessReader._room(self, frames)

    # Fragments.

    @cython.cfunc
    def _fragment(
        self, i: cython.Py_ssize_t, field: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t,
        wire: cython.Py_ssize_t, protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        version: cython.int = self.family[i]
        offset: cython.longlong
        more: cython.bint
        identification: cython.longlong
        start: cython.Py_ssize_t
        captured: cython.Py_ssize_t
        found: cython.int
        offset = self._u16(field + 2)
        if version == 4:
            identification = self._u16(field)
            more = offset & 0x2000 != 0
            offset = (offset & 0x1FFF) * 8
        else:
            identification = self._u32(field + 4)
            more = offset & 1 != 0
            offset = offset & 0xFFF8
        if self.quoting:
            return self._transport(i, at, end, wire, protocol) if offset == 0 else KIND_OTHER
        if end < at:
            return KIND_DAMAGED
        if self.nested == MOST_NESTED:  # put together from what was put together …
            return KIND_FRAGMENT
        if self.reassembly is None:
            from analyzer.dissector.fragments import Reassembly

            self.reassembly = Reassembly()
        packet = self.reassembly.add(
            self._fragment_key(i, identification, protocol), offset, more, bytes(self.data[at:end]), wire - at,
            protocol, self.time_ns[i], self.number[i],
        )  # fmt: skip
        if packet is None:
            return KIND_FRAGMENT
        start = self._append(packet.data)
        captured = len(packet.data)
        self.nested += 1
        found = self._transport(i, start, start + captured, start + packet.length, packet.protocol)
        self.nested -= 1
        return found

    @cython.cfunc
    def _fragment_key(self, i: cython.Py_ssize_t, identification: cython.longlong, protocol: cython.int) -> bytes:
        """RFC 791 §3.2, RFC 8200 §4.5: addresses and identification, in IPv4 the protocol too; and the tunnel."""
        version: cython.int = self.family[i]
        around: bytes = np.asarray(self.path)[: self.layers * 6].tobytes()
        return (
            struct.pack(
                "=BBQQQQI", version, protocol if version == 4 else 0, self.source_high[i], self.source_low[i],
                self.destination_high[i], self.destination_low[i], identification,
            )
            + around
        )  # fmt: skip

    @cython.cfunc
    def _append(self, packet: bytes) -> cython.Py_ssize_t:
        """Put a packet behind the bytes of the chunk; where it begins there."""
        start: cython.Py_ssize_t = len(self.data) if self.room is None else self.filled
        length: cython.Py_ssize_t = len(packet)
        if self.room is None or len(self.data) - start < length:
            self.room = np.empty(2 * start + length, np.uint8)
            self.room[:start] = np.asarray(self.data)[:start]
            self.data = memoryview(self.room)
        self.room[start : start + length] = np.frombuffer(packet, np.uint8)
        self.filled = start + length
        return start

    # ICMP.

    @cython.cfunc
    def _other_protocol(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        if protocol == 1 or protocol == 58:
            return self._icmp(i, at, end, protocol)
        return TunnelReader._other_protocol(self, i, at, end, wire, protocol)

    @cython.cfunc
    def _icmp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, protocol: cython.int
    ) -> cython.int:
        """KIND_ICMP_ERROR for an error that quotes TCP, with the quoted segment's addresses, ports and number.

        What is quoted may have been in a tunnel. `flags` is 1 if the error says that the destination cannot be
        reached, `payload` how many bytes of the segment are quoted (20: no fewer), `window` type << 8 | code, and
        `acknowledgement` the MTU of the next link, 0 if none is said.
        """
        kind: cython.int
        unreachable: cython.bint
        mtu: cython.longlong = 0
        found: cython.int = KIND_ICMP
        if end - at < 8 or self.quoting:
            return KIND_ICMP
        kind = self.data[at]
        if protocol == 1:  # RFC 792; type 3 code 4 only asks for smaller packets, RFC 1191
            if kind != 3 and kind != 4 and kind != 5 and kind != 11 and kind != 12:
                return KIND_ICMP
            unreachable = kind == 3 and self.data[at + 1] != 4
            if kind == 3 and not unreachable:
                mtu = self._u16(at + 6)
        else:  # RFC 4443 §3
            if kind < 1 or kind > 4:
                return KIND_ICMP
            unreachable = kind == 1
            if kind == 2:
                mtu = self._u32(at + 4)
        kind = self._u16(at)
        at += 8
        self.quoting = True
        self.quoted = 20
        # What is quoted is cut; its own length says where it ended.
        if protocol == 1:
            found = self._ipv4(i, at, end, end + 0xFFFF)
        else:
            found = self._ipv6(i, at, end, end + 0xFFFF)
        self.quoting = False
        if found != KIND_TCP:
            return KIND_ICMP
        self.payload[i] = self.quoted
        self.flags[i] = 1 if unreachable else 0
        self.window[i] = kind
        self.acknowledgement[i] = mtu
        return KIND_ICMP_ERROR

    @cython.cfunc
    def _cut_tcp(self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.int:
        """RFC 792: at least the first eight bytes of a segment are quoted, and what comes behind may be padding."""
        if not self.quoting or end - at < 8:
            return KIND_DAMAGED
        self.source_port[i] = self._u16(at)
        self.destination_port[i] = self._u16(at + 2)
        self.sequence[i] = self._u32(at + 4)
        self.quoted = end - at if end - at < 20 else 8
        return KIND_TCP
