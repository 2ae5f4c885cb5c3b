"""The same packet seen twice, and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.l2 import GRE

from tests.capture.builders import NANO, Packet, pcap
from tests.cases import capture_of
from tests.conversations import HANDSHAKE, Conversation, report

EXCHANGE = (*HANDSHAKE, "C DATA 100", "S ACK", "S DATA 700", "C ACK", "C FIN", "S ACK", "S FIN", "C ACK")


def marked(frame: bytes, number: int, ttl: int = 64, checksum: int = 7) -> bytes:
    """An IPv4 frame with an identification, and with something for a checksum of TCP."""
    out = bytearray(frame)
    out[18:20] = number.to_bytes(2, "big")
    out[22] = ttl
    out[50:52] = checksum.to_bytes(2, "big")
    return bytes(out)


def packets(*lines: str, first: int = 1, six: bool = False) -> list[Packet]:
    ends = {"client": "2001:db8::1", "server": "2001:db8::2"} if six else {}
    said = Conversation(**ends).say(*lines).packets
    if six:
        return said
    return [packet._replace(data=marked(packet.data, first + i)) for i, packet in enumerate(said)]


def seen(*captured: Packet, **options):
    (connection,) = report(pcap(*captured, magic=NANO, snaplen=262144), **options)
    return connection


def twice(once: list[Packet], apart_ns: int) -> list[Packet]:
    """Each packet again, so much later, with one hop less to live; in order of time."""
    again = [
        packet._replace(data=marked(packet.data, i + 1, ttl=63), at_ns=packet.at_ns + apart_ns)
        for i, packet in enumerate(once)
    ]
    return sorted(once + again, key=lambda packet: packet.at_ns)


def notes(connection) -> dict[str, int]:
    return {name: count for name in connection.notes.__struct_fields__ if (count := getattr(connection.notes, name))}


@pytest.mark.parametrize("apart_ns", [0, 1_000, 15_000_000, 900_000_000])
def test_every_packet_twice_is_one_conversation(apart_ns):
    connection = seen(*twice(packets(*EXCHANGE), apart_ns))
    assert notes(connection) == {"duplicates": 11}
    assert (connection.open.flow, connection.close.flow) == ("tcp-open/three-way-handshake", "tcp-close/four-way")
    assert connection.open.retransmitted == connection.close.retransmitted == 0
    assert connection.packets.client + connection.packets.server == 22


def test_a_segment_sent_again_has_another_identification():
    once = packets(*HANDSHAKE, "C DATA 100", "C DATA 100 seq=-100", "S ACK")
    assert notes(seen(*once)) == {"retransmissions": 1}


def test_seconds_later_it_is_another_packet():
    once = packets(*HANDSHAKE, "C DATA 100", "S ACK")
    late = once[3]._replace(at_ns=once[3].at_ns + 1_100_000_000)
    assert notes(seen(*once, late)) == {"retransmissions": 1}


def test_other_bytes_make_another_packet():
    once = packets(*HANDSHAKE, "C DATA 100")
    other = once[3]._replace(data=marked(once[3].data, 4, checksum=8))
    assert notes(seen(*once, other)) == {"retransmissions": 1}


def test_a_copy_whose_checksum_the_card_had_filled_in_meanwhile():
    once = packets(*HANDSHAKE, "C DATA 100")
    pseudo = 0x0A00 + 0x0001 + 0x0A00 + 0x0002 + 6 + 120
    unfilled = once[3]._replace(data=marked(once[3].data, 4, checksum=pseudo))
    assert notes(seen(*once[:3], unfilled, once[3])) == {"duplicates": 1}


@pytest.mark.parametrize(("apart_ns", "found"), [(2_000_000, "duplicates"), (4_000_000, "retransmissions")])
def test_without_identification_and_timestamps_only_what_comes_at_once_is_a_copy(apart_ns, found):
    once = packets(*HANDSHAKE, "C DATA 100", six=True)
    assert notes(seen(*once, once[3]._replace(at_ns=once[3].at_ns + apart_ns))) == {found: 1}


def test_two_resets_that_say_the_same_are_two():
    once = packets(*HANDSHAKE, "C RST", six=True)
    assert notes(seen(*once, once[3])) == {"resets": 2}


def test_a_copy_behind_other_traffic():
    once = packets(*HANDSHAKE, "C DATA 100")
    other = packets(*HANDSHAKE, *["C DATA 10"] * 1100)
    other = [packet._replace(data=packet.data.replace(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 9])), at_ns=once[3].at_ns)
             for packet in other]  # fmt: skip
    for between, found in ((500, "duplicates"), (520, "retransmissions")):
        connections = report(pcap(*once, *other[:between], once[3], magic=NANO, snaplen=262144))
        assert notes(connections[0]) == {found: 1}


@given(st.integers(64, 2000), st.integers(0, 40_000_000))
def test_whatever_the_chunks(chunk_bytes, apart_ns):
    connection = seen(*twice(packets(*EXCHANGE), apart_ns), chunk_bytes=chunk_bytes)
    assert notes(connection) == {"duplicates": 11}


@pytest.mark.parametrize("case", ["traffic/mirror-tagged", "traffic/router-both-sides", "tcp/captured-twice"])
def test_half_of_the_packets_of_such_a_capture_are_copies(case):
    for connection in report(capture_of(case).read_bytes()):
        assert connection.notes.duplicates * 2 == connection.packets.client + connection.packets.server


def gre(frame: bytes) -> bytes:
    """The IP packet of an Ethernet frame, in a tunnel."""
    return bytes(IP(src="192.0.2.1", dst="192.0.2.2", id=9) / GRE() / IP(frame[14:]))


def tunnelled(once: list[Packet]) -> list[Packet]:
    return [packet._replace(data=packet.data[:14] + gre(packet.data)) for packet in once]


def test_in_a_tunnel_the_inner_packet_is_what_is_seen_twice():
    connection = seen(*tunnelled(twice(packets(*EXCHANGE), 1_000)))
    assert connection.notes.duplicates == 11


def test_before_and_behind_the_end_of_a_tunnel_are_two_connections():  # the tunnel is part of the key
    once = packets(*EXCHANGE)
    inside = [packet._replace(at_ns=packet.at_ns + 1_000) for packet in tunnelled(once)]
    both = report(pcap(*sorted(once + inside, key=lambda packet: packet.at_ns), magic=NANO, snaplen=262144))
    assert [notes(one) for one in both] == [{}, {}]
