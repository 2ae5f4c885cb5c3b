# cython: language_level=3, annotation_typing=False, boundscheck=True, wraparound=False
"""The hot loop of live capture: blocks of the kernel's packet ring become columns.

Pure-Python mode as in `records.py`. The kernel writes the ring, and what its headers say is held against the ring's
size all the same. Source: Linux, include/uapi/linux/if_packet.h, TPACKET_V3; numbers are in the machine's byte order.
"""

from __future__ import annotations

import typing

import cython

if typing.TYPE_CHECKING:
    from analyzer.capture.base import Columns

COMPILED = cython.compiled

# Why a scan came back.
DONE, FULL, UNKNOWN = range(3)

# struct tpacket3_hdr, and the sockaddr_ll behind it.
HEADER_BYTES = 48
ADDRESS_BYTES = 20
# Bytes asked for in front of every frame (PACKET_RESERVE), where a VLAN tag that the kernel took out finds its place.
RESERVED_BYTES = 4


@cython.locals(
    view=cython.uchar[::1],
    words=cython.uint[::1],
    halves=cython.ushort[::1],
    at=cython.Py_ssize_t,
    left=cython.Py_ssize_t,
    indexes=cython.longlong[::1],
    link_type_of=cython.int[::1],
    known=cython.Py_ssize_t,
    offsets=cython.longlong[::1],
    captured=cython.longlong[::1],
    original=cython.longlong[::1],
    times=cython.longlong[::1],
    link_types=cython.int[::1],
    owners=cython.int[::1],
    rows=cython.Py_ssize_t,
    count=cython.Py_ssize_t,
    word=cython.Py_ssize_t,
    size=cython.longlong,
    on_wire=cython.longlong,
    begin=cython.longlong,
    status=cython.longlong,
    tag=cython.longlong,
    kind=cython.longlong,
    index=cython.longlong,
    moment=cython.longlong,
    owner=cython.Py_ssize_t,
    following=cython.longlong,
    i=cython.Py_ssize_t,
    total=cython.Py_ssize_t,
)
def scan_ring(
    view: memoryview,
    words: memoryview,
    halves: memoryview,
    at: int,
    left: int,
    indexes: memoryview,
    link_type_of: memoryview,
    known: int,
    columns: Columns,
) -> tuple[int, int, int, int]:
    """Frames of one block into the columns: (frames, offset of the first one not taken, how many are left, why).

    `view`, `words` and `halves` are the whole ring as bytes, 32-bit and 16-bit numbers; the block's next frame header
    is at `at`, and `left` frames are there. Interfaces are known by the kernel's index: `indexes` and `link_type_of`,
    of which `known` are in use; a frame of another one ends the scan with UNKNOWN. VLAN tags are put back.
    """
    offsets, captured, original, times = columns.offset, columns.captured, columns.original, columns.time_ns
    link_types, owners = columns.link_type, columns.interface
    rows = len(offsets)
    total = len(view)
    if at < 0 or at & 3 or known > len(indexes) or known > len(link_type_of):
        raise ValueError("the ring is not as it should be")
    count = 0
    owner = 0
    while left > 0:
        if count == rows:
            return count, at, left, FULL
        if at + HEADER_BYTES + ADDRESS_BYTES > total:
            raise ValueError("a frame header lies outside the ring")
        word = at >> 2
        index = words[word + HEADER_BYTES // 4 + 1]
        if owner >= known or indexes[owner] != index:
            owner = 0
            while owner < known and indexes[owner] != index:
                owner += 1
            if owner == known:
                return count, at, left, UNKNOWN
        size = words[word + 3]
        on_wire = words[word + 4]
        status = words[word + 5]
        begin = at + halves[(at >> 1) + 12]
        if begin < at + HEADER_BYTES or begin + size > total:
            raise ValueError("a frame lies outside the ring")
        # TP_STATUS_VLAN_VALID. The kernel has taken an Ethernet frame's tag out, from behind the two addresses.
        if (
            status & 16 != 0 and link_type_of[owner] == 1 and size >= 12
            and begin - RESERVED_BYTES >= at + HEADER_BYTES + ADDRESS_BYTES
        ):  # fmt: skip
            kind = halves[(at >> 1) + 18] if status & 64 != 0 else 0x8100  # TP_STATUS_VLAN_TPID_VALID
            tag = words[word + 8]
            begin -= RESERVED_BYTES
            for i in range(12):
                view[begin + i] = view[begin + i + RESERVED_BYTES]
            view[begin + 12] = (kind >> 8) & 255
            view[begin + 13] = kind & 255
            view[begin + 14] = (tag >> 8) & 255
            view[begin + 15] = tag & 255
            size += RESERVED_BYTES
            on_wire += RESERVED_BYTES
        offsets[count] = begin
        captured[count] = size
        original[count] = on_wire
        moment = words[word + 1]
        times[count] = moment * 1_000_000_000 + words[word + 2]
        link_types[count] = link_type_of[owner]
        owners[count] = owner
        count += 1
        left -= 1
        following = words[word]
        if left > 0 and (following == 0 or following & 3):
            raise ValueError("a frame does not say where the next one is")
        at += following
    return count, at, 0, DONE
