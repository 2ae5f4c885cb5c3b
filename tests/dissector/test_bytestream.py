"""One side's bytes in order: what the consumer is told, however the segments come."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.dissector import bytestream
from analyzer.dissector.bytestream import ByteStream
from analyzer.dissector.layer import Layer

CONTENT = bytes(range(1, 101))


class Recorder(Layer):
    """What a consumer is told: the bytes, and ("gap", length, cause) or ("skip", length) in their place."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.packets: list[int] = []

    def feed(self, side: int, data: bytes, at_ns: int, packet: int) -> None:
        assert (side, at_ns) == (1, packet * 10)
        assert data
        self.packets.append(packet)
        if self.told and isinstance(self.told[-1], bytes):
            data = self.told.pop() + data
        self.told.append(data)

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        assert (side, at_ns) == (1, packet * 10)
        assert length > 0
        self.told.append(("skip", length))

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        assert side == 1
        assert length > 0
        self.told.append(("gap", length, cause))

    def skippable(self, side: int) -> int:
        return 0


class Side:
    """The sender of CONTENT, and what the packet stage says of its segments: which bytes are missing by then."""

    def __init__(self, content: bytes = CONTENT, wanted: int = 0):
        self.content = content
        self.recorder = Recorder()
        self.stream = ByteStream(1)
        self.captured: set[int] = set()
        self.highest = 0
        self.wanted = wanted  # segments before it are not handed on, unless they fill a hole
        self.packet = 0

    def missing(self) -> int:
        return self.highest - len(self.captured)

    def send(self, begin: int, end: int, captured: int | None = None) -> None:
        """Bytes `begin` to `end` of the content; `captured`: so many of them, all unless said otherwise."""
        self.packet += 1
        fills = begin < self.highest and not self.captured.issuperset(range(begin, min(end, self.highest)))
        self.captured.update(range(begin, end))
        self.highest = max(self.highest, end)
        if end > self.wanted or fills:
            data = self.content[begin:end][:captured]
            self.stream.segment(
                self.recorder, begin + 1, end - begin, data, self.packet * 10, self.packet, self.missing()
            )

    def acknowledge(self, end: int) -> None:
        self.packet += 1
        self.stream.acknowledged(self.recorder, end + 1, self.packet, self.missing())

    def end(self, at: int | None = None) -> None:
        self.packet += 1
        at = len(self.content) if at is None else at
        self.highest = max(self.highest, at)
        self.stream.end(self.recorder, at + 1, self.packet * 10, self.packet, self.missing())

    @property
    def told(self) -> list[Any]:
        return self.recorder.told


def test_in_order():
    side = Side()
    for at in range(0, 100, 10):
        side.send(at, at + 10)
        assert side.told == [CONTENT[: at + 10]]
    assert side.recorder.packets == list(range(1, 11))


def test_a_segment_sent_twice_is_told_once():
    side = Side()
    side.send(0, 10)
    side.send(0, 10)
    side.send(10, 20)
    side.send(0, 10)
    assert side.told == [CONTENT[:20]]


def test_of_an_overlapping_segment_only_the_rest_is_new():
    side = Side()
    side.send(0, 10)
    side.send(5, 15)
    side.send(0, 20)
    assert side.told == [CONTENT[:20]]


def test_out_of_order_waits():
    side = Side()
    side.send(0, 10)
    side.send(20, 30)
    side.send(30, 40)
    assert side.told == [CONTENT[:10]]
    side.send(10, 20)
    assert side.told == [CONTENT[:40]]
    assert side.recorder.packets == [1, 4, 2, 3]


def test_a_hole_is_filled_piece_by_piece():
    side = Side()
    side.send(30, 40)
    side.send(10, 20)
    side.send(0, 10)
    assert side.told == [CONTENT[:20]]
    side.send(15, 35)
    assert side.told == [CONTENT[:40]]


def test_what_the_peer_acknowledged_is_a_gap():
    side = Side()
    side.send(0, 10)
    side.send(15, 20)
    side.send(30, 40)
    side.acknowledge(10)
    assert side.told == [CONTENT[:10]]
    side.acknowledge(20)
    assert side.told == [CONTENT[:10], ("gap", 5, "lost-in-capture"), CONTENT[15:20]]
    side.acknowledge(40)
    assert side.told[3:] == [("gap", 10, "lost-in-capture"), CONTENT[30:40]]
    side.send(40, 50)
    assert side.told[4] == CONTENT[30:50]


def test_what_comes_after_it_was_told_lost_is_passed_over():
    side = Side()
    side.send(10, 20)
    side.acknowledge(20)
    side.send(0, 10)
    side.send(20, 30)
    assert side.told == [("gap", 10, "lost-in-capture"), CONTENT[10:30]]


def test_a_cut_packet_is_a_gap():
    side = Side()
    side.send(0, 10, captured=4)
    side.send(10, 20, captured=0)
    side.send(20, 30)
    assert side.told == [CONTENT[:4], ("gap", 6, "snaplen"), ("gap", 10, "snaplen"), CONTENT[20:30]]


