# cython: language_level=3, annotation_typing=False, boundscheck=True, wraparound=False
"""The hot loops of reading: pcap records and pcapng packet blocks become columns.

This is Cython's pure Python mode: the file runs as it is, and compiled it gives the same answers some fifty
times faster. The input is hostile, so bounds checks stay on, every offset that is stored has been held
against `end`, and every sum is of numbers known to fit their C type. The types stand in `cython.locals`,
not in the annotations, which are for people and for mypy.

A typed memoryview handed to a helper costs as much as the whole record (its descriptor is copied), so the
helper takes four bytes and the views stay local.
"""

from __future__ import annotations

import typing

import cython

if typing.TYPE_CHECKING:
    from analyzer.capture.base import Columns
    from analyzer.capture.interfaces import InterfaceTable

COMPILED = cython.compiled

# Why a scan came back. Everything from BAD_LENGTH on is damage, found at the offset that was returned.
MORE, FULL, OTHER, BAD_LENGTH, BAD_TRAILER, BAD_INTERFACE, BAD_CAPTURED = range(7)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
@cython.returns(cython.uint)
@cython.locals(a=cython.uint, b=cython.uint, c=cython.uint, d=cython.uint, big=cython.bint)
def word(a: int, b: int, c: int, d: int, big: bool) -> int:
    """The unsigned 32-bit number that the bytes a b c d spell in this byte order."""
    if big:
        return (a << 24) | (b << 16) | (c << 8) | d
    return (d << 24) | (c << 16) | (b << 8) | a


@cython.locals(
    view=cython.uchar[::1],
    start=cython.Py_ssize_t,
    end=cython.Py_ssize_t,
    big=cython.bint,
    header=cython.Py_ssize_t,
    tick_ns=cython.longlong,
    old=cython.bint,
    limit=cython.longlong,
    offsets=cython.longlong[::1],
    captured=cython.longlong[::1],
    original=cython.longlong[::1],
    times=cython.longlong[::1],
    rows=cython.Py_ssize_t,
    count=cython.Py_ssize_t,
    seconds=cython.longlong,
    fraction=cython.longlong,
    size=cython.longlong,
    on_wire=cython.longlong,
)
def scan_pcap(
    view: memoryview,
    start: int,
    end: int,
    big: bool,
    header: int,
    tick_ns: int,
    old: bool,
    limit: int,
    columns: Columns,
) -> tuple[int, int, int]:
    """Pcap records of `view[start:end]` into the columns: (records, offset of the first one not taken, why).

    `header` is the length of a record header in bytes, `tick_ns` the unit of its fraction of a second. `old`
    files may have the two lengths swapped. A record that claims more than `limit` captured bytes is
    BAD_CAPTURED. Source: draft-ietf-opsawg-pcap §5.
    """
    offsets, captured, original, times = columns.offset, columns.captured, columns.original, columns.time_ns
    if start < 0 or end > len(view) or header < 16:
        raise ValueError("the range to scan lies outside the buffer")
    rows = len(offsets)
    count = 0
    while count < rows:
        if end - start < header:
            return count, start, MORE
        size = word(view[start + 8], view[start + 9], view[start + 10], view[start + 11], big)
        on_wire = word(view[start + 12], view[start + 13], view[start + 14], view[start + 15], big)
        if old and size > on_wire:
            size, on_wire = on_wire, size
        if size > limit:
            return count, start, BAD_CAPTURED
        if end - start - header < size:
            return count, start, MORE
        seconds = word(view[start], view[start + 1], view[start + 2], view[start + 3], big)
        fraction = word(view[start + 4], view[start + 5], view[start + 6], view[start + 7], big)
        # At most 2**32 * 10**9 + 2**32 * 1000, which is below 2**63.
        times[count] = seconds * 1_000_000_000 + fraction * tick_ns
        original[count] = on_wire
        captured[count] = size
        offsets[count] = start + header
        count += 1
        start += header + size
    return count, start, FULL


