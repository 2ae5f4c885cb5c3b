# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Packets inside packets: MPLS, PPPoE, IP in IP, GRE, ERSPAN, VXLAN, Geneve, GTP-U, Teredo, and inside one another.

A packet is counted as what is innermost. Pure-Python mode, types in `tunnels.pxd`.
"""

from __future__ import annotations

import cython
import numpy as np

from analyzer.dissector import encapsulation

if cython.compiled:
    from cython.cimports.analyzer.dissector.headers import HeaderReader
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.analyzer.dissector.links import LinkReader
    from cython.cimports.analyzer.dissector.wireless import WirelessReader
else:
    from analyzer.dissector.headers import HeaderReader
    from analyzer.dissector.layout import *
    from analyzer.dissector.links import LinkReader
    from analyzer.dissector.wireless import WirelessReader

COMPILED = cython.compiled

_MOST_LAYERS = cython.declare(cython.int, encapsulation.MOST_LAYERS)
_VLAN = cython.declare(cython.int, encapsulation.VLAN)
_MPLS = cython.declare(cython.int, encapsulation.MPLS)
_PSEUDOWIRE = cython.declare(cython.int, encapsulation.PSEUDOWIRE)
_PPPOE = cython.declare(cython.int, encapsulation.PPPOE)
_PBB = cython.declare(cython.int, encapsulation.PBB)
_4IN4 = cython.declare(cython.int, encapsulation.IP4_IN_4)
_6IN4 = cython.declare(cython.int, encapsulation.IP6_IN_4)
_4IN6 = cython.declare(cython.int, encapsulation.IP4_IN_6)
_6IN6 = cython.declare(cython.int, encapsulation.IP6_IN_6)
_6TO4 = cython.declare(cython.int, encapsulation.SIX_TO_FOUR)
_ETHERIP = cython.declare(cython.int, encapsulation.ETHERIP)
_GRE = cython.declare(cython.int, encapsulation.GRE)
_PPTP = cython.declare(cython.int, encapsulation.PPTP)
_ERSPAN_1 = cython.declare(cython.int, encapsulation.ERSPAN_1)
_ERSPAN_2 = cython.declare(cython.int, encapsulation.ERSPAN_2)
_ERSPAN_3 = cython.declare(cython.int, encapsulation.ERSPAN_3)
_VXLAN = cython.declare(cython.int, encapsulation.VXLAN)
_VXLAN_GPE = cython.declare(cython.int, encapsulation.VXLAN_GPE)
_GENEVE = cython.declare(cython.int, encapsulation.GENEVE)
_GTP_U = cython.declare(cython.int, encapsulation.GTP_U)
_TEREDO = cython.declare(cython.int, encapsulation.TEREDO)
_MPLS_IN_UDP = cython.declare(cython.int, encapsulation.MPLS_IN_UDP)
_MPLS_IN_IP = cython.declare(cython.int, encapsulation.MPLS_IN_IP)
_L2TP = cython.declare(cython.int, encapsulation.L2TP)
_FABRICPATH = cython.declare(cython.int, encapsulation.FABRICPATH)
_VN_TAG = cython.declare(cython.int, encapsulation.VN_TAG)
_E_TAG = cython.declare(cython.int, encapsulation.E_TAG)

_NO_ID = cython.declare(cython.longlong, -1)
# The datagram is not what its port promises.
_NO_TUNNEL = cython.declare(cython.int, -2)
# GTP-U extension headers; real packets have one or two.
_MOST_EXTENSIONS = cython.declare(cython.int, 8)
_TEREDO_PREFIX = cython.declare(cython.longlong, 0x20010000)


@cython.cclass
class TunnelReader(WirelessReader):
    """Reads what tunnels carry. `encapsulations` numbers the headers that packets came in."""

    def __init__(self, encapsulations):
        WirelessReader.__init__(self)
        self.encapsulations = encapsulations
        self.path = memoryview(np.zeros(encapsulation.MOST_LAYERS * encapsulation.LAYER_WORDS, np.uint64))
        self.layers = 0
        self.innermost = 0
        self.too_deep = 0  # packets with more headers than MOST_LAYERS around them, and the first of these
        self.too_deep_packet = 0

    @cython.cfunc
    def _enter(
        self, i: cython.Py_ssize_t, kind: cython.int, number: cython.longlong, addressed: cython.bint
    ) -> cython.bint:
        """A header around what comes next, whose addresses are those of the row so far; False: there are too many."""
        at: cython.Py_ssize_t = self.layers * 6
        if self.layers == _MOST_LAYERS:
            if self.too_deep == 0:
                self.too_deep_packet = self.number[i]
            self.too_deep += 1
            return False
        self.path[at] = kind
        self.path[at + 1] = cython.cast(cython.ulonglong, number) if cython.compiled else number & encapsulation.NO_ID
        self.path[at + 2] = self.path[at + 3] = self.path[at + 4] = self.path[at + 5] = 0
        if addressed:
            self.path[at] = kind | self.family[i] << 8
            self.path[at + 2] = self.source_high[i]
            self.path[at + 3] = self.source_low[i]
            self.path[at + 4] = self.destination_high[i]
            self.path[at + 5] = self.destination_low[i]
        self.layers += 1
        return True

    @cython.cfunc
    def _leave(self, i: cython.Py_ssize_t, found: cython.int) -> cython.int:
        """What `_enter` began has been read; `found` was inside. The outermost header notes all of them in the row."""
        both: cython.longlong
        if self.innermost == 0 and (found == KIND_TCP or found == KIND_ICMP_ERROR):  # noqa: SIM109
            self.innermost = self.layers
        self.layers -= 1
        if self.layers == 0 and self.innermost != 0:
            both = self.encapsulations.find(np.asarray(self.path)[: self.innermost * 6].tobytes())
            self.innermost = 0
            self.encapsulation[i] = both & 0xFFFFFFFF
            self.family[i] = self.family[i] | (both >> 32) << 4
        return found

    @cython.cfunc
    def _ip(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """An IP packet of either version."""
        version: cython.int
        if end <= at:
            return KIND_DAMAGED
        version = self.data[at] >> 4
        if version == 4:
            return self._ipv4(i, at, end, wire)
        return self._ipv6(i, at, end, wire) if version == 6 else KIND_OTHER

    # Below IP.

    @cython.cfunc
    def _inner_ethernet(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        if end - at < 14:
            return KIND_DAMAGED
        return self._tagged(i, at + 14, end, wire, self._u16(at + 12))

    @cython.cfunc
    def _tagged(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        """What follows an EtherType that is not the frame's outermost: VLAN tags count as headers inside it."""
        tags: cython.int = 0
        found: cython.int
        while protocol == 0x8100 or protocol == 0x88A8 or protocol == 0x9100 or protocol == 0x9200:
            if end - at < 4 or not self._enter(i, _VLAN, self._u16(at) & 0xFFF, False):
                break
            tags += 1
            protocol = self._u16(at + 2)
            at += 4
        if protocol == 0x8100 or protocol == 0x88A8 or protocol == 0x9100 or protocol == 0x9200:
            found = KIND_DAMAGED
        elif self.nested == MOST_NESTED:  # a frame in LLC in a frame …
            found = KIND_OTHER
        else:
            self.nested += 1
            found = self._ethertype(i, at, end, wire, protocol)
            self.nested -= 1
        while tags > 0:
            self._leave(i, found)
            tags -= 1
        return found

    @cython.cfunc
    def _other_ethertype(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        if protocol == 0x88E7:  # IEEE 802.1ah: four octets with the service instance, then the customer's frame
            if end - at < 4:
                return KIND_DAMAGED
            if not self._enter(i, _PBB, self._u32(at) & 0xFFFFFF, False):
                return KIND_OTHER
            return self._leave(i, self._inner_ethernet(i, at + 4, end, wire))
        if protocol == 0x8903:  # a forwarding tag and time to live, then the frame
            if not self._enter(i, _FABRICPATH, _NO_ID, False):
                return KIND_OTHER
            return self._leave(i, self._inner_ethernet(i, at + 2, end, wire))
        if protocol == 0x8926 or protocol == 0x893F:  # tags of four and six octets; an EtherType follows
            at += 4 if protocol == 0x8926 else 6
            if end - at < 2:
                return KIND_DAMAGED
            if not self._enter(i, _VN_TAG if protocol == 0x8926 else _E_TAG, _NO_ID, False):
                return KIND_OTHER
            return self._leave(i, self._tagged(i, at + 2, end, wire, self._u16(at)))
        return LinkReader._other_ethertype(self, i, at, end, wire, protocol)

    @cython.cfunc
    def _pppoe(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 2516 §4: version and type, code 0 in a session, its id, the length of what follows."""
        length: cython.Py_ssize_t
        if end - at < 6:
            return KIND_DAMAGED
        if self.data[at] != 0x11 or self.data[at + 1] != 0:
            return KIND_OTHER
        length = self._u16(at + 4)
        if at + 6 + length < wire:
            wire = at + 6 + length
        if not self._enter(i, _PPPOE, self._u16(at + 2), False):
            return KIND_OTHER
        return self._leave(i, self._ppp_protocol(i, at + 6, end if end < wire else wire, wire))

    @cython.cfunc
    def _mpls(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 3032 §2.1: label, traffic class, bottom of stack, time to live."""
        labels: cython.int = 0
        entry: cython.longlong
        found: cython.int = KIND_DAMAGED
        while end - at >= 4:
            entry = self._u32(at)
            if not self._enter(i, _MPLS, entry >> 12, False):
                found = KIND_OTHER
                break
            labels += 1
            at += 4
            if entry & 0x100:
                found = self._unlabelled(i, at, end, wire, entry >> 12)
                break
        while labels > 0:
            self._leave(i, found)
            labels -= 1
        return found

    @cython.cfunc
    def _unlabelled(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        label: cython.int,
    ) -> cython.int:  # fmt: skip
        """What is below the labels is said nowhere: IP begins with its version, a control word with 0 (RFC 4928 §3).

        The last label says it where it is reserved. An Ethernet pseudowire has a control word or none (RFC 4448 §4.6);
        without, the first octet of an address may look like IP (RFC 8469 §3).
        """
        first: cython.int
        if end <= at:
            return KIND_DAMAGED
        first = self.data[at] >> 4
        # Checksums that the sending interface was to fill in are wrong.
        if label == 0 or (first == 4 and (self._is_ipv4(at, end) or not self._is_ethernet(at, end))):
            return self._ipv4(i, at, end, wire)
        if label == 2 or (first == 6 and not self._is_ethernet(at, end)):
            return self._ipv6(i, at, end, wire)
        if first == 0 and self._is_ethernet(at + 4, end):
            at += 4
        elif not self._is_ethernet(at, end):
            return KIND_OTHER
        if not self._enter(i, _PSEUDOWIRE, _NO_ID, False):
            return KIND_OTHER
        return self._leave(i, self._inner_ethernet(i, at, end, wire))

    @cython.cfunc
    def _is_ethernet(self, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
        """Whether there may be an Ethernet header: it announces something common, or LLC of a length that fits."""
        protocol: cython.int
        if end - at < 18:
            return False
        protocol = self._u16(at + 12)
        if protocol == 0x0800:
            return self.data[at + 14] >> 4 == 4
        if protocol == 0x86DD:
            return self.data[at + 14] >> 4 == 6
        if protocol <= 1500:
            return self._u16(at + 14) == 0xAAAA and self.data[at + 16] == 3 and protocol <= end - at - 14
        return (
            protocol == 0x8100 or protocol == 0x88A8 or protocol == 0x8847 or protocol == 0x8864 or protocol == 0x0806
        )

    @cython.cfunc
    def _is_ipv4(self, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
        """Whether an IPv4 header's checksum holds (RFC 791 §3.1)."""
        length: cython.Py_ssize_t = (self.data[at] & 15) * 4
        total: cython.long = 0
        k: cython.Py_ssize_t
        if length < 20 or end - at < length:
            return False
        for k in range(at, at + length, 2):
            total += self._u16(k)
        total = (total & 0xFFFF) + (total >> 16)
        return (total & 0xFFFF) + (total >> 16) == 0xFFFF

    # In IP.

    @cython.cfunc
    def _other_protocol(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        outer: cython.int = self.family[i]
        kind: cython.int
        if protocol == 47:
            return self._gre(i, at, end, wire)
        if protocol == 4:
            if not self._enter(i, _4IN4 if outer == 4 else _4IN6, _NO_ID, True):
                return KIND_OTHER
            return self._leave(i, self._ipv4(i, at, end, wire))
        if protocol == 41:
            kind = _6IN6
            if outer == 4:
                kind = _6IN4
                if end - at >= 40 and (self._u16(at + 8) == 0x2002 or self._u16(at + 24) == 0x2002):
                    kind = _6TO4
            if not self._enter(i, kind, _NO_ID, True):
                return KIND_OTHER
            return self._leave(i, self._ipv6(i, at, end, wire))
        if protocol == 97:  # RFC 3378 §4: version 3 and twelve bits of nothing
            if end - at < 2:
                return KIND_DAMAGED
            if self.data[at] != 0x30 or not self._enter(i, _ETHERIP, _NO_ID, True):
                return KIND_OTHER
            return self._leave(i, self._inner_ethernet(i, at + 2, end, wire))
        if protocol == 137:
            if not self._enter(i, _MPLS_IN_IP, _NO_ID, True):
                return KIND_OTHER
            return self._leave(i, self._mpls(i, at, end, wire))
        return KIND_OTHER

    @cython.cfunc
    def _gre(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 2784, with the fields of RFC 1701, RFC 2890 and RFC 2637."""
        flags: cython.int
        protocol: cython.int
        key: cython.longlong = _NO_ID
        length: cython.Py_ssize_t
        if end - at < 4:
            return KIND_DAMAGED
        flags = self._u16(at)
        protocol = self._u16(at + 2)
        if flags & 7 > 1:
            return KIND_OTHER
        at += 4
        if flags & 0xC000:  # checksum and offset
            at += 4
        if flags & 0x2000:
            if end - at < 4:
                return KIND_DAMAGED
            key = self._u32(at)
            at += 4
        if flags & 0x1000:  # sequence number
            at += 4
        if flags & 7 == 1:
            if flags & 0x80:  # acknowledgement
                at += 4
            if protocol != 0x880B or not self._enter(i, _PPTP, key & 0xFFFF, True):
                return KIND_OTHER
            return self._leave(i, self._ppp(i, at, end, wire))
        if flags & 0x4000:  # source routes, the last of length 0
            while True:
                if end - at < 4:
                    return KIND_DAMAGED
                length = self.data[at + 3]
                at += 4 + length
                if length == 0:
                    break
        if protocol == 0x88BE or protocol == 0x22EB:
            return self._erspan(i, at, end, wire, flags & 0x1000 != 0)
        if not self._enter(i, _GRE, key, True):
            return KIND_OTHER
        return self._leave(i, self._carried(i, at, end, wire, protocol))

    @cython.cfunc
    def _erspan(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        sequenced: cython.bint,
    ) -> cython.int:  # fmt: skip
        """draft-foschiano-erspan §4: type I has no header of its own and no GRE sequence number."""
        version: cython.int
        session: cython.longlong
        raw: cython.bint = False
        if not sequenced:
            if not self._enter(i, _ERSPAN_1, _NO_ID, True):
                return KIND_OTHER
            return self._leave(i, self._inner_ethernet(i, at, end, wire))
        if end - at < 12:
            return KIND_DAMAGED
        version = self.data[at] >> 4
        session = self._u16(at + 2) & 0x3FF
        if version == 1:
            at += 8
        elif version == 2:
            raw = self._u16(at + 10) >> 10 & 0x1F == 2  # an IP packet instead of a frame
            at += 12 + (8 if self.data[at + 11] & 1 else 0)  # with a platform's own header
        else:
            return KIND_OTHER
        if not self._enter(i, _ERSPAN_2 if version == 1 else _ERSPAN_3, session, True):
            return KIND_OTHER
        return self._leave(i, self._ip(i, at, end, wire) if raw else self._inner_ethernet(i, at, end, wire))

    @cython.cfunc
    def _carried(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        protocol: cython.int,
    ) -> cython.int:  # fmt: skip
        """What a GRE or Geneve header announces by an EtherType."""
        if protocol == 0x6558:  # transparent Ethernet bridging
            return self._inner_ethernet(i, at, end, wire)
        if protocol == 0x883E:  # WCCP, with a redirect header in its version 2
            if end > at and self.data[at] >> 4 != 4:
                at += 4
            return self._ip(i, at, end, wire)
        if protocol == 0x0800 or protocol == 0x86DD:
            return self._ip(i, at, end, wire)
        if protocol < 1536:  # no length here
            return KIND_OTHER
        return self._other_ethertype(i, at, end, wire, protocol)

    # In UDP.

    @cython.cfunc
    def _udp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        found: cython.int
        length: cython.Py_ssize_t
        if end - at > 16:
            length = self._u16(at + 4)
            if length >= 8 and at + length < wire:
                wire = at + length
            found = self._in_udp(i, at + 8, end if end < wire else wire, wire, self._u16(at + 2), self._u16(at))
            if found != _NO_TUNNEL:
                return found
        return HeaderReader._udp(self, i, at, end, wire)

    @cython.cfunc
    def _in_udp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        port: cython.int, source: cython.int,
    ) -> cython.int:  # fmt: skip
        """Tunnels by their destination port; the source port spreads flows over paths (RFC 7348 §5, RFC 8926 §3.3)."""
        if end - at < 8:
            return _NO_TUNNEL
        if port == 4789 or port == 8472:  # IANA's port, and Linux's from before
            return self._vxlan(i, at, end, wire, False)
        if port == 4790:
            return self._vxlan(i, at, end, wire, True)
        if port == 6081:
            return self._geneve(i, at, end, wire)
        if port == 2152:
            return self._gtp(i, at, end, wire)
        if port == 1701:
            return self._l2tp(i, at, end, wire)
        if port == 6635:
            if not self._enter(i, _MPLS_IN_UDP, _NO_ID, True):
                return KIND_OTHER
            return self._leave(i, self._mpls(i, at, end, wire))
        if port == 4754:  # RFC 8086
            return self._gre(i, at, end, wire)
        return self._teredo(i, at, end, wire, port == 3544 or source == 3544)

    @cython.cfunc
    def _vxlan(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        generic: cython.bint,
    ) -> cython.int:  # fmt: skip
        """RFC 7348 §5: flags, of which the fifth says that there is a network identifier. `generic`: VXLAN-GPE."""
        flags: cython.int = self.data[at]
        carried: cython.int = self.data[at + 3]
        found: cython.int = KIND_OTHER
        if not flags & 8 or self.data[at + 7] != 0:
            return _NO_TUNNEL
        if not self._enter(i, _VXLAN_GPE if generic else _VXLAN, self._u32(at + 4) >> 8, True):
            return KIND_OTHER
        at += 8
        if not generic or not flags & 4 or carried == 3:  # without the flag GPE is as VXLAN, §3.1 of its draft
            found = self._inner_ethernet(i, at, end, wire)
        elif carried == 1 or carried == 2:
            found = self._ip(i, at, end, wire)
        elif carried == 5:
            found = self._mpls(i, at, end, wire)
        return self._leave(i, found)

    @cython.cfunc
    def _geneve(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 8926 §3.4: version, length of the options in words, EtherType, network identifier."""
        options: cython.Py_ssize_t = (self.data[at] & 0x3F) * 4
        if self.data[at] >> 6 != 0 or self.data[at + 7] != 0:
            return _NO_TUNNEL
        if end - at < 8 + options:
            return KIND_DAMAGED
        if not self._enter(i, _GENEVE, self._u32(at + 4) >> 8, True):
            return KIND_OTHER
        return self._leave(i, self._carried(i, at + 8 + options, end, wire, self._u16(at + 2)))

    @cython.cfunc
    def _gtp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """3GPP TS 29.281 §5.1: version 1, the message type of user data, a length, the tunnel's endpoint."""
        flags: cython.int = self.data[at]
        length: cython.Py_ssize_t = self._u16(at + 2)
        endpoint: cython.longlong = self._u32(at + 4)
        following: cython.int
        count: cython.int = 0
        first: cython.int
        found: cython.int = KIND_OTHER
        if flags >> 5 != 1 or not flags & 0x10 or self.data[at + 1] != 255:
            return _NO_TUNNEL
        at += 8
        if at + length < wire:
            wire = at + length
            if wire < end:
                end = wire
        if flags & 7:  # then all three are there: sequence number, N-PDU number, next extension header
            if end - at < 4:
                return KIND_DAMAGED
            following = self.data[at + 3] if flags & 4 else 0
            at += 4
            while following != 0:  # §5.2.1: its length in words comes first, what follows it last
                if end - at < 4 or self.data[at] == 0 or end - at < self.data[at] * 4 or count == _MOST_EXTENSIONS:
                    return KIND_DAMAGED
                at += self.data[at] * 4
                following = self.data[at - 1]
                count += 1
        if end <= at or not self._enter(i, _GTP_U, endpoint, True):
            return KIND_OTHER
        first = self.data[at] >> 4
        if first == 4 or first == 6:
            found = self._ip(i, at, end, wire)
        elif self._is_ethernet(at, end):
            found = self._inner_ethernet(i, at, end, wire)
        return self._leave(i, found)

    @cython.cfunc
    def _l2tp(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t
    ) -> cython.int:
        """RFC 2661 §3.1: flags and version, optional length, tunnel, session, optional numbers and padding."""
        flags: cython.int = self._u16(at)
        session: cython.longlong
        if flags & 0xF != 2 or flags & 0x8000:  # not version 2, or a control message
            return _NO_TUNNEL
        at += 4 if flags & 0x4000 else 2
        if end - at < 12:
            return KIND_DAMAGED
        session = self._u16(at + 2)
        at += 4
        if flags & 0x0800:
            at += 4
        if flags & 0x0200:
            at += 2 + self._u16(at)
        if not self._enter(i, _L2TP, session, True):
            return KIND_OTHER
        return self._leave(i, self._ppp(i, at, end, wire))

    @cython.cfunc
    def _teredo(
        self, i: cython.Py_ssize_t, at: cython.Py_ssize_t, end: cython.Py_ssize_t, wire: cython.Py_ssize_t,
        port: cython.bint,
    ) -> cython.int:  # fmt: skip
        """RFC 4380 §5.1.1: IPv6, perhaps behind authentication and origin. `port`: one of the two is Teredo's.

        Between client and relay neither port is known: then length and prefix must fit.
        """
        if self.data[at] == 0 and port:
            if self.data[at + 1] == 1:
                at += 13 + self.data[at + 2] + self.data[at + 3]
            if end - at >= 8 and self._u16(at) == 0:
                at += 8
        if end - at < 40 or self.data[at] >> 4 != 6 or self._u16(at + 4) != wire - at - 40:
            return _NO_TUNNEL
        if not port and self._u32(at + 8) != _TEREDO_PREFIX and self._u32(at + 24) != _TEREDO_PREFIX:
            return _NO_TUNNEL
        if not self._enter(i, _TEREDO, _NO_ID, True):
            return KIND_OTHER
        return self._leave(i, self._ipv6(i, at, end, wire))
