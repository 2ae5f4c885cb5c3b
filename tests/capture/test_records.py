"""The scanners alone: what they take, why they stop, and that compiled and interpreted they are the same."""

import importlib.machinery
import importlib.util
import pathlib
import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture import records
from analyzer.capture.base import Columns
from analyzer.capture.interfaces import INT64_MAX, Clock, Interface, InterfaceTable
from tests.capture import strategies
from tests.capture.builders import PATCHED, Packet, block, enhanced, obsolete, pcap_record, simple


def load_interpreted():
    """The scanners as Python runs them, also where the compiled module stands beside the source."""
    path = str(pathlib.Path(records.__file__).with_name("records.py"))
    loader = importlib.machinery.SourceFileLoader("records_interpreted", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


interpreted = load_interpreted()
assert not interpreted.COMPILED

both = pytest.mark.parametrize(
    "scanner", [interpreted, records], ids=["interpreted", "compiled" if records.COMPILED else "imported"]
)


def taken(columns, count):
    return [array[:count].tolist() for array in columns.arrays]


def scan_pcap(scanner, data, start=0, end=None, rows=10, big=False, header=16, tick_ns=1000, old=False, limit=1000):
    columns = Columns(rows)
    end = len(data) if end is None else end
    count, stop, why = scanner.scan_pcap(
        memoryview(bytearray(data)), start, end, big, header, tick_ns, old, limit, columns
    )
    return count, stop, why, taken(columns, count)


def table_of(*described):
    """A table of interfaces, each a resolution, an offset in seconds and a snaplen."""
    table = InterfaceTable()
    for link_type, (resolution, offset_s, snaplen) in enumerate(described):
        table.add(Interface(link_type=link_type, snaplen=snaplen), Clock(resolution, offset_s))
    return table


MICROSECONDS = (6, 0, 0)


def scan_blocks(scanner, data, table, start=0, end=None, rows=10, big=False, limit=1000):
    columns = Columns(rows)
    end = len(data) if end is None else end
    count, stop, why = scanner.scan_blocks(memoryview(bytearray(data)), start, end, big, limit, table, columns)
    return count, stop, why, taken(columns, count)


PING, PONG = pcap_record(Packet(b"ping", 5000)), pcap_record(Packet(b"pong", 6000, 60))


@both
def test_whole_records_are_taken_and_the_cut_one_is_left(scanner):
    count, stop, why, (offset, captured, original, time_ns, *_) = scan_pcap(scanner, PING + PONG + PING[:-1])

    assert (count, stop, why) == (2, 40, records.MORE)
    assert (offset, captured, original, time_ns) == ([16, 36], [4, 4], [4, 60], [5000, 6000])


@both
def test_the_scan_stops_when_the_columns_are_full(scanner):
    assert scan_pcap(scanner, PING + PONG, rows=1)[:3] == (1, 20, records.FULL)


@both
def test_only_the_given_range_is_read(scanner):
    data = PING + PONG + PING

    assert scan_pcap(scanner, data, start=20, end=40)[:3] == (1, 40, records.MORE)
    assert scan_pcap(scanner, data, start=20, end=39)[:3] == (0, 20, records.MORE)
    assert scan_pcap(scanner, data, start=20, end=20)[:3] == (0, 20, records.MORE)


@both
@pytest.mark.parametrize(("start", "end"), [(-1, 20), (0, 21), (0, 2**62)])
def test_a_range_outside_the_buffer_is_a_bug_of_the_caller(scanner, start, end):
    with pytest.raises(ValueError, match="outside the buffer"):
        scan_pcap(scanner, PING, start=start, end=end)
    with pytest.raises(ValueError, match="outside the buffer"):
        scan_blocks(scanner, PING, table_of(), start=start, end=end)


@both
def test_a_claim_above_the_limit_is_found_before_its_bytes_are_waited_for(scanner):
    liar = struct.pack("<IIII", 0, 0, 1001, 0)

    assert scan_pcap(scanner, PING + liar)[:3] == (1, 20, records.BAD_CAPTURED)


@both
def test_the_header_may_be_longer(scanner):
    patched = pcap_record(Packet(b"ping"), magic=PATCHED)

    assert scan_pcap(scanner, patched, header=24)[3][0] == [24]


@both
@pytest.mark.parametrize(
    ("data", "stop", "why"),
    [
        (enhanced(b"ok") + enhanced(b"cut")[:-1], 36, records.MORE),
        (enhanced(b"ok") + b"\6\0\0\0\0\0\0", 36, records.MORE),
        (enhanced(b"ok") + block(5, b"") + enhanced(b"ok"), 36, records.OTHER),
        (enhanced(b"ok") + struct.pack("<II", 6, 28), 36, records.BAD_LENGTH),
        (enhanced(b"ok") + struct.pack("<II", 6, 34), 36, records.BAD_LENGTH),
        (enhanced(b"ok") + struct.pack("<II", 3, 1004), 36, records.BAD_LENGTH),
        (enhanced(b"ok") + enhanced(b"bad")[:-1] + b"!", 36, records.BAD_TRAILER),
        (enhanced(b"ok") + enhanced(b"bad", owner=1), 36, records.BAD_INTERFACE),
        (enhanced(b"ok") + obsolete(b"bad", owner=1), 36, records.BAD_INTERFACE),
        (enhanced(b"ok") + enhanced(b"bad", owner=2**32 - 1), 36, records.BAD_INTERFACE),
        (enhanced(b"ok") + simple(b"bad!", original=5), 36, records.BAD_CAPTURED),
    ],
)
def test_why_a_scan_of_blocks_stops(scanner, data, stop, why):
    assert scan_blocks(scanner, data, table_of(MICROSECONDS))[:3] == (1, stop, why)


@both
def test_the_columns_of_the_three_packet_blocks(scanner):
    data = enhanced(b"abc", 1, owner=1, original=9) + obsolete(b"de", 2) + simple(b"fghi", original=60)
    count, stop, why, columns = scan_blocks(scanner, data, table_of((6, 0, 4), (9, 7, 0)))

    assert (count, stop, why) == (3, len(data), records.MORE)
    assert columns == [[28, 64, 84], [3, 2, 4], [9, 2, 60], [7_000_000_001, 2000, 0], [1, 0, 0], [1, 0, 0]]


@strategies.patiently
@given(strategies.ticks, st.integers(0, 255), st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**10), 10**10))
def test_times_are_exact_for_every_resolution(ticks, resolution, offset_s):
    exponent = resolution & 0x7F
    unit = Fraction(1, 2**exponent if resolution & 0x80 else 10**exponent)
    exact = (ticks * unit * 10**9).__floor__() + offset_s * 10**9
    expected = max(-INT64_MAX, min(exact, INT64_MAX))

    assert Clock(resolution, offset_s).nanoseconds(ticks) == expected
    for scanner in (interpreted, records):
        columns = scan_blocks(scanner, enhanced(b"", ticks), table_of((resolution, offset_s, 0)))[3]
        assert columns[3] == [expected]


starts = st.integers(0, 40)


@strategies.patiently
@given(strategies.pcaps() | strategies.damaged(), starts, st.integers(1, 4), st.booleans(), st.sampled_from([16, 24]),
       st.sampled_from([1, 1000]), st.booleans())  # fmt: skip
def test_compiled_and_interpreted_agree_on_pcap(data, start, rows, big, header, tick_ns, old):
    start = min(start, len(data))
    answers = [
        scan_pcap(scanner, data, start, rows=rows, big=big, header=header, tick_ns=tick_ns, old=old)
        for scanner in (interpreted, records)
    ]

    assert answers[0] == answers[1]


described = st.tuples(st.integers(0, 255), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**32 - 1))


@strategies.patiently
@given(strategies.pcapngs | strategies.damaged(), st.booleans(), st.lists(described, max_size=3), st.integers(0, 3))
def test_compiled_and_interpreted_agree_on_blocks(data, big, interfaces, first):
    table = table_of(*interfaces)
    table.first = min(first, table.count)
    # From every block on that either byte order may see, so that other blocks do not end the test.
    for start in range(0, len(data), 4):
        answers = [scan_blocks(scanner, data, table, start, big=big, rows=3) for scanner in (interpreted, records)]
        assert answers[0] == answers[1]
