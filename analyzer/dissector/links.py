# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Link layers besides Ethernet: LLC and SNAP, PPP, and what firewalls and serial lines write.

Link types: https://www.tcpdump.org/linktypes.html. Pure-Python mode, types in `links.pxd`.
"""

from __future__ import annotations

import cython

if cython.compiled:
    from cython.cimports.analyzer.dissector.headers import HeaderReader
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.headers import HeaderReader
    from analyzer.dissector.layout import *

COMPILED = cython.compiled


@cython.cclass
class LinkReader(HeaderReader):
    """Reads frames of further link types."""

    def __init__(self):
        self.nested = 0

    @cython.cfunc
    def _u16_little(self, at: cython.Py_ssize_t) -> cython.int:
        return self.data[at + 1] << 8 | self.data[at]

    @cython.cfunc
    def _other_link(
        self, i: cython.Py_ssize_t, link: cython.int, at: cython.Py_ssize_t, end: cython.Py_ssize_t,
        wire: cython.Py_ssize_t,
    ) -> cython.int:  # fmt: skip
        length: cython.Py_ssize_t
        first: cython.int
        if end - at < 4:
            return KIND_DAMAGED
        first = self.data[at]
        if link == 9 or link == 50 or link == 104:  # PPP, PPP_HDLC, C_HDLC
            if link == 104 or ((first == 0x0F or first == 0x8F) and self.data[at + 1] == 0):  # Cisco's, RFC 1547 §4.3.1
                return self._ethertype(i, at + 4, end, wire, self._u16(at + 2))
            return self._ppp(i, at, end, wire)
        if link == 51:  # PPP_ETHER begins with the PPPoE header
            return self._pppoe(i, at, end, wire)
        if link == 204 or link == 166:  # PPP_WITH_DIR; PPP_PPPD, whose direction stands in place of the address
            return self._ppp(i, at + 2 if link == 166 and self.data[at + 1] == 3 else at + 1, end, wire)
        if link == 107:
            return self._frame_relay(i, at, end, wire)
        if link == 10:  # FDDI
            return self._llc(i, at + 13, end, wire)
        if link == 6:  # IEEE 802.5, with a routing field where the source address says so
            length = 14
            if end - at > 14 and self.data[at + 8] & 0x80:
                length += self.data[at + 14] & 0x1F
            return self._llc(i, at + length, end, wire)
        if link == 100:  # ATM_RFC1483
            return self._llc(i, at, end, wire)
        if link == 138:  # APPLE_IP_OVER_IEEE1394
            if end - at < 18:
                return KIND_DAMAGED
            return self._ethertype(i, at + 18, end, wire, self._u16(at + 16))
        if link == 109:  # ENC: the address family in the writer's byte order
            first = self._u16(at + 2)
            return self._network(i, first if first else self._u16_little(at), at + 12, end, wire)
        if link == 117:  # PFLOG: its own length without padding comes first, then the address family
            length = (first + 3) & ~3
            return self._network(i, self.data[at + 1], at + length, end, wire)
        if link == 239:
            return self._nflog(i, at, end, wire)
        if link == 219:
            return self._mpls(i, at, end, wire)
        return KIND_OTHER

    @cython.cfunc
    def _network(
        self, i: cython.Py_ssize_t, family: cython.int, at: cython.Py_ssize_t, end: cython.Py_ssize_t,
        wire: cython.Py_ssize_t,
    ) -> cython.int:  # fmt: skip
        """IP by address family, as the BSDs and Linux number them."""
        if family == 2:
            return self._ipv4(i, at, end, wire)
        if family == 10 or family == 24 or family == 28 or family == 30:  # Linux, NetBSD, FreeBSD, Darwin
            return self._ipv6(i, at, end, wire)
        return KIND_OTHER

    @cython.cfunc
    def _nflog(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """Linux's netfilter log: family, version, resource, then attributes; the packet is attribute 9."""
        family: cython.int = self.data[at]
        length: cython.Py_ssize_t
        at += 4
        while end - at >= 4:
            length = self._u16_little(at)
            if length < 4:
                return KIND_DAMAGED
            if self._u16_little(at + 2) & 0x7FFF == 9:
                if at + length < wire:
                    wire = at + length
                return self._network(i, family, at + 4, end if end < wire else wire, wire)
            at += (length + 3) & ~3
        return KIND_OTHER if at == end else KIND_DAMAGED

    @cython.cfunc
    def _frame_relay(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 2427 §4: address, control 3, and a network-layer protocol identifier; or Cisco's EtherType."""
        protocol: cython.int
        while not self.data[at] & 1:  # the last octet of the address has this bit
            at += 1
            if end - at < 4:
                return KIND_DAMAGED
        at += 1
        if self.data[at] != 3:
            if end - at < 2:
                return KIND_DAMAGED
            return self._ethertype(i, at + 2, end, wire, self._u16(at))
        if end - at < 3:
            return KIND_DAMAGED
        at += 2 if self.data[at + 1] == 0 else 1  # a padding octet may precede the identifier
        protocol = self.data[at]
        if protocol == 0xCC:
            return self._ipv4(i, at + 1, end, wire)
        if protocol == 0x8E:
            return self._ipv6(i, at + 1, end, wire)
        if protocol == 0x80:
            return self._snap(i, at + 1, end, wire)
        return KIND_OTHER

    @cython.cfunc
    def _other_ethertype(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        if protocol == 0x8847 or protocol == 0x8848:
            return self._mpls(i, at, end, wire)
        if protocol == 0x8864:
            return self._pppoe(i, at, end, wire)
        if protocol <= 1500:  # IEEE 802.3 §3.2.6: a length; in Linux cooked captures 4 says the same
            if protocol > 4 and at + protocol < wire:
                wire = at + protocol
                if wire < end:
                    end = wire
            return self._llc(i, at, end, wire)
        if protocol == 0x8870:  # the same for frames that are longer than such a length can say
            return self._llc(i, at, end, wire)
        if protocol == 0x880B:
            return self._ppp(i, at, end, wire)
        return KIND_OTHER

    @cython.cfunc
    def _llc(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """IEEE 802.2: two service access points and a control octet. IP comes behind SNAP (RFC 1042), or as itself."""
        found: cython.int
        if end - at < 3:
            return KIND_DAMAGED
        if self.data[at + 2] != 3:  # not unnumbered information
            return KIND_OTHER
        if self.data[at] == 0xAA and self.data[at + 1] == 0xAA:
            if self.nested == MOST_NESTED:
                return KIND_OTHER
            self.nested += 1
            found = self._snap(i, at + 3, end, wire)
            self.nested -= 1
            return found
        if self.data[at] == 6 and self.data[at + 1] == 6:  # RFC 948
            return self._ipv4(i, at + 3, end, wire)
        return KIND_OTHER

    @cython.cfunc
    def _snap(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """IEEE 802 §9.2.2: an organisation, and a protocol of its own."""
        organisation: cython.int
        protocol: cython.int
        if end - at < 5:
            return KIND_DAMAGED
        organisation = self._u16(at) << 8 | self.data[at + 2]
        protocol = self._u16(at + 3)
        if organisation == 0 or organisation == 0x0000F8:  # an EtherType; the second one for bridges, IEEE 802.1H
            return self._ethertype(i, at + 5, end, wire, protocol) if protocol >= 1536 else KIND_OTHER
        if organisation == 0x0080C2 and (protocol == 1 or protocol == 7):  # bridged Ethernet, RFC 2684 §5.2
            return self._inner_ethernet(i, at + 7, end, wire)
        return KIND_OTHER

    @cython.cfunc
    def _ppp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 1662 §3.1: address and control, which may have been left out (§3.2), then RFC 1661 §2."""
        if end - at >= 2 and self.data[at] == 0xFF and self.data[at + 1] == 3:
            at += 2
        return self._ppp_protocol(i, at, end, wire)

    @cython.cfunc
    def _ppp_protocol(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """https://www.iana.org/assignments/ppp-numbers; an odd first octet is a compressed number (RFC 1661 §6.5)."""
        protocol: cython.int
        if end - at < 2:
            return KIND_DAMAGED
        if self.data[at] & 1:
            protocol = self.data[at]
            at += 1
        else:
            protocol = self._u16(at)
            at += 2
        if protocol == 0x0021:
            return self._ipv4(i, at, end, wire)
        if protocol == 0x0057:
            return self._ipv6(i, at, end, wire)
        if protocol == 0x0281 or protocol == 0x0283:
            return self._mpls(i, at, end, wire)
        return KIND_OTHER

    # Known to tunnels.py.

    @cython.cfunc
    def _inner_ethernet(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """An Ethernet frame inside something else."""
        return KIND_OTHER

    @cython.cfunc
    def _mpls(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """A stack of MPLS labels."""
        return KIND_OTHER

    @cython.cfunc
    def _pppoe(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """A packet of a PPPoE session."""
        return KIND_OTHER
