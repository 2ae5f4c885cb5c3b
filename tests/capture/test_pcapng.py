"""pcapng files: sections, interfaces, every kind of block."""

import struct
import tracemalloc

import pytest

from analyzer.capture import base, interfaces, pcapng
from analyzer.capture.source import Secrets, open_capture
from analyzer.errors import InputError
from tests.capture.builders import (
    Frame,
    block,
    enhanced,
    interface,
    obsolete,
    option,
    read,
    secrets,
    section,
    seen,
    simple,
    statistics,
)

NOON_US = 1_400_000_000_000_000
START = section() + interface()


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_kind_of_packet_block(order):
    said = read(
        section(order)
        + interface(order, link_type=101, snaplen=5)
        + enhanced(b"enhanced", NOON_US + 1, order=order, original=99)
        + obsolete(b"old", NOON_US + 2, order=order)
        + simple(b"simpl", original=60, order=order)
    )

    assert said.frames == [
        Frame(1, (NOON_US + 1) * 1000, b"enhanced", 99, 101, 0),
        Frame(2, (NOON_US + 2) * 1000, b"old", 3, 101, 0),
        Frame(3, 0, b"simpl", 60, 101, 0),  # a simple packet has no time, and the snaplen tells its length
    ]
    assert said.warnings == []


def test_interface_ids_restart_in_each_section_and_byte_orders_may_differ():
    said = read(
        section("<")
        + interface("<", link_type=1, name="eth0")
        + interface("<", link_type=101, name="tun0")
        + enhanced(b"a", owner=1)
        + section(">")
        + interface(">", link_type=113, name="any", resolution=9)
        + enhanced(b"b", 77, owner=0, order=">")
        + simple(b"c", order=">")
    )

    assert [(frame.number, frame.data, frame.interface, frame.link_type) for frame in said.frames] == [
        (1, b"a", 1, 101),
        (2, b"b", 2, 113),
        (3, b"c", 2, 113),
    ]
    assert [one.name for one in said.interfaces] == ["eth0", "tun0", "any"]
    assert said.times == [0, 77, 0]


def test_a_section_may_not_use_interfaces_of_the_one_before():
    said = read(START + enhanced(b"mine") + section() + enhanced(b"whose?"))

    assert said.data == [b"mine"]
    assert said.warnings == [
        "pcapng enhanced packet block at byte offset 112 names an interface that was not described; "
        "reading stopped there"
    ]


@pytest.mark.parametrize(
    ("resolution", "offset_s", "ticks", "time_ns"),
    [
        (None, None, 1_000_001, 1_000_001_000),
        (9, None, 1_000_001, 1_000_001),
        (3, None, 1_001, 1_001_000_000),
        (0, None, 5, 5_000_000_000),
        (12, None, 1_999, 1),
        (0x80 | 10, None, 1025, 1_000_976_562),  # 1025/1024 s
        (0x80 | 32, None, 3 << 31, 1_500_000_000),
        (0x80 | 63, None, 2**63 + 2**62, 1_500_000_000),
        (0x80 | 127, None, 2**64 - 1, 0),
        (6, 3, 1, 3_000_001_000),
        (6, -3, 1, -2_999_999_000),
        (127, None, 2**64 - 1, 0),
        (0, None, 2**64 - 1, 2**63 - 1),
        (6, 2**63 - 1, 0, 2**63 - 1),
        (6, -(2**63), 0, -(2**63) + 1),
    ],
)
def test_ticks_become_nanoseconds(resolution, offset_s, ticks, time_ns):
    data = section() + interface(resolution=resolution, offset_s=offset_s)

    assert read(data + enhanced(b"", ticks) + obsolete(b"", ticks)).times == [time_ns, time_ns]


def test_more_interfaces_than_a_table_begins_with():
    many = b"".join(interface(link_type=number, name=f"eth{number}") for number in range(100))
    said = read(section() + many + enhanced(b"x", owner=99) + enhanced(b"y", owner=0))

    assert [(frame.interface, frame.link_type) for frame in said.frames] == [(99, 99), (0, 0)]
    assert said.interfaces[57].name == "eth57"