@cython.locals(
    view=cython.uchar[::1],
    start=cython.Py_ssize_t,
    end=cython.Py_ssize_t,
    big=cython.bint,
    limit=cython.longlong,
    first=cython.longlong,
    known=cython.longlong,
    offsets=cython.longlong[::1],
    captured=cython.longlong[::1],
    original=cython.longlong[::1],
    times=cython.longlong[::1],
    link_types=cython.int[::1],
    owners=cython.int[::1],
    multipliers=cython.longlong[::1],
    divisors=cython.longlong[::1],
    limits=cython.longlong[::1],
    shifts_ns=cython.longlong[::1],
    link_type_of=cython.int[::1],
    snaplens=cython.longlong[::1],
    rows=cython.Py_ssize_t,
    count=cython.Py_ssize_t,
    kind=cython.uint,
    length=cython.longlong,
    overhead=cython.longlong,
    owner=cython.longlong,
    size=cython.longlong,
    on_wire=cython.longlong,
    ticks=cython.ulonglong,
    moment=cython.longlong,
    tail=cython.Py_ssize_t,
)
def scan_blocks(
    view: memoryview,
    start: int,
    end: int,
    big: bool,
    limit: int,
    table: InterfaceTable,
    columns: Columns,
) -> tuple[int, int, int]:
    """Packet blocks of `view[start:end]` into the columns: (packets, offset of the first block not taken, why).

    Takes Enhanced (6), Simple (3) and the obsolete Packet Block (2); the first block of another type ends the
    scan with OTHER. A block may have at most `limit` bytes. `table` describes the interfaces; those of this
    section are its rows from `table.first` on. Source: draft-ietf-opsawg-pcapng §4.3, §4.4, appendix A.
    """
    offsets, captured, original, times = columns.offset, columns.captured, columns.original, columns.time_ns
    link_types, owners = columns.link_type, columns.interface
    multipliers, divisors, limits, shifts_ns = table.multiplier, table.divisor, table.limit, table.shift_ns
    link_type_of, snaplens = table.link_type, table.snaplen
    first, known = table.first, table.count
    if start < 0 or end > len(view) or first < 0:
        raise ValueError("the range to scan lies outside the buffer")
    rows = len(offsets)
    count = 0
    while count < rows:
        if end - start < 8:
            return count, start, MORE
        kind = word(view[start], view[start + 1], view[start + 2], view[start + 3], big)
        if kind == 6 or kind == 2:
            overhead = 32
        elif kind == 3:
            overhead = 16
        else:
            return count, start, OTHER
        length = word(view[start + 4], view[start + 5], view[start + 6], view[start + 7], big)
        if length < overhead or length > limit or length & 3:
            return count, start, BAD_LENGTH
        if end - start < length:
            return count, start, MORE
        tail = start + length - 4
        if word(view[tail], view[tail + 1], view[tail + 2], view[tail + 3], big) != length:
            return count, start, BAD_TRAILER

        if kind == 3:
            # A Simple Packet Block belongs to the section's first interface and has no time.
            owner = first
            if owner >= known:
                return count, start, BAD_INTERFACE
            on_wire = word(view[start + 8], view[start + 9], view[start + 10], view[start + 11], big)
            size = on_wire
            if 0 < snaplens[owner] < size:
                size = snaplens[owner]
            times[count] = 0
        else:
            if kind == 6:
                owner = word(view[start + 8], view[start + 9], view[start + 10], view[start + 11], big)
            elif big:
                owner = word(0, 0, view[start + 8], view[start + 9], big)
            else:
                owner = word(view[start + 8], view[start + 9], 0, 0, big)
            owner += first
            if owner >= known:
                return count, start, BAD_INTERFACE
            ticks = word(view[start + 12], view[start + 13], view[start + 14], view[start + 15], big)
            ticks = (ticks << 32) | word(view[start + 16], view[start + 17], view[start + 18], view[start + 19], big)
            size = word(view[start + 20], view[start + 21], view[start + 22], view[start + 23], big)
            on_wire = word(view[start + 24], view[start + 25], view[start + 26], view[start + 27], big)
            if ticks < limits[owner]:
                # The limit is such that neither the product nor the sum leaves int64.
                moment = ticks
                moment *= multipliers[owner]
                if divisors[owner] != 1:
                    moment //= divisors[owner]
                times[count] = moment + shifts_ns[owner]
            else:
                times[count] = table.clocks[owner].nanoseconds(ticks)
        if size > length - overhead:
            return count, start, BAD_CAPTURED
        offsets[count] = start + overhead - 4
        captured[count] = size
        original[count] = on_wire
        link_types[count] = link_type_of[owner]
        owners[count] = owner
        count += 1
        start += length
    return count, start, FULL
