"""Headers around a segment: link layers and tunnels, one of each kind."""

from __future__ import annotations

import struct

from tests.conversations import ip, tcp
from tests.dissector.frames import CLIENT, CLIENT6, ETHERNET, SERVER, SERVER6

ENDS, ENDS6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8:1::1", "2001:db8:1::2")
SEGMENT = tcp(40000, 80, 1000, 2000, 0x18, window=512, payload=b"hello")
V4 = ip(CLIENT, SERVER, 6, SEGMENT)
V6 = ip(CLIENT6, SERVER6, 6, SEGMENT)
FRAME = ETHERNET + b"\x08\0" + V4
SNAP = b"\xaa\xaa\3\0\0\0\x08\0" + V4
# Link types beyond those of headers.py.
OTHER_LINKS = (6, 9, 10, 50, 51, 100, 104, 105, 107, 109, 117, 119, 127, 138, 163, 166, 192, 204, 219, 239)


def outer(protocol: int, payload: bytes, *, six: bool = False, back: bool = False) -> bytes:
    """An IP packet between the tunnel's ends; `back`: from the second one."""
    one, other = (ENDS6 if six else ENDS)[:: -1 if back else 1]
    return ip(one, other, protocol, payload)


def udp(port: int, payload: bytes, source: int = 50000) -> bytes:
    return struct.pack("!HHHH", source, port, 8 + len(payload), 0) + payload


def mpls(*labels: int) -> bytes:
    return b"".join(struct.pack("!I", one << 12 | (one == labels[-1]) << 8 | 64) for one in labels)


def wireless(kind: int = 8, flags: int = 1, more: bytes = b"", payload: bytes = SNAP, sequence: int = 0) -> bytes:
    """An IEEE 802.11 data frame; `more`: what follows its sequence number."""
    return bytes([kind, flags]) + bytes(2) + bytes(18) + struct.pack("<H", sequence) + more + payload


def amsdu(*packets: bytes) -> bytes:
    """Subframes, padded to four bytes."""
    subframes = [ETHERNET + struct.pack("!H", len(packet)) + packet for packet in packets]
    return wireless(0x88, 1, b"\x80\0", b"".join(one + bytes(-len(one) % 4) for one in subframes))


RADIOTAP = struct.pack("<BBHIQBx", 0, 0, 18, 3, 7, 0x10)

