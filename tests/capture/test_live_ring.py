"""Blocks of the kernel's ring: what is in them, and that no bytes make the scanner look elsewhere."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture.base import Columns
from analyzer.capture.live.ring import DONE, FULL, UNKNOWN, scan_ring
from tests.dissector import twins

INTERPRETED = twins.interpreted("analyzer.capture.live.ring")
HEAD = 48  # struct tpacket3_hdr
PLACE = 96  # of the frame, behind its header: 4 bytes before it are reserved
VLAN_VALID, TPID_VALID = 0x10, 0x40
MACS = bytes(range(12))


class Frame(NamedTuple):
    data: bytes
    at_ns: int = 0
    on_wire: int | None = None
    index: int = 3
    status: int = 0
    tci: int = 0
    tpid: int = 0


def ring(*frames: Frame, size: int = 8192) -> bytearray:
    view = bytearray(size)
    at = 0
    for number, frame in enumerate(frames):
        length = PLACE + len(frame.data) + -len(frame.data) % 16
        following = length if number + 1 < len(frames) else 0
        seconds, ns = divmod(frame.at_ns, 10**9)
        on_wire = len(frame.data) if frame.on_wire is None else frame.on_wire
        struct.pack_into(
            "=IIIIIIHHIIHH", view, at, following, seconds, ns, len(frame.data), on_wire, frame.status, PLACE, 0, 0,
            frame.tci, frame.tpid, 0,
        )  # fmt: skip
        struct.pack_into("=HHi", view, at + HEAD, 17, 0, frame.index)
        view[at + PLACE : at + PLACE + len(frame.data)] = frame.data
        at += length
    return view


def scan(view: bytearray, left: int, at: int = 0, rows: int = 16, known=((3, 1), (7, 101)), scanner=scan_ring):
    """What `scan_ring` returns, and the frames it found as (bytes, time, length on the wire, link type, interface)."""
    octets = memoryview(view)
    indexes = np.array([index for index, _ in known] or [0], np.int64)
    types = np.array([link_type for _, link_type in known] or [0], np.int32)
    columns = Columns(rows)
    said = scanner(
        octets, octets.cast("I"), octets.cast("H"), at, left, indexes.data, types.data, len(known), columns
    )  # fmt: skip
    rows_found = zip(*(one[: said[0]].tolist() for one in columns.arrays), strict=True)
    found = [
        (bytes(octets[begin : begin + size]), time_ns, original, link_type, owner)
        for begin, size, original, time_ns, link_type, owner in rows_found
    ]
    return said, found


def test_frames_of_several_interfaces():
    view = ring(Frame(b"one", 5), Frame(b"twoo", 1_700_000_000_123_456_789, 99, index=7))
    (count, _, left, why), found = scan(view, 2)
    assert (count, left, why) == (2, 0, DONE)
    assert found == [(b"one", 5, 3, 1, 0), (b"twoo", 1_700_000_000_123_456_789, 99, 101, 1)]


def test_a_block_with_more_frames_than_rows_is_scanned_on():
    view = ring(*(Frame(bytes([number])) for number in range(5)))
    (count, at, left, why), first = scan(view, 5, rows=3)
    assert (count, left, why) == (3, 2, FULL)
    (count, _, left, why), rest = scan(view, left, at, rows=3)
    assert (count, left, why) == (2, 0, DONE)
    assert [data for data, *_ in first + rest] == [bytes([number]) for number in range(5)]


def test_an_interface_that_is_not_known_yet():
    view = ring(Frame(b"a"), Frame(b"b", index=70_000))
    (count, at, left, why), _ = scan(view, 2)
    assert (count, left, why) == (1, 1, UNKNOWN)
    _, found = scan(view, left, at, known=((3, 1), (70_000, 1)))
    assert [data for data, *_ in found] == [b"b"]


@pytest.mark.parametrize(
    ("status", "tpid", "shown"), [(VLAN_VALID, 0, "8100"), (VLAN_VALID | TPID_VALID, 0x88A8, "88a8"), (0, 0, None)]
)
def test_vlan_tags_are_put_back(status, tpid, shown):
    view = ring(Frame(MACS + b"\x08\0rest", status=status, tci=0x2007, tpid=tpid))
    _, [(data, _, on_wire, *_)] = scan(view, 1)
    assert data == MACS + (bytes.fromhex(shown + "2007") if shown else b"") + b"\x08\0rest"
    assert on_wire == len(data)


def test_only_ethernet_has_vlan_tags():
    view = ring(Frame(b"x" * 40, index=7, status=VLAN_VALID, tci=5))
    _, [(data, *_)] = scan(view, 1)
    assert data == b"x" * 40


@pytest.mark.parametrize(("at", "value"), [(12, 0xFFFFFFFF), (24, 0xFFFF), (0, 0x7FFFFFFC), (0, 3), (24, 0)], ids=str)
def test_what_contradicts_itself_is_refused(at, value):
    view = ring(Frame(b"one"), Frame(b"two"))
    struct.pack_into("=H" if at == 24 else "=I", view, at, value)
    with pytest.raises(ValueError, match=r"ring|frame"):
        scan(view, 2)


@given(st.binary(min_size=256, max_size=1024), st.integers(-8, 1100), st.integers(0, 2**32 - 1))
def test_any_bytes_give_frames_inside_the_ring_or_are_refused(data, at, left):
    """And compiled and interpreted say the same."""
    answers = []
    for scanner in (scan_ring, INTERPRETED.scan_ring):
        view = bytearray(data[: len(data) // 4 * 4])
        try:
            answers.append((scan(view, left, at, scanner=scanner), bytes(view)))
        except ValueError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]
