"""What holds the bytes of two sides until it is known whose they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.layer import EVERYTHING, Layer
from analyzer.dissector.undecided import HELD_LIMIT, Undecided

CLIENT, SERVER = 0, 1


class Recorder(Layer):
    """A layer that writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple] = []

    def feed(self, side, data, at_ns, packet):
        self.heard.append((side, bytes(data), packet))

    def skippable(self, side):
        return 7

    def skip(self, side, length, at_ns, packet):
        self.heard.append((side, "skip", length, packet))

    def gap(self, side, length, cause, packet):
        self.heard.append((side, cause, length, packet))

    def close(self, side, how, at_ns, packet):
        self.heard.append((side, how, packet))


def held(*pieces: tuple[int, bytes]) -> Undecided:
    undecided = Undecided()
    for packet, (side, data) in enumerate(pieces, 1):
        undecided.feed(side, data, packet, packet)
    return undecided


def test_everything_is_told_in_the_order_in_which_it_came():
    undecided = held((CLIENT, b"one"), (SERVER, b"two"))
    undecided.gap(CLIENT, 5, "lost-in-capture", 3)
    undecided.feed(CLIENT, b"three", 4, 4)
    undecided.close(CLIENT, "fin", 5, 5)
    assert undecided.open
    undecided.take(Recorder())
    undecided.feed(SERVER, b"four", 6, 6)
    undecided.skip(SERVER, 9, 7, 7)
    assert undecided.inner.heard == [
        (CLIENT, b"one", 1), (SERVER, b"two", 2), (CLIENT, "lost-in-capture", 5, 3), (CLIENT, b"three", 4),
        (CLIENT, "fin", 5), (SERVER, b"four", 6), (SERVER, "skip", 9, 7),
    ]  # fmt: skip
    assert undecided.bytes == [13, 16]
    assert not undecided.open


def test_what_is_behind_a_gap_tells_nothing_about_the_beginning():
    undecided = held((CLIENT, b"GE"), (CLIENT, b"T "))
    undecided.gap(CLIENT, 1, "lost-in-capture", 3)
    undecided.feed(CLIENT, b"/", 4, 4)
    assert undecided.pending(CLIENT) == b"GET "
    assert undecided.pending(SERVER) == b""


def test_every_byte_matters_until_it_is_decided():
    undecided = held((CLIENT, b"x"))
    assert undecided.skippable(CLIENT) == 0
    undecided.take(Recorder())
    assert undecided.skippable(CLIENT) == 7


def test_what_nobody_wants_is_counted():
    undecided = held((CLIENT, b"x"))
    undecided.drop()
    undecided.feed(CLIENT, b"more", 2, 2)
    undecided.gap(SERVER, 3, "lost-in-capture", 3)
    assert undecided.skippable(SERVER) == EVERYTHING
    assert undecided.bytes == [5, 3]
    assert undecided.pending(CLIENT) == b""


@pytest.mark.parametrize("size", [1, 60_000])
def test_nothing_is_kept_beyond_the_limit(size):
    undecided = Undecided()
    for packet in range(HELD_LIMIT // size + 2):
        undecided.feed(CLIENT, bytes(size), packet, packet)
        if undecided.dropped:
            break
    assert undecided.dropped
    # Each piece counts more than its bytes, for it costs more.
    assert HELD_LIMIT // (size + 64) <= packet <= HELD_LIMIT // size


@pytest.mark.parametrize("size", [1, 100, 1400, 60_000])
def test_what_may_begin_anywhere_is_not_looked_for_with_every_segment(size):
    """Otherwise a connection that was open before the capture would cost more, the more segments it has."""
    undecided, looked_through, held = Undecided(), 0, 0
    while not undecided.dropped:
        undecided.feed(CLIENT, bytes(size), 0, 0)
        held += size
        if undecided.open and undecided.grown():
            looked_through += held
    assert looked_through < 1.4 * held + 8192**2 / (size + 64)


@given(st.lists(st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(min_size=1, max_size=9)), max_size=9), st.data())
def test_what_is_cut_off_is_gone_and_nothing_else(pieces, data):
    undecided = held(*pieces)
    whole = {side: b"".join(piece for of, piece in pieces if of == side) for side in (CLIENT, SERVER)}
    length = data.draw(st.integers(0, len(whole[CLIENT])))
    undecided.cut(CLIENT, length)
    assert undecided.pending(CLIENT) == whole[CLIENT][length:]
    undecided.take(Recorder())
    for side, rest in ((CLIENT, whole[CLIENT][length:]), (SERVER, whole[SERVER])):
        assert b"".join(piece for of, piece, _ in undecided.inner.heard if of == side) == rest


@given(st.lists(st.tuples(st.sampled_from([CLIENT, SERVER]), st.binary(min_size=1, max_size=9)), max_size=9))
def test_sides_that_were_taken_for_each_other(pieces):
    undecided, other = held(*pieces), held(*((1 - side, data) for side, data in pieces))
    undecided.turn()
    assert undecided.bytes == other.bytes
    for one in (undecided, other):
        one.take(Recorder())
    assert undecided.inner.heard == other.inner.heard