def test_statistics_become_counts_and_later_ones_win():
    (one, other) = read(
        START
        + interface()
        + statistics(0, ifrecv=10, ifdrop=1)
        + statistics(0, ifrecv=20, ifdrop=2, osdrop=3, filteraccept=15)
    ).interfaces

    assert (one.received, one.accepted, one.dropped_by_interface, one.dropped_by_system) == (20, 15, 2, 3)
    assert one.dropped == 5
    assert (other.received, other.dropped) == (None, None)


def test_statistics_of_an_unknown_interface_are_a_warning():
    said = read(START + statistics(4, ifrecv=1) + enhanced(b"goes on"))

    assert said.data == [b"goes on"]
    assert said.warnings == [
        "pcapng interface statistics at byte offset 48 counts packets of interface 4, which was not described"
    ]


def test_secrets_are_kept():
    said = read(START + secrets(b"CLIENT_RANDOM ab cd\n") + enhanced(b"x") + secrets(b"k", kind=1))

    assert said.secrets == [Secrets(0x544C534B, b"CLIENT_RANDOM ab cd\n"), Secrets(1, b"k")]


def test_secrets_are_bounded(monkeypatch):
    monkeypatch.setattr(pcapng, "MAX_SECRETS_BYTES", 1000)
    said = read(START + secrets(bytes(400)) + 3 * secrets(bytes(900)) + secrets(b"late") + enhanced(b"goes on"))

    assert [len(one.data) for one in said.secrets] == [400]
    assert said.data == [b"goes on"]
    (warning,) = said.warnings
    assert "is beyond the 1000 bytes of secrets that are kept; the rest is ignored" in warning


def test_other_blocks_are_passed_over():
    said = read(START + block(4, b"names") + enhanced(b"x") + block(0x7777, b"") + enhanced(b"y"))

    assert [(frame.number, frame.data) for frame in said.frames] == [(1, b"x"), (2, b"y")]


def test_blocks_that_wireshark_numbers_take_a_number():
    said = read(START + enhanced(b"x") + block(0xBAD, struct.pack("<I", 32473)) + enhanced(b"y"))

    assert [(frame.number, frame.data) for frame in said.frames] == [(1, b"x"), (3, b"y")]


class Endless:
    """A file of a beginning, then zeros, then an end, of which nothing is in memory."""

    def __init__(self, beginning: bytes, zeros: int, end: bytes):
        self.parts = [beginning, zeros, end]

    def read(self, size: int) -> bytes:
        while self.parts:
            part = self.parts[0]
            if isinstance(part, int) and part:
                self.parts[0] = part - min(size, part)
                return bytes(min(size, part))
            if isinstance(part, bytes) and part:
                self.parts[0] = part[size:]
                return part[:size]
            self.parts.pop(0)
        return b""


def test_a_huge_unknown_block_is_never_held():
    length = 1 << 30
    framing = struct.pack("<I", length)
    file = Endless(START + struct.pack("<I", 0x7777) + framing, length - 12, framing + enhanced(b"after"))

    tracemalloc.start()
    with open_capture(file, chunk_bytes=1 << 16) as capture:
        said = seen(capture)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert said.data == [b"after"]
    assert peak < 2 << 20


def test_descriptions_of_interfaces_are_bounded(monkeypatch):
    monkeypatch.setattr(pcapng, "MAX_INTERFACES", 3)
    said = read(section() + 3 * interface() + enhanced(b"x") + interface() + enhanced(b"y"))

    assert said.data == [b"x"]
    assert "describes one interface more than 3" in said.warnings[0]
    assert interfaces.MAX_INTERFACES == 65_536


def test_the_name_of_an_interface_is_bounded():
    for length, kept in ((pcapng.MAX_NAME_BYTES, pcapng.MAX_NAME_BYTES), (60_000, pcapng.MAX_NAME_BYTES)):
        said = read(section() + interface(name="e" * length) + enhanced(b"x"))
        assert [one.name for one in said.interfaces] == ["e" * kept]
        assert (said.data, said.warnings) == ([b"x"], [])


def test_warnings_are_bounded_and_the_reason_for_stopping_is_the_last():
    said = read(START + 300 * statistics(9) + block(6, b""))

    assert len(said.warnings) == base.MAX_WARNINGS + 1
    assert said.warnings[-1].endswith("reading stopped there")


