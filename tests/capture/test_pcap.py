"""pcap files: what was written is what is read."""

import struct

import pytest

from analyzer.errors import InputError
from tests.capture.builders import MICRO, NANO, PATCHED, Frame, Packet, pcap, pcap_header, pcap_record, read

NOON = 1_400_000_000 * 10**9
PING = Packet(b"ping", NOON + 1_000)
PONG = Packet(b"pong and more", NOON + 2_500_000)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [MICRO, NANO, PATCHED])
def test_packets_come_back_in_every_variant(order, magic):
    said = read(pcap(PING, PONG, order=order, magic=magic))

    assert said.frames == [
        Frame(1, NOON + 1_000, b"ping", 4, 1, 0),
        Frame(2, NOON + 2_500_000, b"pong and more", 13, 1, 0),
    ]
    assert said.warnings == []


def test_only_the_nanosecond_variant_keeps_nanoseconds():
    odd = Packet(b"", NOON + 123_456_789)

    assert read(pcap(odd, magic=NANO)).times == [NOON + 123_456_789]
    assert read(pcap(odd, magic=MICRO)).times == [NOON + 123_456_000]


def test_seconds_are_unsigned_and_a_fraction_above_one_second_counts():
    late = pcap_header() + struct.pack("<IIII", 2**32 - 1, 2**32 - 1, 0, 0)

    assert read(late).times == [(2**32 - 1) * 10**9 + (2**32 - 1) * 1000]


def test_the_file_header_describes_the_one_interface():
    (interface,) = read(pcap(snaplen=96, link_type=113)).interfaces

    assert (interface.link_type, interface.snaplen, interface.name, interface.dropped) == (113, 96, None, None)


def test_the_length_of_the_frame_check_sequence_is_no_part_of_the_link_type():
    said = read(pcap(PING, link_type=0x5400_0001))

    assert said.frames[0].link_type == said.interfaces[0].link_type == 1


def test_a_packet_may_be_shorter_or_longer_in_the_file_than_on_the_wire():
    said = read(pcap(Packet(b"sliced", original=1500), Packet(b"padded", original=2)))

    assert [(frame.data, frame.original) for frame in said.frames] == [(b"sliced", 1500), (b"padded", 2)]


def test_files_up_to_2_3_may_have_the_two_lengths_swapped():
    swapped = struct.pack("<IIII", 0, 0, 1500, 6) + b"sliced"
    proper = struct.pack("<IIII", 0, 0, 6, 1500) + b"sliced"
    said = read(pcap_header(version=(2, 2)) + swapped + proper)

    assert [(frame.data, frame.original) for frame in said.frames] == [(b"sliced", 1500)] * 2
    cut = read(pcap_header(version=(2, 2)) + swapped[:-1])
    assert cut.warnings == ["pcap record 1 at byte offset 24 is cut off: 21 of its 22 bytes are there"]
    assert read(pcap_header(version=(2, 4)) + swapped).warnings == [
        "pcap record 1 at byte offset 24 is cut off: 22 of its 1516 bytes are there"
    ]


def test_a_record_that_claims_too_much_ends_the_reading_after_all_before_it():
    liar = struct.pack("<IIII", 0, 0, 3_000_000, 60)
    said = read(pcap(PING, PONG) + liar + bytes(4_000_000))

    assert said.data == [b"ping", b"pong and more"]
    assert said.warnings == [
        "pcap record 3 at byte offset 73 claims 3000000 captured bytes; reading stopped there"
    ]  # fmt: skip


def test_a_large_snaplen_allows_large_records_up_to_a_limit():
    large = Packet(bytes(3_000_000))

    assert read(pcap(large, PING, snaplen=2**31 - 1)).data == [large.data, b"ping"]
    assert read(pcap(large, PING, link_type=249)).data == [large.data, b"ping"]
    too_large = pcap_header(snaplen=2**31 - 1) + struct.pack("<IIII", 0, 0, (16 << 20) + 1, 60)
    assert "claims 16777217 captured bytes" in read(too_large).warnings[0]


@pytest.mark.parametrize("missing", [1, 4, 5, 19])
def test_a_cut_off_record_is_named(missing):
    said = read(pcap(PING, PING)[:-missing])

    assert said.data == [b"ping"]
    wanted = 16 if missing > 4 else 20
    assert said.warnings == [
        f"pcap record 2 at byte offset 44 is cut off: {20 - missing} of its {wanted} bytes are there"
    ]


def test_a_file_without_packets_is_fine():
    assert read(pcap()).frames == read(pcap()).warnings == []


def test_an_unknown_version_is_refused():
    with pytest.raises(InputError, match=r"^capture: pcap file header claims version 3\.0, known is 2\.4\."):
        read(pcap_header(version=(3, 0)) + pcap_record(PING))