# Frames with the segment in them, by link type.
LINKS = {
    "PPP": (9, b"\xff\3\0\x21" + V4),
    "PPP, IPv6": (9, b"\xff\3\0\x57" + V6),
    "PPP without address, short protocol": (9, b"\x21" + V4),
    "PPP, MPLS": (9, b"\xff\3\2\x81" + mpls(5) + V4),
    "PPP_HDLC": (50, b"\xff\3\0\x21" + V4),
    "PPP_HDLC by Cisco": (50, b"\x0f\0\x08\0" + V4),
    "PPP that is Cisco's HDLC": (9, b"\x8f\0\x86\xdd" + V6),
    "PPP_ETHER": (51, struct.pack("!BBHHH", 0x11, 0, 7, len(V4) + 2, 0x21) + V4),
    "PPP_WITH_DIR": (204, b"\1\xff\3\0\x21" + V4),
    "PPP_PPPD": (166, b"\1\3\0\x21" + V4),
    "C_HDLC": (104, b"\x0f\0\x08\0" + V4),
    "Frame Relay": (107, b"\x18\x41\3\xcc" + V4),
    "Frame Relay, padded, SNAP": (107, b"\x18\x41\3\0\x80\0\0\0\x08\0" + V4),
    "Frame Relay by Cisco": (107, b"\x18\x41\x08\0" + V4),
    "FDDI": (10, bytes(13) + SNAP),
    "token ring": (6, bytes(14) + SNAP),
    "token ring with a route": (6, bytes(8) + b"\x80" + bytes(5) + b"\6" + bytes(5) + SNAP),
    "ATM": (100, SNAP),
    "FireWire": (138, bytes(16) + b"\x08\0" + V4),
    "ENC, little-endian": (109, b"\2\0\0\0" + bytes(8) + V4),
    "ENC, big-endian": (109, b"\0\0\0\x18" + bytes(8) + V6),
    "PFLOG": (117, b"\x3d\2" + bytes(62) + V4),
    "MPLS": (219, mpls(5) + V4),
    "NFLOG": (239, b"\2\0\0\0" + b"\5\0\x01\0x\0\0\0" + struct.pack("<HH", len(V4) + 4, 9) + V4),
    "802.3": (1, ETHERNET + struct.pack("!H", len(SNAP)) + SNAP + bytes(3)),
    "802.3, tagged": (1, ETHERNET + b"\x81\0\0\5" + struct.pack("!H", len(SNAP)) + SNAP),
    "802.3, IP in LLC": (1, ETHERNET + struct.pack("!H", len(V4) + 3) + b"\6\6\3" + V4),
    "802.3, large": (1, ETHERNET + b"\x88\x70" + SNAP),
    "802.3, bridges": (1, ETHERNET + struct.pack("!H", len(SNAP)) + b"\xaa\xaa\3\0\0\xf8\x08\0" + V4),
    "cooked, 802.2": (113, bytes(14) + b"\0\4" + SNAP),
    "802.11": (105, wireless()),
    "802.11, QoS": (105, wireless(0x88, 2, b"\0\0")),
    "802.11, QoS, HT control": (105, wireless(0x88, 0x82, bytes(6))),
    "802.11, four addresses": (105, wireless(8, 3, bytes(6))),
    "802.11, decrypted": (105, wireless(8, 0x41)),
    "radiotap": (127, RADIOTAP + wireless() + b"\xff" * 4),
    "radiotap, more words, padding": (
        127, struct.pack("<BBHII4xQB3x", 0, 0, 28, 1 << 31 | 3, 0, 7, 0x20) + wireless(0x88, 1, b"\0\0\0\0")
    ),
    "Prism": (119, struct.pack("<II", 0x44, 144) + bytes(136) + wireless()),
    "AVS": (163, struct.pack("!II", 0x80211001, 64) + bytes(56) + wireless()),
    "PPI": (192, struct.pack("<BBHI", 0, 0, 8, 105) + wireless()),
    "PPI, Ethernet": (192, struct.pack("<BBHI", 0, 0, 8, 1) + FRAME),
}  # fmt: skip

_GTP = struct.pack("!BBHI", 0x30, 255, len(V4), 9) + V4
_GTP_EXTENDED = struct.pack("!BBHIHBB", 0x34, 255, len(V4) + 8, 9, 0, 0, 0x85) + b"\1\x10\5\0" + V4
_TEREDO6 = ip("2001:0:1::1", SERVER6, 6, SEGMENT)