def test_what_nobody_wants_is_skipped():
    side = Side(wanted=55)
    side.send(0, 10)
    side.send(10, 50)
    assert side.told == []
    side.send(50, 60)
    assert side.told == [("skip", 50), CONTENT[50:60]]


def test_a_hole_in_what_nobody_wants_is_a_gap_all_the_same():
    side = Side(wanted=55)
    side.send(0, 10)
    side.send(20, 50)
    side.send(50, 60)
    assert side.told == []
    side.acknowledge(60)
    assert side.told == [("gap", 10, "lost-in-capture"), ("skip", 40), CONTENT[50:60]]


def test_a_hole_in_what_nobody_wants_that_is_filled_is_none():
    side = Side(wanted=55)
    side.send(0, 10)
    side.send(20, 50)
    side.send(10, 20)
    side.send(50, 60)
    assert sum(told[1] for told in side.told if told[0] == "skip") + 10 == 50
    assert not [told for told in side.told if told[0] == "gap"]


def test_what_waited_comes_before_what_is_sent_later_though_nobody_wanted_what_it_waited_for():
    side = Side(wanted=55)
    side.send(0, 10)
    side.send(50, 60)
    assert side.told == []
    side.captured.update(range(10, 50))  # and not handed on
    side.send(60, 70)
    assert side.told == [("skip", 50), CONTENT[50:70]]


def test_of_what_nobody_wanted_only_what_is_missing_is_a_gap_when_too_many_bytes_wait(monkeypatch):
    monkeypatch.setattr(bytestream, "MOST_HELD_BYTES", 20)
    side = Side(wanted=55)
    side.send(0, 10)
    side.send(20, 50)
    side.send(50, 60)
    side.send(60, 80)
    assert side.told == [("gap", 10, "buffer-full"), ("skip", 40), CONTENT[50:80]]


def test_no_more_than_so_many_bytes_wait(monkeypatch):
    monkeypatch.setattr(bytestream, "MOST_HELD_BYTES", 20)
    side = Side()
    side.send(10, 20)
    side.send(30, 40)
    assert side.told == []
    side.send(40, 50)
    assert side.told == [("gap", 10, "buffer-full"), CONTENT[10:20]]
    side.send(20, 30)
    assert side.told == [("gap", 10, "buffer-full"), CONTENT[10:50]]


def test_nor_segments(monkeypatch):
    monkeypatch.setattr(bytestream, "MOST_HELD_SEGMENTS", 3)
    side = Side()
    for at in (2, 4, 6):
        side.send(at, at + 1)
    assert side.told == []
    side.send(8, 9)
    assert side.told == [("gap", 2, "buffer-full"), CONTENT[2:3]]


def test_the_end_with_nothing_missing():
    side = Side()
    side.send(0, 100)
    side.end()
    assert side.told == [CONTENT]


def test_the_end_tells_what_is_missing():
    side = Side()
    side.send(0, 10)
    side.send(20, 30)
    side.end(50)
    gap = ("gap", 10, "lost-in-capture")
    assert side.told == [CONTENT[:10], gap, CONTENT[20:30], ("gap", 20, "lost-in-capture")]


def test_the_end_of_what_nobody_wanted():
    side = Side(wanted=200)
    side.send(0, 60)
    side.end(60)
    assert side.told == [("skip", 60)]


SPANS = st.tuples(st.integers(0, 60), st.integers(1, 25))


def check(side: Side, content: bytes) -> None:
    """Every byte that was told is the right one, and nothing was left out or made up."""
    at = 0
    for told in side.told:
        if isinstance(told, bytes):
            assert told == content[at : at + len(told)]
            at += len(told)
        else:
            at += told[1]
    assert at == len(content)


@settings(max_examples=500)
@given(
    st.binary(min_size=1, max_size=60),
    st.lists(st.integers(1, 59), unique=True),
    st.randoms(use_true_random=False),
    st.lists(SPANS, max_size=5),
)
def test_any_order_gives_the_same_bytes(content, cuts, random, again):
    places = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    spans = list(itertools.pairwise(places))
    spans += [(begin, min(begin + length, len(content))) for begin, length in again if begin < len(content)]
    random.shuffle(spans)
    side = Side(content)
    for begin, end in spans:
        side.send(begin, end)
    assert side.told == [content]
    side.end()
    assert side.told == [content]


@settings(max_examples=1000)
@given(
    st.binary(min_size=1, max_size=60),
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), SPANS, st.one_of(st.none(), st.integers(0, 10))),
            st.tuples(st.just("acknowledge"), st.integers(0, 60)),
        ),
        max_size=25,
    ),
    st.sampled_from([0, 0, 20, 60]),
)
def test_what_is_lost_adds_up(content, happens, wanted):
    side = Side(content, wanted)
    for what, *arguments in happens:
        if what == "acknowledge":
            side.acknowledge(min(arguments[0], side.highest))
        elif arguments[0][0] < len(content):
            (begin, length), captured = arguments
            side.send(begin, min(begin + length, len(content)), captured)
    side.end()
    check(side, content)
