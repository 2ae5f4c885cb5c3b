"""Checksums of TCP and IPv4: which are wrong, which were left to the network card, and what becomes of the segments."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrRouting, fragment6
from scapy.layers.l2 import GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from tests.capture.builders import NANO, Packet, pcap
from tests.cases import capture_of, report_of
from tests.conversations import report

IP_HEADER, TCP_CHECKSUM = 20, 36  # in a raw IPv4 packet


def syn(payload: bytes = b"", six: bool = False) -> bytes:
    network = IPv6(src="2001:db8::1", dst="2001:db8::2") if six else IP(src="10.0.0.1", dst="10.0.0.2")
    return bytes(network / TCP(sport=40000, dport=80, flags="S", seq=7) / Raw(payload))


def counted(*packets: bytes | Packet, checksums: str = "count"):
    frames = [one if isinstance(one, Packet) else Packet(one, i) for i, one in enumerate(packets)]
    (connection,) = report(pcap(*frames, magic=NANO, link_type=101), checksums=checksums)
    return connection.notes.bad_checksums, connection.notes.unfilled_checksums


def flipped(packet: bytes, at: int, bit: int = 1) -> bytes:
    return packet[:at] + bytes([packet[at] ^ bit]) + packet[at + 1 :]


def unfilled(packet: bytes, length: int) -> bytes:
    """As Linux leaves it to the card: the sum of the pseudo-header."""
    words = [int.from_bytes(packet[at : at + 2], "big") for at in range(12, 20, 2)] + [6, length]
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:TCP_CHECKSUM] + total.to_bytes(2, "big") + packet[TCP_CHECKSUM + 2 :]


@settings(deadline=None)  # scapy is slow the first time
@given(st.binary(max_size=300), st.booleans())
def test_what_scapy_computes_is_right(payload, six):
    assert counted(syn(payload, six)) == (0, 0)


@settings(deadline=None)
@given(st.binary(max_size=60), st.data())
def test_any_bit_the_other_way_round_is_noticed(payload, data):
    packet = syn(payload)
    # Not the ports, the header's lengths or the protocol: that would be another connection, or none.
    at = data.draw(st.sampled_from([8, *range(24, 32), *range(34, len(packet))]))
    assert counted(flipped(packet, at, 1 << data.draw(st.integers(0, 7)))) == (1, 0)


def test_nobody_looks_unless_asked():
    (connection,) = report(pcap(Packet(flipped(syn(), 40 - 1)), magic=NANO, link_type=101))
    assert (connection.notes.bad_checksums, connection.notes.unfilled_checksums) == (None, None)


def test_left_to_the_network_card():
    assert counted(unfilled(syn(b"hello"), 25)) == (0, 1)
    no_header_checksum = syn()[:10] + b"\0\0" + syn()[12:]
    assert counted(no_header_checksum) == (0, 1)


def test_cut_segments_cannot_be_told():
    packet = flipped(syn(b"hello"), 42)
    assert counted(Packet(packet[:-1], 0, len(packet))) == (0, 0)


def test_a_routing_header_hides_the_destination():  # RFC 8200 §8.1
    routing = IPv6ExtHdrRouting(addresses=["2001:db8::3"], segleft=1)
    packet = bytes(IPv6(src="2001:db8::1", dst="2001:db8::2") / routing / TCP(sport=1, dport=2, flags="S"))
    assert counted(flipped(packet, len(packet) - 1)) == (0, 0)


def test_a_segment_with_a_wrong_checksum_is_left_out():
    right, wrong = syn(), flipped(syn(b"x" * 10), 45)
    (connection,) = report(pcap(Packet(right, 0), Packet(wrong, 1), magic=NANO, link_type=101), checksums="verify")
    assert (connection.packets.client, connection.last_packet, connection.notes.bad_checksums) == (1, 1, 1)
    assert counted(right, unfilled(syn(), 20), checksums="verify") == (0, 1)


def test_a_connection_of_nothing_else_is_none():
    capture = pcap(Packet(flipped(syn(), 39), 0), magic=NANO, link_type=101)
    assert report(capture, checksums="verify") == []


@pytest.mark.parametrize(("how", "packets", "holes", "left_out"), [("count", 7, 0, 0), ("verify", 6, 1, 1)])
def test_a_segment_damaged_on_the_way(how, packets, holes, left_out):
    (connection,), totals, _ = report_of(capture_of("traffic/corrupted"), checksums=how)
    assert (connection.notes.bad_checksums, connection.notes.unfilled_checksums) == (1, 0)
    assert (connection.packets.server, connection.notes.lost_segments) == (packets, holes)
    assert connection.notes.uncaptured_bytes == 0
    assert (totals["bad_checksums"], totals["left_out"]) == (1, left_out)


@pytest.mark.parametrize("how", ["count", "verify"])
def test_offload_is_not_damage(how):
    (connection,), totals, _ = report_of(capture_of("traffic/checksum-offload"), checksums=how)
    assert connection.notes.bad_checksums == 0
    # Linux itself fills in that of the last one, which no socket sends any more.
    assert connection.notes.unfilled_checksums == connection.packets.client - 1
    assert totals["left_out"] == 0


TUNNELS = {
    "GRE": lambda inner: IP(src="192.0.2.1", dst="192.0.2.2") / GRE() / inner,
    "6in4": lambda inner: IP(src="192.0.2.1", dst="192.0.2.2") / inner,
    "VXLAN": lambda inner: (
        IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=50000, dport=4789, chksum=0) / VXLAN(vni=7) / Ether() / inner
    ),
}


@pytest.mark.parametrize("tunnel", TUNNELS)
def test_inside_a_tunnel_the_inner_header_counts(tunnel):
    inner = (IPv6 if tunnel == "6in4" else IP)(syn(b"hello", tunnel == "6in4"))
    right = bytes(TUNNELS[tunnel](inner))
    assert counted(right) == (0, 0)
    assert counted(flipped(right, len(right) - 1)) == (1, 0)


def test_a_wrong_outer_header_is_not_the_segments():
    right = bytes(TUNNELS["GRE"](IP(syn(b"hello"))))
    assert counted(flipped(right, 10)) == (0, 0)


def pieces(packet: bytes, six: bool) -> list[bytes]:
    """The packet as fragments."""
    if not six:
        return [bytes(one) for one in IP(packet).fragment(128)]
    whole = IPv6(packet)
    segment = whole.payload.copy()
    return [
        bytes(one) for one in fragment6(IPv6(src=whole.src, dst=whole.dst) / IPv6ExtHdrFragment(id=7) / segment, 300)
    ]


@pytest.mark.parametrize("six", [False, True])
def test_of_fragments_the_whole_segment_is_summed_up(six):
    right = syn(b"x" * 700, six)
    assert len(pieces(right, six)) > 2
    assert counted(*pieces(right, six)) == (0, 0)
    assert counted(*pieces(flipped(right, len(right) - 1), six)) == (1, 0)


@pytest.mark.parametrize("six", [False, True])
def test_fragments_seen_twice_are_a_segment_seen_twice(six):
    frames = [Packet(one, i) for i, one in enumerate(pieces(syn(b"x" * 700, six), six) * 2)]
    (connection,) = report(pcap(*frames, magic=NANO, link_type=101))
    assert (connection.notes.duplicates, connection.packets.client) == (1, 2)
