"""The headers around a packet that came in a tunnel: what they are, and which of them tell connections apart."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

# Headers around one packet: labels, tags and tunnels together. The real world is content with five.
MOST_LAYERS = 16
# Different ones that are remembered; what comes in further ones is told apart, and its tunnel is not named.
MOST_ENCAPSULATIONS = 65_536

# Words of a header in a path: its kind | the IP version of its addresses << 8, its id, two addresses of two words.
LAYER_WORDS = 6
NO_ID = (1 << 64) - 1


class Header(NamedTuple):
    """A kind of header. Some ids count in one direction only, and some addresses differ between the two directions of
    a connection: these cannot tell connections apart."""

    name: str
    addresses: bool = True  # those of the IP header before it tell connections apart
    id: bool = True
    shown: bool = True  # it has addresses at all


def _plain(name: str, *, id: bool = False) -> Header:
    """A header that has no addresses of its own."""
    return Header(name, addresses=False, id=id, shown=False)


HEADERS = (
    _plain("vlan"),  # IEEE 802.1Q, inside something else
    _plain("mpls"),  # RFC 3032; label-switched paths have one direction, RFC 3031 §3.1
    _plain("pseudowire"),  # Ethernet in MPLS, RFC 4448
    _plain("pppoe", id=True),  # RFC 2516
    _plain("pbb", id=True),  # IEEE 802.1ah: its service instance
    Header("4in4"),  # RFC 2003
    Header("6in4"),  # RFC 4213
    Header("4in6"),  # RFC 2473
    Header("6in6"),
    Header("6to4", addresses=False),  # RFC 3056: the way back may lead through another relay
    Header("etherip"),  # RFC 3378
    Header("gre"),  # RFC 2784; its key: RFC 2890
    Header("pptp", id=False),  # RFC 2637: enhanced GRE; the call id is the receiver's
    Header("erspan-i"),
    Header("erspan-ii"),  # draft-foschiano-erspan §4.2; its session
    Header("erspan-iii"),
    Header("vxlan"),  # RFC 7348
    Header("vxlan-gpe"),  # draft-ietf-nvo3-vxlan-gpe
    Header("geneve"),  # RFC 8926
    Header("gtp-u", id=False),  # 3GPP TS 29.281; the tunnel endpoint id is the receiver's
    Header("teredo", addresses=False),  # RFC 4380: server and relays differ
    Header("mpls-in-udp"),  # RFC 7510
    Header("mpls-in-ip"),  # RFC 4023
    Header("l2tp", id=False),  # RFC 2661; the session id is the receiver's
    _plain("fabricpath"),  # Cisco's
    _plain("vn-tag"),  # Cisco's, before IEEE 802.1BR
    _plain("e-tag"),  # IEEE 802.1BR
)

# As in `tunnels.py`.
(VLAN, MPLS, PSEUDOWIRE, PPPOE, PBB, IP4_IN_4, IP6_IN_4, IP4_IN_6, IP6_IN_6, SIX_TO_FOUR, ETHERIP, GRE, PPTP, ERSPAN_1,
 ERSPAN_2, ERSPAN_3, VXLAN, VXLAN_GPE, GENEVE, GTP_U, TEREDO, MPLS_IN_UDP, MPLS_IN_IP, L2TP,
 FABRICPATH, VN_TAG, E_TAG) = range(len(HEADERS))  # fmt: skip

# Numbers of an encapsulation: no tunnel, and one of those beyond MOST_ENCAPSULATIONS.
NONE, UNLISTED = 0, 1


class Layer(NamedTuple):
    """A header around a packet. `source` and `destination`: upper and lower half of its IP addresses."""

    kind: int  # of HEADERS
    id: int | None
    family: int  # of the addresses; 0: none
    source: tuple[int, int]
    destination: tuple[int, int]


class Encapsulations:
    """The paths of headers that packets of a capture came in, each with a number.

    `vlan_key`: VLAN ids inside tunnels tell connections apart.
    """

    def __init__(self, vlan_key: bool = False):
        self.unlisted = 0  # packets
        self._vlan_key = vlan_key
        self._known: dict[bytes, int] = {}
        self._paths: list[bytes] = [b"", b""]  # by number
        self._keys: dict[bytes, int] = {b"": 0}

    def find(self, path: bytes) -> int:
        """A path of headers, LAYER_WORDS native words each: its number, and above 32 bits that of its tunnel.

        The tunnel is what tells connections apart, 0: nothing of it does. It is below 2**27.
        """
        found = self._known.get(path)
        if found is not None:
            return found
        key = b"".join(self._key(layer) for layer in _layers(path))
        tunnel = self._keys.get(key)
        if len(self._known) >= MOST_ENCAPSULATIONS:
            self.unlisted += 1
            if tunnel is None:  # Python's hash is keyed anew in every process
                tunnel = MOST_ENCAPSULATIONS + (hash(key) & (1 << 26) - 1)
            return tunnel << 32 | UNLISTED
        if tunnel is None:
            tunnel = self._keys[key] = len(self._keys)
        found = self._known[path] = tunnel << 32 | len(self._paths)
        self._paths.append(path)
        return found

    def layers(self, number: int) -> list[Layer]:
        """The headers of a path, the outermost first; none for NONE and UNLISTED."""
        return list(_layers(self._paths[number]))

    def _key(self, layer: Layer) -> bytes:
        """The same for both directions."""
        kind = HEADERS[layer.kind]
        if not (kind.id or kind.shown or (layer.kind == VLAN and self._vlan_key)):
            return b""
        number = layer.id if (kind.id or layer.kind == VLAN) and layer.id is not None else NO_ID
        ends = sorted((layer.source, layer.destination)) if kind.addresses else ((0, 0), (0, 0))
        return struct.pack("=6Q", layer.kind, number, *ends[0], *ends[1])


def _layers(path: bytes) -> Iterator[Layer]:
    for word, number, *addresses in struct.iter_unpack(f"={LAYER_WORDS}Q", path):
        a, b, c, d = addresses
        yield Layer(word & 0xFF, None if number == NO_ID else number, word >> 8, (a, b), (c, d))
