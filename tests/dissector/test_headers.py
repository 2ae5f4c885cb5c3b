"""Frames to rows: link layers, IP versions, extension headers, TCP options, ICMP errors, and damage everywhere."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.layout import *
from analyzer.dissector.packets import PacketTable
from analyzer.dissector.reader import PacketReader
from tests.conversations import ip, tcp
from tests.dissector.frames import CLIENT, CLIENT6, ETHERNET, SERVER, SERVER6, frames, read
from tests.dissector.wrappers import OTHER_LINKS, TUNNELS

SEGMENT = tcp(40000, 80, 1000, 2000, 0x18, window=512, payload=b"hello")
V4 = ip(CLIENT, SERVER, 6, SEGMENT)
V6 = ip(CLIENT6, SERVER6, 6, SEGMENT)

# What stands before the IP header on each link, and its LINKTYPE.
LINKS = {
    "Ethernet": (1, ETHERNET + b"\x08\x00", ETHERNET + b"\x86\xdd"),
    "Linux cooked": (113, bytes(14) + b"\x08\x00", bytes(14) + b"\x86\xdd"),
    "Linux cooked v2": (276, b"\x08\x00" + bytes(18), b"\x86\xdd" + bytes(18)),
    "raw": (101, b"", b""),
    "raw, OpenBSD's number": (14, b"", b""),
    "IPv4 and IPv6": (12, b"", b""),
    "NULL, little-endian, FreeBSD": (0, b"\2\0\0\0", b"\x1c\0\0\0"),
    "NULL, big-endian, Darwin": (0, b"\0\0\0\2", b"\0\0\0\x1e"),
    "LOOP, NetBSD": (108, b"\0\0\0\2", b"\0\0\0\x18"),
}


def kinds(packet: bytes, link_type: int = 1) -> set[int]:
    """The kinds of frame that a packet is taken for, cut anywhere before its end, on the wire and in the capture."""
    found = {read(packet[:length], link_type)["kind"] for length in range(len(packet))}
    return found | {read(packet[:length], link_type, len(packet))["kind"] for length in range(len(packet))}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("link", LINKS)
def test_every_link_layer_leads_to_the_same_segment(link, version):
    link_type, before_v4, before_v6 = LINKS[link]
    row = read(before_v4 + V4 if version == 4 else before_v6 + V6, link_type)
    source = int(ipaddress.ip_address(CLIENT if version == 4 else CLIENT6))
    assert row["kind"] == KIND_TCP
    assert row["family"] == version
    assert row["source_high"] << 64 | row["source_low"] == source
    assert row["destination_high"] << 64 | row["destination_low"] == source + 1
    assert (row["source_port"], row["destination_port"]) == (40000, 80)
    assert (row["sequence"], row["acknowledgement"], row["flags"], row["window"]) == (1000, 2000, 0x18, 512)
    assert (row["payload"], row["payload_captured"]) == (5, 5)
    assert row["vlan"] == 0


@pytest.mark.parametrize("link_type", [228, 229])
def test_links_of_one_ip_version(link_type):
    assert read(V4 if link_type == 228 else V6, link_type)["kind"] == KIND_TCP


def test_payload_offset_points_at_the_payload():
    frame = ETHERNET + b"\x08\x00" + V4
    row = read(frame)
    assert frame[row["payload_offset"] :][: row["payload_captured"]] == b"hello"


@pytest.mark.parametrize("link_type", [3, 143, 147, 195, 65535])
def test_other_links_are_not_looked_into(link_type):
    assert read(ETHERNET + b"\x08\x00" + V4, link_type)["kind"] == KIND_OTHER


def test_what_a_filter_left_out_is_not_looked_at():
    assert read(ETHERNET + b"\x08\x00" + V4, LINK_EXCLUDED)["kind"] == KIND_EXCLUDED


class TestVlan:
    def tagged(self, *tags: tuple[int, int]) -> dict:
        return read(ETHERNET + b"".join(struct.pack("!HH", *tag) for tag in tags) + b"\x08\x00" + V4)

    def test_one_tag(self):
        row = self.tagged((0x8100, 5))
        assert (row["kind"], row["vlan"]) == (KIND_TCP, 6)  # id + 1

    def test_priority_bits_are_no_part_of_the_id(self):
        assert self.tagged((0x8100, 0xE000 | 5))["vlan"] == 6

    def test_id_0_is_told_from_no_tag(self):
        assert self.tagged((0x8100, 0))["vlan"] == 1

    @pytest.mark.parametrize("outer", [0x88A8, 0x9100, 0x9200, 0x8100])
    def test_two_tags_outermost_lowest(self, outer):
        row = self.tagged((outer, 7), (0x8100, 4095))
        assert (row["kind"], row["vlan"]) == (KIND_TCP, 8 | 4096 << 13)

    def test_four_ids_are_kept(self):
        row = self.tagged(*((0x8100, i) for i in range(5)))
        assert (row["kind"], row["vlan"]) == (KIND_TCP, 1 | 2 << 13 | 3 << 26 | 4 << 39)

    def test_nobody_buys_time_with_tags(self):
        assert self.tagged(*[(0x8100, 1)] * 100)["kind"] == KIND_DAMAGED


class TestIPv4:
    def test_options_are_skipped(self):
        packet = bytearray(ip(CLIENT, SERVER, 6, bytes(8) + SEGMENT))
        packet[0] = 0x47
        row = read(bytes(packet), 101)
        assert (row["kind"], row["sequence"], row["payload"]) == (KIND_TCP, 1000, 5)

    def test_padding_of_the_frame_is_no_payload(self):
        row = read(ETHERNET + b"\x08\x00" + ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 16)) + bytes(6))
        assert (row["kind"], row["payload"], row["payload_captured"]) == (KIND_TCP, 0, 0)

    def test_length_0_is_read_by_captured_length(self):
        row = read(ip(CLIENT, SERVER, 6, SEGMENT, total=0), 101)
        assert (row["kind"], row["payload"], row["payload_captured"]) == (KIND_TCP, 5, 5)

    def test_length_beyond_the_frame_is_not_believed(self):
        row = read(ip(CLIENT, SERVER, 6, SEGMENT, total=9000), 101)
        assert (row["kind"], row["payload"]) == (KIND_TCP, 5)

    def test_a_frame_cut_by_the_snapshot_length_keeps_its_length_on_the_wire(self):
        row = read(V4[:42], 101, len(V4))
        assert (row["kind"], row["payload"], row["payload_captured"]) == (KIND_TCP, 5, 2)

    @pytest.mark.parametrize("where", [0x2000, 0x0001, 0x1FFF, 0x3FFF])
    def test_fragments_are_told_apart(self, where):
        packet = bytearray(V4)
        packet[6:8] = struct.pack("!H", where)
        assert read(bytes(packet), 101)["kind"] == KIND_FRAGMENT

    def test_do_not_fragment_is_no_fragment(self):
        packet = bytearray(V4)
        packet[6:8] = b"\x40\0"
        assert read(bytes(packet), 101)["kind"] == KIND_TCP

    @pytest.mark.parametrize("first", [0x40, 0x44, 0x55, 0x65])
    def test_a_header_that_contradicts_itself_is_damage(self, first):
        assert read(ETHERNET + b"\x08\x00" + bytes([first]) + V4[1:])["kind"] == KIND_DAMAGED

    def test_a_length_within_the_header_is_damage(self):
        assert read(ip(CLIENT, SERVER, 6, SEGMENT, total=19), 101)["kind"] == KIND_DAMAGED

    def test_extension_headers_of_ipv6_mean_nothing_in_ipv4(self):
        assert read(ip(CLIENT, SERVER, 0, b"\6\0" + bytes(6) + SEGMENT), 101)["kind"] == KIND_OTHER

    def test_authentication_header(self):
        row = read(ip(CLIENT, SERVER, 51, b"\6\4" + bytes(22) + SEGMENT), 101)
        assert (row["kind"], row["sequence"]) == (KIND_TCP, 1000)


class TestIPv6:
    def extended(self, *headers: tuple[int, bytes]) -> dict:
        """(protocol, header without its first byte) …, and then TCP."""
        following = [protocol for protocol, _ in headers[1:]] + [6]
        chain = b"".join(bytes([after]) + rest for after, (_, rest) in zip(following, headers, strict=True))
        return read(ip(CLIENT6, SERVER6, headers[0][0], chain + SEGMENT), 101)

    @pytest.mark.parametrize("protocol", [0, 43, 60, 135, 139, 140])
    @pytest.mark.parametrize("units", [0, 3])
    def test_extension_headers_are_skipped(self, protocol, units):
        row = self.extended((protocol, bytes([units]) + bytes(6 + units * 8)))
        assert (row["kind"], row["sequence"], row["payload"]) == (KIND_TCP, 1000, 5)

    def test_a_chain_of_them(self):
        row = self.extended((0, bytes(7)), (60, bytes(7)), (43, bytes(7)), (51, b"\4" + bytes(22)), (60, bytes(7)))
        assert (row["kind"], row["sequence"], row["payload"]) == (KIND_TCP, 1000, 5)

    def test_an_atomic_fragment_is_whole(self):  # RFC 6946 §4
        assert self.extended((44, bytes(7)))["kind"] == KIND_TCP

    @pytest.mark.parametrize("where", [0x0001, 0x0008, 0xFFF8])
    def test_other_fragments_are_not(self, where):
        assert self.extended((44, b"\0" + struct.pack("!HI", where, 1)))["kind"] == KIND_FRAGMENT

    def test_reserved_bits_make_no_fragment(self):  # RFC 8200 §4.5: ignored on reception
        assert self.extended((44, b"\xff" + struct.pack("!HI", 6, 1)))["kind"] == KIND_TCP

    def test_nobody_buys_time_with_extension_headers(self):
        assert self.extended(*[(60, bytes(7))] * 100)["kind"] == KIND_DAMAGED

    def test_no_next_header(self):
        assert read(ip(CLIENT6, SERVER6, 59, SEGMENT), 101)["kind"] == KIND_OTHER

    def test_length_0_is_read_by_captured_length(self):
        row = read(ip(CLIENT6, SERVER6, 6, SEGMENT, total=0), 101)
        assert (row["kind"], row["payload"]) == (KIND_TCP, 5)

    def test_padding_is_no_payload(self):
        assert read(V6 + bytes(9), 101)["payload"] == 5


class TestTcp:
    def options(self, options: bytes, **changes: int) -> dict:
        return read(ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 2, options=options, payload=b"x", **changes)), 101)

    @pytest.mark.parametrize(
        ("options", "bits"),
        [
            (b"\4\2", OPTION_SACK_PERMITTED),
            (b"\5\x0a" + bytes(8), OPTION_SACK),
            (b"\x08\x0a" + bytes(8), OPTION_TIMESTAMPS),
            (b"\1\1\x08\x0a" + bytes(8), OPTION_TIMESTAMPS),
            (b"\x22\2", OPTION_FAST_OPEN),
            (b"\xfe\4\xf9\x89", OPTION_FAST_OPEN),
            (b"\xfe\4\x12\x34", 0),
            (b"\x1e\x0c" + bytes(10), OPTION_MPTCP),
            (b"\1\1\4\2\x08\x0a" + bytes(8) + b"\x22\2", OPTION_SACK_PERMITTED | OPTION_TIMESTAMPS | OPTION_FAST_OPEN),
            (b"\x1d\x10" + bytes(14), 0),
            (b"\0\2\4\2", 0),  # after the end of the list
            (b"\4\2\x09", OPTION_SACK_PERMITTED),  # a malformed one ends it
            (b"\x09\1\4\2", 0),
            (b"\x09\0\4\2", 0),
            (b"\x09\xff\4\2", 0),
            (b"\4\3\0", 0),  # of the wrong length
        ],
    )  # fmt: skip
    def test_which_options_there_are(self, options, bits):
        row = self.options(options)
        assert (row["kind"], row["options"], row["payload"]) == (KIND_TCP, bits, 1)

    def test_segment_size_and_window_scale(self):
        row = self.options(b"\2\4\x05\xb4\1\3\3\7")
        assert (row["mss"], row["window_scale"]) == (1460, 7)
        row = self.options(b"\4\2")
        assert (row["mss"], row["window_scale"]) == (-1, -1)

    def test_rows_are_reused_without_a_trace(self):
        # One reader, two chunks: what the first left behind must not show in the second.
        table, reader = PacketTable(), PacketReader()
        reader.read(frames([ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 2, options=b"\2\4\x05\xb4\3\3\7\4\2"))], 101), table)
        reader.read(frames([ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 16))], 101), table)
        assert (table.options[0], table.mss[0], table.window_scale[0], table.payload[0]) == (0, -1, -1, 0)

    @pytest.mark.parametrize("words", [0, 1, 4])
    def test_a_header_shorter_than_the_shortest_is_damage(self, words):
        segment = bytearray(SEGMENT)
        segment[12] = words << 4
        assert read(ip(CLIENT, SERVER, 6, bytes(segment)), 101)["kind"] == KIND_DAMAGED

    def test_a_header_longer_than_the_packet_is_damage(self):
        segment = bytearray(SEGMENT)
        segment[12] = 15 << 4
        assert read(ip(CLIENT, SERVER, 6, bytes(segment)), 101)["kind"] == KIND_DAMAGED

    def test_options_cut_by_the_snapshot_length(self):
        packet = ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 2, options=b"\2\4\x05\xb4\3\3\7\1", payload=b"hello"))
        row = read(packet[:44], 101, len(packet))
        assert (row["kind"], row["mss"], row["window_scale"]) == (KIND_TCP, 1460, -1)
        assert (row["payload"], row["payload_captured"]) == (5, 0)

    def test_all_nine_flags(self):
        assert read(ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 0x1FF)), 101)["flags"] == 0x1FF


class TestUdp:
    @pytest.mark.parametrize("version", [1, 0x6B3343CF, 0xFF00001D])
    def test_quic_long_headers(self, version):
        datagram = struct.pack("!HHHHBIBB", 40000, 443, 0, 0, 0xC3, version, 8, 0)
        assert read(ip(CLIENT, SERVER, 17, datagram + bytes(20)), 101)["kind"] == KIND_QUIC

    @pytest.mark.parametrize(("first", "version"), [(0x43, 1), (0x83, 1), (0xC3, 0), (0xC3, 2), (0xC3, 0xFE00001D)])
    def test_other_datagrams(self, first, version):
        datagram = struct.pack("!HHHHBIBB", 40000, 443, 0, 0, first, version, 8, 0)
        assert read(ip(CLIENT, SERVER, 17, datagram + bytes(20)), 101)["kind"] == KIND_UDP

    def test_empty_ones(self):
        assert read(ip(CLIENT, SERVER, 17, bytes(8)), 101)["kind"] == KIND_UDP


class TestIcmp:
    def error(self, kind: int, code: int, quote: bytes = V4) -> dict:
        six = quote[0] >> 4 == 6
        message = struct.pack("!BBHI", kind, code, 0, 0) + quote
        return read(ip(SERVER6, CLIENT6, 58, message) if six else ip(SERVER, CLIENT, 1, message), 101)

    @pytest.mark.parametrize("quote", [V4, V6])
    def test_the_quoted_segment_is_read(self, quote):
        row = self.error(3 if quote is V4 else 1, 1, quote)
        source = int(ipaddress.ip_address(CLIENT if quote is V4 else CLIENT6))
        assert row["kind"] == KIND_ICMP_ERROR
        assert row["source_high"] << 64 | row["source_low"] == source
        assert row["destination_high"] << 64 | row["destination_low"] == source + 1
        assert (row["source_port"], row["destination_port"], row["sequence"]) == (40000, 80, 1000)
        assert (row["flags"], row["payload"]) == (1, 20)  # no fewer

    @pytest.mark.parametrize(
        ("quote", "kind", "code", "unreachable"),
        [(V4, 3, 13, 1), (V4, 3, 4, 0), (V4, 11, 0, 0), (V4, 12, 0, 0), (V6, 1, 4, 1), (V6, 2, 0, 0), (V6, 3, 0, 0)],
    )
    def test_which_errors_say_unreachable(self, quote, kind, code, unreachable):
        row = self.error(kind, code, quote)
        assert (row["kind"], row["flags"]) == (KIND_ICMP_ERROR, unreachable)

    @pytest.mark.parametrize(("quote", "kind"), [(V4, 0), (V4, 8), (V6, 128), (V6, 135)])
    def test_what_is_no_error(self, quote, kind):
        assert self.error(kind, 0, quote)["kind"] == KIND_ICMP

    def test_eight_bytes_of_the_segment_are_enough(self):  # RFC 792
        assert self.error(3, 1, V4[:28])["kind"] == KIND_ICMP_ERROR
        assert self.error(3, 1, V4[:27])["kind"] == KIND_ICMP

    def test_options_of_the_quoted_header_are_skipped(self):
        quote = bytearray(ip(CLIENT, SERVER, 6, bytes(8) + SEGMENT))
        quote[0] = 0x47
        assert self.error(3, 1, bytes(quote))["source_port"] == 40000

    @pytest.mark.parametrize("quote", [ip(CLIENT, SERVER, 17, SEGMENT), b"\x60" + V4[1:], b"\x45" + bytes(7)])
    def test_quotes_of_something_else(self, quote):
        message = struct.pack("!BBHI", 3, 1, 0, 0) + quote
        assert read(ip(SERVER, CLIENT, 1, message), 101)["kind"] == KIND_ICMP


ANYTHING = {
    "IPv4": (1, ETHERNET + b"\x81\0\0\5\x08\0" + V4),
    "IPv6": (1, ETHERNET + b"\x86\xdd" + ip(CLIENT6, SERVER6, 0, b"\6\0" + bytes(6) + SEGMENT)),
    "options": (101, ip(CLIENT, SERVER, 6, tcp(1, 2, 3, 4, 2, options=b"\2\4\x05\xb4\3\3\7\1\4\2"))),
    "cooked": (276, b"\x08\0" + bytes(18) + V4),
    "NULL": (0, b"\2\0\0\0" + V4),
    "ICMP": (101, ip(SERVER, CLIENT, 1, struct.pack("!BBHI", 3, 1, 0, 0) + V4)),
    "ICMPv6": (101, ip(SERVER6, CLIENT6, 58, struct.pack("!BBHI", 1, 4, 0, 0) + V6)),
    "QUIC": (101, ip(CLIENT, SERVER, 17, struct.pack("!HHHHBIBB", 4, 443, 0, 0, 0xC3, 1, 8, 0))),
}


@pytest.mark.parametrize("what", ANYTHING)
def test_cut_at_every_byte_it_is_damage_or_less(what):
    link_type, packet = ANYTHING[what]
    whole = read(packet, link_type)["kind"]
    assert whole not in (KIND_DAMAGED, KIND_OTHER)
    seen = kinds(packet, link_type)
    assert KIND_DAMAGED in seen
    assert seen <= {KIND_DAMAGED, KIND_TCP, KIND_UDP, KIND_QUIC, KIND_ICMP, KIND_ICMP_ERROR}


@given(
    packet=st.one_of(
        st.binary(max_size=120),
        st.builds(
            lambda packet, at, change: packet[: at % len(packet)] + change + packet[at % len(packet) + len(change) :],
            st.sampled_from([packet for _, packet in (*ANYTHING.values(), *TUNNELS.values())]),
            st.integers(0, 200),
            st.binary(min_size=1, max_size=4),
        ),
    ),
    link_type=st.sampled_from([0, 1, 12, 101, 108, 113, 228, 276, 9999, *OTHER_LINKS]),
    original=st.none() | st.integers(0, 1 << 32),
)
def test_any_bytes_give_a_row_whose_payload_lies_inside(packet, link_type, original):
    row = read(packet, link_type, original)
    assert KIND_OTHER <= row["kind"] <= KIND_DAMAGED or row["kind"] == KIND_PROTECTED
    if row["kind"] == KIND_TCP:
        assert 0 <= row["payload_offset"] <= row["payload_offset"] + row["payload_captured"] <= len(packet)
        assert 0 <= row["payload_captured"] <= row["payload"]
        assert 0 <= row["sequence"] < 1 << 32
        assert 0 <= row["acknowledgement"] < 1 << 32
