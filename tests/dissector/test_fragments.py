"""IP packets put together from fragments, and what is not put together."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector import fragments
from analyzer.dissector.fragments import HOLD_NS, Reassembly
from analyzer.dissector.layout import *
from tests.conversations import ip, tcp
from tests.dissector.frames import CLIENT, CLIENT6, SERVER, SERVER6
from tests.dissector.test_tunnels import rows
from tests.dissector.wrappers import outer

BODY = bytes(range(256)) * 2
V4, V6 = b"\x04" + b"key", b"\x06" + b"key"


def add(
    to: Reassembly, offset: int, end: int, *, data: bytes | None = None, key: bytes = V4, at: int = 0, last: int = 512
):
    """Bytes `offset` to `end` of BODY arrive; the packet that they complete."""
    piece = BODY[offset:end] if data is None else data
    return to.add(key, offset, end < last, piece, end - offset, 6, at, 1)


class TestReassembly:
    @given(
        cuts=st.sets(st.integers(1, 63).map(lambda unit: unit * 8), max_size=12),
        key=st.sampled_from([V4, V6]),
        data=st.data(),
    )
    def test_any_cuts_in_any_order_each_perhaps_twice(self, cuts, key, data):
        edges = [0, *sorted(cuts), 512]
        pieces = data.draw(st.permutations(list(itertools.pairwise(edges))))
        again = data.draw(st.lists(st.integers(0, len(pieces) - 1), max_size=3))
        # A copy that comes while the packet is incomplete is no news.
        order = []
        for place, piece in enumerate(pieces):
            order += [piece] * (1 + again.count(place) * (place < len(pieces) - 1))
        to = Reassembly()
        done = [found for begin, end in order if (found := add(to, begin, end, key=key))]
        assert done == [(BODY, 512, 6)]
        assert (to.complete, to.incomplete, to.overlapping) == (1, 0, 0)
        assert to.duplicates == len(order) - len(pieces)
        assert to._held == 0

    def test_overlaps_that_agree_are_put_together_in_ipv4(self):  # RFC 791 §3.2
        to = Reassembly()
        assert add(to, 0, 64) is add(to, 128, 192) is add(to, 48, 144) is None
        assert add(to, 192, 512).data == BODY
        assert to.overlapping == 0

    def test_overlaps_that_contradict_one_another_are_dropped(self):
        to = Reassembly()
        add(to, 0, 64)
        assert add(to, 56, 128, data=bytes(72)) is add(to, 64, 512) is None
        assert (to.overlapping, to.first_overlap, to.incomplete) == (1, 1, 1)

    def test_an_identification_that_is_used_again(self):  # RFC 6864 §3.1
        to = Reassembly()
        add(to, 0, 64, data=bytes(64))
        assert add(to, 0, 64) is None
        assert add(to, 64, 512).data == BODY

    def test_in_ipv6_any_overlap_ends_it(self):  # RFC 5722 §4
        to = Reassembly()
        add(to, 0, 64, key=V6)
        assert add(to, 56, 128, key=V6) is add(to, 0, 64, key=V6) is add(to, 64, 512, key=V6) is None
        assert (to.overlapping, to.incomplete, to.complete) == (1, 0, 0)

    @pytest.mark.parametrize("key", [V4, V6])
    def test_two_ends_contradict_one_another(self, key):
        to = Reassembly()
        add(to, 256, 512, key=key)
        add(to, 128, 256, key=key, last=256)
        assert to.overlapping == 1

    def test_bytes_behind_the_end_contradict_it(self):
        to = Reassembly()
        add(to, 0, 512)
        add(to, 512, 520, data=bytes(8), last=600)
        assert to.complete == 1
        add(to, 256, 512)
        add(to, 512, 520, data=bytes(8), last=600)
        assert to.overlapping == 1

    def test_what_is_not_whole_in_time_is_dropped(self):
        to = Reassembly()
        add(to, 0, 64)
        assert add(to, 64, 512, at=HOLD_NS + 1) is None
        assert (to.expired, to.incomplete) == (1, 2)
        assert add(to, 0, 64, at=2 * HOLD_NS + 1).length == 512

    def test_memory_is_bounded(self, monkeypatch):
        monkeypatch.setattr(fragments, "MOST_HELD_BYTES", 4096)
        to = Reassembly()
        for number in range(1000):
            add(to, 0, 256, key=V4 + str(number).encode())
            assert to._held <= 4096
        assert to.crowded_out > 990
        assert to.incomplete == 1000

    @pytest.mark.parametrize(
        ("offset", "length", "more"), [(0, 0, True), (0, 12, True), (65528, 16, False), (8, -8, False)]
    )
    def test_lengths_that_are_not_allowed(self, offset, length, more):
        to = Reassembly()
        assert to.add(V4, offset, more, bytes(max(0, length)), length, 6, 0, 1) is None
        assert (to.malformed, to.incomplete) == (1, 0)

    def test_what_the_snapshot_length_cut_ends_the_bytes(self):
        to = Reassembly()
        to.add(V4, 0, True, BODY[:64], 64, 6, 0, 1)
        to.add(V4, 64, True, BODY[64:80], 64, 6, 0, 1)
        assert to.add(V4, 128, False, BODY[128:192], 64, 6, 0, 1) == (BODY[:80], 192, 6)


SEGMENT = tcp(40000, 80, 1000, 2000, 0x18, window=512, payload=BODY)


def cut4(packet: bytes, size: int) -> list[bytes]:
    header, body = packet[:20], packet[20:]
    parts = []
    for offset in range(0, len(body), size):
        part, more = body[offset : offset + size], offset + size < len(body)
        head = header[:2] + struct.pack("!HHH", 20 + len(part), 7, more << 13 | offset // 8) + header[8:]
        parts.append(head + part)
    return parts


def cut6(size: int, before: bytes = b"") -> list[bytes]:
    """Fragments of a packet with destination options `before` the segment."""
    body = before + SEGMENT
    first = 60 if before else 6
    parts = []
    for offset in range(0, len(body), size):
        part, more = body[offset : offset + size], offset + size < len(body)
        parts.append(ip(CLIENT6, SERVER6, 44, struct.pack("!BBHI", first, 0, offset | more, 7) + part))
    return parts


@pytest.mark.parametrize("parts", [cut4(ip(CLIENT, SERVER, 6, SEGMENT), 104), cut6(104), cut6(8, b"\6\0" + bytes(6))])
def test_the_segment_counts_at_the_packet_that_completes_it(parts):
    found, reader, table = rows(*parts)
    assert [row["kind"] for row in found] == [KIND_FRAGMENT] * (len(parts) - 1) + [KIND_TCP]
    row = found[-1]
    assert (row["number"], row["sequence"], row["payload"], row["payload_captured"]) == (len(parts), 1000, 512, 512)
    assert bytes(table.data[row["payload_offset"] :][:512]) == BODY
    assert reader.reassembly.complete == 1


def test_fragments_of_different_chunks():
    one, other = cut4(ip(CLIENT, SERVER, 6, SEGMENT), 304)
    _, reader, _ = rows(one)
    (row,), _, table = rows(other, reader=reader)
    assert (row["kind"], bytes(table.data[row["payload_offset"] :][:512])) == (KIND_TCP, BODY)


def test_many_in_a_chunk():
    packets = [part for _ in range(300) for part in cut4(ip(CLIENT, SERVER, 6, SEGMENT), 304)]
    found, _, table = rows(*packets)
    whole = [row for row in found if row["kind"] == KIND_TCP]
    assert len(whole) == 300
    assert all(bytes(table.data[row["payload_offset"] :][:512]) == BODY for row in whole)


def test_fragments_of_a_tunnel_and_fragments_in_it():
    inner = cut4(ip(CLIENT, SERVER, 6, SEGMENT), 304)
    packets = [part for one in inner for part in cut4(outer(4, one), 104)]
    found, reader, table = rows(*packets)
    assert [row["kind"] for row in found].count(KIND_TCP) == 1
    assert bytes(table.data[found[-1]["payload_offset"] :][:512]) == BODY
    assert len(reader.encapsulations.layers(found[-1]["encapsulation"])) == 1


def test_tunnels_do_not_share_fragments():
    one, other = cut4(ip(CLIENT, SERVER, 6, SEGMENT), 304)
    found, reader, _ = rows(outer(4, one), other)
    assert [row["kind"] for row in found] == [KIND_FRAGMENT] * 2
    assert reader.reassembly.incomplete == 2


def test_cut_by_the_snapshot_length_the_headers_count():
    one, other = cut4(ip(CLIENT, SERVER, 6, SEGMENT), 304)
    found, _, _ = rows(one[:60], other, original=len(one))
    row = found[-1]
    assert (row["kind"], row["sequence"], row["payload"], row["payload_captured"]) == (KIND_TCP, 1000, 512, 20)


@given(
    st.lists(
        st.tuples(st.sampled_from([4, 6]), st.integers(0, 12), st.booleans(), st.integers(0, 40), st.integers(0, 2)),
        max_size=40,
    )
)
def test_any_fragments_give_rows_whose_payload_lies_inside(parts):
    packets = []
    for version, offset, more, length, key in parts:
        body = SEGMENT[offset * 8 : offset * 8 + length]
        if version == 6:
            head = struct.pack("!BBHI", 44 if key == 2 else 6, 0, offset << 3 | more, key)
            packets.append(ip(CLIENT6, SERVER6, 44, head + body))
        else:
            packet = bytearray(ip(CLIENT, SERVER, 6, body))
            packet[4:8] = struct.pack("!HH", key, more << 13 | offset)
            packets.append(bytes(packet))
    found, reader, table = rows(*packets)
    for row in found:
        if row["kind"] == KIND_TCP:
            assert row["payload_offset"] + row["payload_captured"] <= len(table.data)
            assert 0 <= row["payload_captured"] <= row["payload"]
    if reader.reassembly is not None:
        assert reader.reassembly._held >= 0