# IP packets with the segment in a tunnel, and what is said of the headers around it: (kind, id).
TUNNELS = {
    "4in4": (101, outer(4, V4)),
    "6in4": (101, outer(41, V6)),
    "4in6": (101, outer(4, V4, six=True)),
    "6in6": (101, outer(41, V6, six=True)),
    "6to4": (101, outer(41, ip("2002:c000:201::1", SERVER6, 6, SEGMENT))),
    "etherip": (101, outer(97, b"\x30\0" + FRAME)),
    "gre": (101, outer(47, b"\0\0\x08\0" + V4)),
    "gre 7": (101, outer(47, b"\xb0\0\x65\x58" + bytes(4) + b"\0\0\0\7" + bytes(4) + FRAME)),
    "gre 8": (101, outer(17, udp(4754, b"\x20\0\x86\xdd\0\0\0\x08" + V6))),
    "gre 9": (101, outer(47, b"\x60\0\x88\x3e" + bytes(4) + b"\0\0\0\x09" + bytes(2) + b"\0\0" + bytes(4) + V4)),
    "pptp 3": (101, outer(47, b"\x30\x81\x88\x0b\0\0\0\3" + bytes(8) + b"\xff\3\0\x21" + V4)),
    "erspan-i": (101, outer(47, b"\0\0\x88\xbe" + FRAME)),
    "erspan-ii 5": (101, outer(47, b"\x10\0\x88\xbe\0\0\0\1" + struct.pack("!HHI", 0x1001, 5, 0) + FRAME)),
    "erspan-iii 6": (101, outer(47, b"\x10\0\x22\xeb\0\0\0\1" + struct.pack("!HHII", 0x2001, 6, 0, 0) + FRAME)),
    "erspan-iii 7": (101, outer(47, b"\x10\0\x22\xeb\0\0\0\1" + struct.pack("!HHIIQ", 0x2001, 7, 0, 1, 0) + FRAME)),
    "erspan-iii 8": (101, outer(47, b"\x10\0\x22\xeb\0\0\0\1" + struct.pack("!HHIHH", 0x2001, 8, 0, 0, 2 << 10) + V4)),
    "vxlan 42": (101, outer(17, udp(4789, struct.pack("!II", 8 << 24, 42 << 8) + FRAME))),
    "vxlan 43": (101, outer(17, udp(8472, struct.pack("!II", 8 << 24, 43 << 8) + FRAME))),
    "vxlan-gpe 44": (101, outer(17, udp(4790, struct.pack("!II", 12 << 24 | 2, 44 << 8) + V6))),
    "vxlan-gpe 45": (101, outer(17, udp(4790, struct.pack("!II", 12 << 24 | 3, 45 << 8) + FRAME))),
    "vxlan 46, vlan 5": (
        101, outer(17, udp(4789, struct.pack("!II", 8 << 24, 46 << 8) + ETHERNET + b"\x81\0\0\5\x08\0" + V4))
    ),
    "geneve 47": (101, outer(17, udp(6081, struct.pack("!BBHI", 2, 0, 0x6558, 47 << 8) + bytes(8) + FRAME))),
    "geneve 48": (101, outer(17, udp(6081, struct.pack("!BBHI", 0, 0, 0x86DD, 48 << 8) + V6))),
    "gtp-u 9": (101, outer(17, udp(2152, _GTP, 2152))),
    "gtp-u 9, extended": (101, outer(17, udp(2152, _GTP_EXTENDED))),
    "teredo": (101, outer(17, udp(3544, V6))),
    "teredo, between peers": (101, outer(17, udp(60000, _TEREDO6))),
    "teredo, with origin and authentication": (
        101, outer(17, udp(50001, b"\0\1\0\0" + bytes(9) + b"\0\0" + bytes(6) + V6, 3544))
    ),
    "mpls-in-udp, mpls 5": (101, outer(17, udp(6635, mpls(5) + V4))),
    "mpls-in-ip, mpls 5, mpls 6": (101, outer(137, mpls(5, 6) + V6)),
    "l2tp 4": (101, outer(17, udp(1701, struct.pack("!HHHHHH", 0x4A02, 0, 3, 4, 0, 0)
                                  + b"\0\2zz\xff\3\0\x21" + V4))),
    "mpls 5": (1, ETHERNET + b"\x88\x47" + mpls(5) + V4),
    "mpls 5, pseudowire": (1, ETHERNET + b"\x88\x47" + mpls(5) + b"\2" + bytes(11) + b"\x08\0" + V4),
    "mpls 6, pseudowire": (1, ETHERNET + b"\x88\x48" + mpls(6) + bytes(4) + FRAME),
    "mpls 7, pseudowire": (1, ETHERNET + b"\x88\x47" + mpls(7) + b"\x46" + bytes(11) + b"\x08\0" + V4),
    "mpls 0": (1, ETHERNET + b"\x88\x47" + mpls(0) + V4),
    "pppoe 7": (1, ETHERNET + b"\x88\x64" + struct.pack("!BBHHH", 0x11, 0, 7, len(V4) + 2, 0x21) + V4 + bytes(5)),
    "pbb 9": (1, ETHERNET + b"\x88\xe7\0\0\0\x09" + FRAME),
    "fabricpath": (1, ETHERNET + b"\x89\3\0\x40" + FRAME),
    "vn-tag, vlan 5": (1, ETHERNET + b"\x89\x26" + bytes(4) + b"\x81\0\0\5\x08\0" + V4),
    "e-tag": (1, ETHERNET + b"\x89\x3f" + bytes(6) + b"\x86\xdd" + V6),
}  # fmt: skip
