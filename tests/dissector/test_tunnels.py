"""Link layers and tunnels around a segment: it is found, and what stands around it is said."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector import encapsulation
from analyzer.dissector.encapsulation import HEADERS, UNLISTED, Encapsulations
from analyzer.dissector.layout import *
from analyzer.dissector.packets import PacketTable
from analyzer.dissector.reader import PacketReader
from tests.conversations import ip, tcp
from tests.dissector.frames import CLIENT, ETHERNET, SERVER, frames
from tests.dissector.wrappers import FRAME, LINKS, SEGMENT, SNAP, TUNNELS, V4, V6, amsdu, mpls, outer, udp, wireless


def rows(*packets: bytes, link_type: int = 101, reader: PacketReader | None = None, original: int | None = None):
    """What the reader makes of these frames, and the reader."""
    table, reader = PacketTable(), reader or PacketReader()
    reader.read(frames(list(packets), link_type, None if original is None else [original] * len(packets)), table)
    columns = {name: column.tolist() for name, column in table.columns().items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], reader, table


def around(reader: PacketReader, row: dict) -> str:
    layers = reader.encapsulations.layers(row["encapsulation"])
    return ", ".join(HEADERS[one.kind].name + ("" if one.id is None else f" {one.id}") for one in layers)


def tunnel(row: dict) -> int:
    return row["family"] >> 4


@pytest.mark.parametrize("what", LINKS)
def test_every_link_layer_leads_to_the_segment(what):
    link_type, packet = LINKS[what]
    (row,), reader, table = rows(packet, link_type=link_type)
    assert (row["kind"], row["sequence"], row["payload"], row["payload_captured"]) == (KIND_TCP, 1000, 5, 5)
    assert bytes(table.data[row["payload_offset"] :][:5]) == b"hello"
    assert tunnel(row) == ("PPP_ETHER" in what)
    assert around(reader, row) == {"PPP_ETHER": "pppoe 7", "PPP, MPLS": "mpls 5", "MPLS": "mpls 5"}.get(what, "")


@pytest.mark.parametrize("what", TUNNELS)
def test_every_tunnel_is_said(what):
    link_type, packet = TUNNELS[what]
    (row,), reader, table = rows(packet, link_type=link_type)
    assert (row["kind"], row["sequence"], row["payload"]) == (KIND_TCP, 1000, 5)
    assert bytes(table.data[row["payload_offset"] :][:5]) == b"hello"
    names = [name for name in what.split(", ") if name.split()[0] in {kind.name for kind in HEADERS}]
    assert around(reader, row) == ", ".join(names)


@pytest.mark.parametrize("what", [*LINKS, *TUNNELS])
def test_cut_at_every_byte_it_is_damage_or_less(what):
    link_type, packet = (LINKS | TUNNELS)[what]
    for length in range(len(packet)):
        for original in (None, len(packet)):
            (row, *_), _, _ = rows(packet[:length], link_type=link_type, original=original)
            if row["kind"] == KIND_TCP:
                assert row["payload_offset"] + row["payload_captured"] <= length


def test_both_directions_are_in_the_same_tunnel():
    for kind in ("gre", "vxlan"):
        inside = b"\0\0\x08\0" + V4 if kind == "gre" else udp(4789, struct.pack("!II", 8 << 24, 42 << 8) + FRAME)
        protocol = 47 if kind == "gre" else 17
        (there, back), _, _ = rows(outer(protocol, inside), outer(protocol, inside, back=True))
        assert tunnel(there) == tunnel(back) != 0
        assert there["encapsulation"] != back["encapsulation"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (outer(47, b"\x20\0\x08\0\0\0\0\1" + V4), outer(47, b"\x20\0\x08\0\0\0\0\2" + V4)),
        (outer(47, b"\0\0\x08\0" + V4), outer(47, b"\x20\0\x08\0\0\0\0\0" + V4)),
        (outer(4, V4), ip("192.0.2.1", "192.0.2.3", 4, V4)),
        (outer(4, V4), outer(4, V4, six=True)),
        (outer(4, V4), V4),
        (outer(4, outer(4, V4)), outer(4, V4)),
    ],
    ids=["keys", "no key and key 0", "ends", "versions", "none", "nesting"],
)
def test_different_tunnels_are_told_apart(one, other):
    (first, second), _, _ = rows(one, other)
    assert tunnel(first) != tunnel(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (outer(17, udp(2152, struct.pack("!BBHI", 0x30, 255, len(V4), 1) + V4)),
         outer(17, udp(2152, struct.pack("!BBHI", 0x30, 255, len(V4), 2) + V4), back=True)),
        (outer(41, ip("2002::1", "2001:db8::1", 6, SEGMENT)), ip("192.88.99.1", "192.0.2.1", 41,
                                                                  ip("2001:db8::1", "2002::1", 6, SEGMENT))),
        (outer(17, udp(3544, V6)), ip("192.0.2.7", "192.0.2.2", 17, udp(3544, V6))),
    ],
    ids=["GTP-U endpoints", "6to4 relays", "Teredo relays"],
)  # fmt: skip
def test_what_has_one_direction_does_not_count(one, other):
    (first, second), _, _ = rows(one, other)
    assert tunnel(first) == tunnel(second) != 0


def test_labels_do_not_count():
    (there, back, bare), reader, _ = rows(
        *(ETHERNET + b"\x88\x47" + mpls(one) + V4 for one in (5, 6)), FRAME, link_type=1
    )
    assert tunnel(there) == tunnel(back) == tunnel(bare) == 0
    assert [around(reader, row) for row in (there, back, bare)] == ["mpls 5", "mpls 6", ""]


@pytest.mark.parametrize("vlan_key", [False, True])
def test_vlans_inside_count_if_that_is_wanted(vlan_key):
    def tagged(vlan):
        frame = ETHERNET + struct.pack("!HH", 0x8100, vlan) + b"\x08\0" + V4
        return outer(17, udp(4789, struct.pack("!II", 8 << 24, 42 << 8) + frame))

    (one, other), _, _ = rows(tagged(1), tagged(2), reader=PacketReader(vlan_key))
    assert (tunnel(one) != tunnel(other)) == vlan_key
    assert one["vlan"] == 0


def test_sixteen_headers_and_no_more():
    packet = V4
    for _ in range(16):
        packet = outer(4, packet)
    (whole, deeper), reader, _ = rows(packet, outer(4, packet))
    assert (whole["kind"], deeper["kind"]) == (KIND_TCP, KIND_OTHER)
    assert len(reader.encapsulations.layers(whole["encapsulation"])) == 16
    assert (reader.too_deep, reader.too_deep_packet) == (1, 2)


@pytest.mark.parametrize(
    ("unit", "link_type"),
    [
        (b"\xaa\xaa\3\0\0\0\x81\0\0\5\0\0", 100),
        (b"\xaa\xaa\3\0\x80\xc2\0\7\0\0" + bytes(12) + b"\0\0", 100),
        (struct.pack("<BBHI", 0, 0, 8, 192), 192),
        (b"\0\0\0\0", 219),
        (b"\x30\0" + bytes(12) + b"\x88\x47\0\0\1\0", 101),
    ],
)
def test_nobody_exhausts_the_stack(unit, link_type):
    (row,), _, _ = rows(unit * 100_000, link_type=link_type)
    assert row["kind"] in (KIND_OTHER, KIND_DAMAGED)


@pytest.mark.parametrize(
    "datagram",
    [
        udp(4789, b"\0" * 8 + FRAME),  # without network
        udp(6081, b"\x40" + bytes(7) + FRAME),  # version 1
        udp(2152, b"\x30\1" + bytes(6) + V4),  # an echo request
        udp(2152, b"\x10\xff" + bytes(6) + V4),  # GTP'
        udp(1701, b"\xc8\2" + bytes(18) + V4),  # a control message
        udp(60000, V6),  # IPv6 that is not Teredo's
    ],
)
def test_a_port_alone_makes_no_tunnel(datagram):
    (row,), _, _ = rows(outer(17, datagram))
    assert row["kind"] == KIND_UDP


def test_what_is_inside_is_counted():
    inside = ip(CLIENT, SERVER, 17, udp(53, b"question"))
    (question, arp), _, _ = rows(
        outer(4, inside), outer(17, udp(4789, struct.pack("!II", 8 << 24, 0) + ETHERNET + b"\x08\6" + bytes(28)))
    )
    assert (question["kind"], arp["kind"]) == (KIND_UDP, KIND_OTHER)


class TestIcmp:
    def error(self, quote: bytes) -> dict:
        (row,), reader, _ = rows(ip("198.51.100.1", "192.0.2.1", 1, struct.pack("!BBHHH", 3, 4, 0, 0, 1400) + quote))
        row["around"] = around(reader, row)
        return row

    @pytest.mark.parametrize("what", ["vxlan 42", "gre 7", "6in4", "gtp-u 9"])
    def test_what_is_quoted_may_be_in_a_tunnel(self, what):
        row = self.error(TUNNELS[what][1])
        assert (row["kind"], row["sequence"], row["around"]) == (KIND_ICMP_ERROR, 1000, what)
        assert (row["window"], row["acknowledgement"]) == (3 << 8 | 4, 1400)

    def test_an_error_inside_a_tunnel(self):
        error = ip(SERVER, CLIENT, 1, struct.pack("!BBHI", 11, 0, 0, 0) + V4[:28])
        (row,), reader, _ = rows(outer(47, b"\0\0\x08\0" + error))
        assert (row["kind"], row["payload"], around(reader, row)) == (KIND_ICMP_ERROR, 8, "gre")

    def test_padding_behind_the_quote_is_no_header(self):  # RFC 4884 §5.1
        assert self.error(V4[:28] + bytes(100))["payload"] == 8

    def test_the_first_fragment_may_be_quoted(self):
        quote = bytearray(V4)
        quote[6:8] = b"\x20\0"
        assert self.error(bytes(quote))["sequence"] == 1000
        quote[6:8] = b"\x20\1"
        assert self.error(bytes(quote))["kind"] == KIND_ICMP

    def test_an_error_about_an_error_is_none(self):
        error = ip(SERVER, CLIENT, 1, struct.pack("!BBHI", 3, 1, 0, 0) + V4)
        assert self.error(error)["kind"] == KIND_ICMP

    def test_the_mtu_of_ipv6(self):
        message = struct.pack("!BBHI", 2, 0, 0, 1280) + V6
        (row,), _, _ = rows(ip("2001:db8::fe", "2001:db8::1", 58, message))
        assert (row["kind"], row["flags"], row["acknowledgement"]) == (KIND_ICMP_ERROR, 0, 1280)


class TestWireless:
    def test_each_packet_of_an_aggregate_has_a_row(self):
        other = b"\xaa\xaa\3\0\0\0\x08\0" + ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 16, payload=b"x"))
        found, _, _ = rows(amsdu(SNAP, other), amsdu(other, b"\xaa\xaa\3\0\0\0\x08\6", SNAP), link_type=105)
        assert [(row["number"], row["kind"], row["sequence"]) for row in found if row["kind"] == KIND_TCP] == [
            (1, KIND_TCP, 1000), (1, KIND_TCP, 3), (2, KIND_TCP, 3), (2, KIND_TCP, 1000)
        ]  # fmt: skip

    def test_a_chunk_full_of_them(self):
        found, _, table = rows(*[amsdu(*[SNAP] * 30)] * 40, link_type=105)
        assert len(found) == 1200
        assert (table.count, table.frames) == (1200, 40)

    @pytest.mark.parametrize(
        ("frame", "kind"),
        [
            (wireless(8, 0x41, payload=bytes([1, 0, 0, 0x20]) + SNAP), KIND_PROTECTED),
            (wireless(0x88, 0x41, b"\x80\0", payload=SNAP), KIND_PROTECTED),
            (wireless(8, 5), KIND_FRAGMENT),
            (wireless(8, 1, sequence=1), KIND_FRAGMENT),
            (wireless(0x48, 1), KIND_OTHER),
            (wireless(0x80, 0), KIND_OTHER),
            (wireless(0xB4, 0), KIND_OTHER),
        ],
        ids=["encrypted", "encrypted aggregate", "first fragment", "last fragment", "no data", "beacon", "control"],
    )
    def test_frames_without_a_packet_to_read(self, frame, kind):
        assert rows(frame, link_type=105)[0][0]["kind"] == kind

    def test_a_frame_that_failed_its_check_sequence(self):
        assert rows(struct.pack("<BBHIBx", 0, 0, 10, 2, 0x40) + wireless(), link_type=127)[0][0]["kind"] == KIND_DAMAGED


def test_beyond_the_limit_tunnels_are_told_apart_and_not_named(monkeypatch):
    monkeypatch.setattr(encapsulation, "MOST_ENCAPSULATIONS", 3)
    known = Encapsulations()
    layer = struct.Struct("=6Q")
    found = [known.find(layer.pack(encapsulation.GRE | 4 << 8, key, 0, 1, 0, 2)) for key in range(20)]
    assert len({both >> 32 for both in found}) == 20
    assert [both & 0xFFFFFFFF for both in found] == [2, 3, 4, *[UNLISTED] * 17]
    assert all(both >> 32 < 1 << 27 for both in found)
    assert known.unlisted == 17
    assert known.layers(UNLISTED) == []
    # The way back is in the same tunnel, known or not.
    assert known.find(layer.pack(encapsulation.GRE | 4 << 8, 19, 0, 2, 0, 1)) == found[19]
    assert known.find(layer.pack(encapsulation.GRE | 4 << 8, 0, 0, 2, 0, 1)) >> 32 == found[0] >> 32


WRAPPERS = [
    lambda inner: outer(4, inner),
    lambda inner: outer(4, inner, six=True, back=True),
    lambda inner: outer(47, b"\0\0\x08\0" + inner),
    lambda inner: outer(137, mpls(5, 6) + inner),
    lambda inner: outer(17, udp(4789, struct.pack("!II", 8 << 24, 42 << 8) + ETHERNET + b"\x08\0" + inner)),
]


@given(st.lists(st.sampled_from(WRAPPERS), max_size=5))
def test_tunnels_in_any_order(wrappers):
    packet = V4
    for wrap in wrappers:
        # Outside of an IPv6 packet only what carries it.
        packet = wrap(packet) if packet[0] >> 4 == 4 else outer(41, packet)
    (row,), reader, _ = rows(packet)
    assert (row["kind"], row["sequence"], row["payload"]) == (KIND_TCP, 1000, 5)
    assert len(reader.encapsulations.layers(row["encapsulation"])) >= len(wrappers)
