"""The buffer that slides over a source: when it grows, when it moves, what it never holds."""

import io

from analyzer.capture.source import open_capture
from analyzer.capture.window import Window
from tests.capture.builders import Packet, Stuttering, pcap, rows, seen

PING, PONG = Packet(b"ping"), Packet(b"pong")


def test_a_record_larger_than_a_chunk_grows_the_buffer_and_leaves_earlier_frames_alone():
    large = Packet(bytes(range(256)) * 800)
    with open_capture(io.BytesIO(pcap(PING, large, PONG)), chunk_bytes=64) as capture:
        first = next(capture)
        kept = first.data[first.offset[0] : first.offset[0] + 4]
        assert [frame.data for chunk in rows(capture) for frame in chunk] == [large.data, b"pong"]
        assert bytes(kept) == b"ping"


def test_a_large_record_through_a_slow_pipe_is_moved_at_most_once():
    window = Window(Stuttering(*[bytes([n]) * 20 for n in range(10)]), 150)
    assert window.need(4)
    window.start += 4
    starts = []
    for held in range(20, 150, 10):
        assert window.need(held)
        starts.append(window.start)

    # Little was consumed, so it stays where it is until the buffer's end comes into the way.
    assert starts == [4] * 13
    assert window.need(150)
    assert (window.start, window.offset, window.position) == (0, 4, 154)


def test_what_was_consumed_is_given_up_when_room_is_needed():
    window = Window(io.BytesIO(bytes(range(100))), 40)
    assert window.need(40)
    window.start += 30
    assert window.need(20)

    assert (window.start, window.offset, window.position) == (0, 30, 70)
    assert bytes(window.view[:3]) == bytes([30, 31, 32])
    assert window.unpack(">H", 1) == (0x1F20,)


def test_skipping_needs_no_room():
    window = Window(io.BytesIO(bytes(1000) + b"end"), 16)

    assert window.skip(1000)
    assert window.need(3)
    assert bytes(window.view[window.start : window.end]) == b"end"
    assert len(window.view) == 16
    assert not window.skip(4)


def test_an_object_with_nothing_but_read_is_enough():
    class Least:
        def __init__(self):
            self.read = io.BytesIO(pcap(PING, PONG)).read

    assert seen(open_capture(Least())).data == [b"ping", b"pong"]