def broken(kind: int, length: int, trailer: int | None = None) -> bytes:
    """A block whose framing lies."""
    end = struct.pack("<I", length if trailer is None else trailer)
    return struct.pack("<II", kind, length) + bytes(max(length - 12, 0) if length < 1000 else 100) + end


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (broken(6, 28), "enhanced packet block at byte offset 84 claims an impossible length of 28 bytes"),
        (broken(6, 33), "enhanced packet block at byte offset 84 claims an impossible length of 33 bytes"),
        (
            broken(6, 2**32 - 4),
            "enhanced packet block at byte offset 84 claims an impossible length of 4294967292 bytes",
        ),
        (broken(6, 64, 68), "enhanced packet block at byte offset 84 has length 64 at its beginning but 68 at its end"),
        (broken(0x77, 8), "block of type 119 at byte offset 84 claims an impossible length of 8 bytes"),
        (broken(0x77, 64, 68), "block of type 119 at byte offset 84 has length 64 at its beginning but 68 at its end"),
        (broken(1, 16), "interface description at byte offset 84 claims an impossible length of 16 bytes"),
        (broken(5, 20), "interface statistics at byte offset 84 claims an impossible length of 20 bytes"),
        (broken(10, 16), "decryption secrets at byte offset 84 claims an impossible length of 16 bytes"),
        (
            block(10, struct.pack("<II", 1, 9) + bytes(8)),
            "decryption secrets at byte offset 84 claims 9 bytes of secrets in a block of 28",
        ),
        (
            block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9) + bytes(8)),
            "enhanced packet block at byte offset 84 claims 9 captured bytes in a block of 40",
        ),
        (simple(b"four", original=5), "simple packet block at byte offset 84 claims 5 captured bytes in a block of 20"),
        (enhanced(b"", owner=1), "enhanced packet block at byte offset 84 names an interface that was not described"),
        (obsolete(b"", owner=65535), "packet block at byte offset 84 names an interface that was not described"),
        (section(version=(2, 0)), "section header at byte offset 84 claims version 2.0, known is 1.0"),
        (broken(0x0A0D0D0A, 28), "section header at byte offset 84 has the unknown byte-order magic 00000000"),
    ],
)
def test_damage_is_named_and_all_before_it_delivered(bad, complaint):
    said = read(START + enhanced(b"fine") + bad)

    assert said.data == [b"fine"]
    assert said.warnings == [f"pcapng {complaint}; reading stopped there"]


@pytest.mark.parametrize("whole", [enhanced(b"four"), block(0x77, b"four"), interface(), statistics(), secrets(b"1")])
def test_a_cut_off_block_is_named(whole):
    for there in range(1, len(whole)):
        said = read(START + enhanced(b"fine") + whole[:there])

        assert said.data == [b"fine"]
        (warning,) = said.warnings
        assert f"at byte offset 84 is cut off: {there} of its {len(whole) if there >= 8 else 8} bytes" in warning


def test_damaged_options_cost_only_themselves():
    said = read(
        section(options=option(4, b"a section's options do not matter")[:-2] + b"\xff\xff")
        + interface(name="eth0", options=option(9, b"too long") + struct.pack("<HH", 14, 500))
        + enhanced(b"x", 1)
    )

    assert said.interfaces[0].name == "eth0"
    assert said.times == [1000]
    assert [warning.partition(" has ")[2] for warning in said.warnings] == [
        "a damaged option 14, which is ignored with those after it",
        "an option 9 of 8 bytes, which is ignored",
    ]


def test_no_packets_are_fine():
    for data in (section(), START, section() + section(">")):
        said = read(data)
        assert said.frames == said.warnings == []


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (section(version=(7, 1)), "pcapng section header at byte offset 0 claims version 7.1, known is 1.0"),
        (section()[:8] + b"what" + section()[12:], "unknown byte-order magic 77686174"),
        (section()[:27], "is cut off: 27 of its 28 bytes are there"),
    ],
)
def test_without_a_section_header_nothing_can_be_read(data, complaint):
    with pytest.raises(InputError) as caught:
        read(data)

    assert complaint in str(caught.value)
