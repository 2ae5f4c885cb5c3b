"""WebSocket frames by opcode and side, and what RFC 6455 forbids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.probing import Probe
from analyzer.dissector.websocket import CLIENT, SERVER, Dissector, accept_of, probe
from tests.capture.strategies import patiently

MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = False, bits: int = 0) -> bytes:
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    extended = size.to_bytes(2 if short == 126 else 8, "big") if short > 125 else b""
    head = bytes([final << 7 | bits << 4 | opcode, masked << 7 | short]) + extended
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


def play(*frames: bytes, side: int = SERVER, chunk: int = 0, extensions: bool = False) -> Dissector:
    dissector = Dissector(extensions=extensions)
    data = b"".join(frames)
    for at in range(0, len(data), chunk or max(1, len(data))):
        dissector.feed(side, data[at : at + (chunk or len(data))], 1, 1)
    return dissector


def faults(dissector: Dissector) -> list[str]:
    return [fault.message for fault in dissector.faults]


def test_the_accept_of_the_standard():  # RFC 6455 §1.3
    assert accept_of(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize("chunk", [0, 1, 7])
def test_frames_are_counted_by_opcode(chunk):
    found = play(
        frame(1, b"hello"), frame(2, bytes(300)), frame(2, bytes(70000)), frame(9, b"?"), frame(10),
        frame(8, b"\x03\xe9bye"), chunk=chunk,
    )  # fmt: skip
    assert found.frames == ({}, {"text": 1, "binary": 2, "ping": 1, "pong": 1, "close": 1})
    assert (found.messages, found.payload_bytes) == ([0, 3], [0, 70311])
    assert (found.close_code, found.closed_by, faults(found)) == (1001, SERVER, [])


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_clients_frames_are_masked(chunk):
    found = play(frame(1, b"hi", masked=True), frame(8, b"\x03\xe8", masked=True), side=CLIENT, chunk=chunk)
    assert (found.frames[CLIENT], found.close_code, faults(found)) == ({"text": 1, "close": 1}, 1000, [])


def test_fragments_with_control_frames_between():
    found = play(frame(1, b"a", final=False), frame(9), frame(0, b"b", final=False), frame(0, b"c"))
    assert found.frames[SERVER] == {"text": 1, "ping": 1, "continuation": 2}
    assert (found.messages[SERVER], faults(found)) == (1, [])


def test_compressed_messages():
    found = play(frame(1, b"x", bits=4), frame(1, b"y"), extensions=True)
    assert (found.compressed[SERVER], faults(found)) == (1, [])


VIOLATIONS = [
    ([frame(1, b"x", bits=4)], "§5.2"),
    ([frame(3)], "§5.2"),
    ([frame(11)], "§5.2"),
    ([frame(1, b"x", masked=True)], "§5.1"),
    ([frame(9, b"x", final=False)], "§5.5"),
    ([frame(9, bytes(126))], "§5.5"),
    ([frame(8, bytes(200))], "§5.5"),
    ([frame(0, b"x")], "§5.4"),
    ([frame(1, final=False), frame(2)], "§5.4"),
    ([b"\x81\x7e\x00\x01x"], "§5.2"),
    ([b"\x81\x7f" + bytes(7) + b"\x01x"], "§5.2"),
    ([b"\x81\x7f\x80" + bytes(7)], "§5.2"),
    ([frame(8), frame(1)], "§5.5.1"),
    ([frame(8, b"x")], "§5.5.1"),
    ([frame(8, b"\x03\xed")], "§7.4"),
    ([frame(8, b"\x00\x01")], "§7.4"),
]


@pytest.mark.parametrize(("frames", "section"), VIOLATIONS)
@pytest.mark.parametrize("chunk", [0, 1])
def test_violations(frames, section, chunk):
    found = play(*frames, chunk=chunk)
    assert [fault.layer for fault in found.faults] == ["websocket"]
    assert faults(found)[0].endswith(f"(RFC 6455 {section})")


def test_a_client_that_does_not_mask():
    assert "client's frame is not masked" in faults(play(frame(1, b"x"), side=CLIENT))[0]


def test_payloads_need_not_be_fed():
    found = play(frame(2, bytes(1000))[:14])
    assert found.skippable(SERVER) == 990
    found.skip(SERVER, 990, 1, 2)
    found.feed(SERVER, frame(1, b"x"), 1, 3)
    assert (found.frames[SERVER], found.payload_bytes[SERVER]) == ({"binary": 1, "text": 1}, 1001)
    assert play(frame(8, b"\x03\xe8x")[:3]).skippable(SERVER) == 0, "the code of a Close is read"


def test_a_gap_in_a_payload_is_counted():
    found = play(frame(2, bytes(100))[:50])
    found.gap(SERVER, 52, "lost-in-capture", 2)
    found.feed(SERVER, frame(1, b"x"), 1, 3)
    assert (found.frames[SERVER], faults(found)) == ({"binary": 1, "text": 1}, [])


def test_after_a_gap_in_a_header_nothing_is_known():
    found = play(frame(2, bytes(100))[:50])
    found.gap(SERVER, 60, "lost-in-capture", 2)
    found.feed(SERVER, frame(1, b"x"), 1, 3)
    assert found.frames[SERVER] == {"binary": 1}
    assert faults(found) == ["8 bytes are missing where a frame begins: lost-in-capture; no more frames are counted"]
    assert found.skippable(SERVER) > 1 << 60


@pytest.mark.parametrize(
    ("data", "how", "count"), [(b"\x81", "fin", 1), (b"\x81\x05a", "rst", 1), (b"", "fin", 0), (b"\x81", "end", 0)]
)
def test_the_connection_ends_inside_a_frame(data, how, count):
    found = play(data)
    found.close(SERVER, how, 1, 2)
    assert len(found.faults) == count


def test_faults_are_bounded():
    found = play(*[frame(3)] * 150)
    assert (len(found.faults), found.faults_beyond) == (100, 50)


def test_probe():
    assert probe(CLIENT, b"\x81") is Probe.NEED_MORE
    assert probe(CLIENT, b"\x81\x85") is Probe.NEED_MORE
    assert probe(CLIENT, b"\x81\x05") is Probe.NO_MATCH
    assert probe(SERVER, b"\x83\x00") is Probe.NO_MATCH


def everything(found: Dissector):
    return found.frames, found.messages, found.payload_bytes, found.close_code, found.closed_by, found.faults


@patiently
@given(st.sampled_from([CLIENT, SERVER]), st.binary(max_size=80), st.integers(1, 9), st.booleans())
def test_segments_do_not_matter(side, data, chunk, extensions):
    whole = play(data, side=side, extensions=extensions)
    assert everything(play(data, side=side, chunk=chunk, extensions=extensions)) == everything(whole)
    assert all(len(state.payload) <= 125 and len(state.header) < 14 for state in whole._sides)
