"""What a server says of itself: ALTSVC (RFC 7838 §4) and ORIGIN (RFC 8336 §2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.http2.findings import MOST_ANNOUNCED
from tests.dissector.http2_talk import Talk, faults, frame, get, number, only_fault

ALTSVC, ORIGIN = 10, 12


def altsvc(origin: bytes, value: bytes, stream: int = 0) -> bytes:
    return frame(ALTSVC, 0, stream, number(len(origin), 2) + origin + value)


def origins(*names: bytes, flags: int = 0, stream: int = 0) -> bytes:
    return frame(ORIGIN, flags, stream, b"".join(number(len(name), 2) + name for name in names))


def test_what_they_say():
    talk = Talk().c(get(1)).s(altsvc(b"http://a.test", b'h2=":8000"'), altsvc(b"", b"clear", 1))
    talk.s(origins(b"https://a.test", b"https://b.test"), origins())
    said = [(one.stream, one.origin, one.value, one.packet) for one in talk.dissector.alternatives]
    assert said == [(0, "http://a.test", 'h2=":8000"', 5), (1, None, "clear", 5)]
    assert [one.origins for one in talk.dissector.origins] == [["https://a.test", "https://b.test"], []]
    assert faults(talk) == []


@pytest.mark.parametrize(("side", "said", "fault"), [
    ("s", altsvc(b"", b"h2"), "ALTSVC on stream 0 without an origin (RFC 7838 §4): its receiver must ignore it"),
    ("s", altsvc(b"a", b"h2", 1), "ALTSVC on a stream with an origin (RFC 7838 §4): its receiver must ignore it"),
    ("c", altsvc(b"a", b"h2"), "ALTSVC of the client (RFC 7838 §4): its receiver must ignore it"),
    ("s", frame(ALTSVC, 0, 0, b"\0\x09abc"), "ALTSVC of 5 bytes is too short: FRAME_SIZE_ERROR (RFC 7838 §4)"),
    ("s", frame(ALTSVC, 0, 0, b"\0"), "ALTSVC of 1 bytes is too short: FRAME_SIZE_ERROR (RFC 7838 §4)"),
    ("c", origins(b"a"), "ORIGIN of the client (RFC 8336 §2.1): its receiver must ignore it"),
    ("s", origins(b"a", stream=1), "ORIGIN on a stream that is not 0 (RFC 8336 §2.1): its receiver must ignore it"),
    ("s", origins(b"a", flags=4), "ORIGIN with flags (RFC 8336 §2.1): its receiver must ignore it"),
])  # fmt: skip
def test_what_counts_for_nothing(side, said, fault):
    talk = Talk().c(get(1))
    getattr(talk, side)(said, said)
    assert faults(talk)[:1] == [fault]
    assert talk.dissector.alternatives == talk.dissector.origins == []


def test_an_entry_without_its_end():
    talk = Talk().s(frame(ORIGIN, 0, 0, b"\0\1a\0\x09bcd"))
    assert [one.origins for one in talk.dissector.origins] == [["a"]]
    assert only_fault(talk) == "ORIGIN ends inside an entry (RFC 8336 §2)"


def test_no_more_than_so_many_are_kept():
    talk = Talk()
    for _ in range(3 * MOST_ANNOUNCED):
        talk.s(altsvc(b"a" * 5000, b"b" * 9000), origins(*[b"c" * 5] * 300))
    dissector = talk.dissector
    assert len(dissector.alternatives) == len(dissector.origins) == MOST_ANNOUNCED
    assert {len(one.origins) for one in dissector.origins} == {MOST_ANNOUNCED}
    assert {len(one.value) for one in dissector.alternatives} == {1001}  # and an ellipsis


@given(st.sampled_from([ALTSVC, ORIGIN]), st.integers(0, 3), st.integers(0, 255), st.binary(max_size=60))
def test_any_bytes(kind, stream, flags, payload):
    talk = Talk().c(get(1)).s(frame(kind, flags, stream, payload)).close()
    dissector = talk.dissector
    for one in dissector.alternatives:
        assert (one.origin or "").isprintable()
        assert one.value.isprintable()
    assert all(name.isprintable() for one in dissector.origins for name in one.origins)
