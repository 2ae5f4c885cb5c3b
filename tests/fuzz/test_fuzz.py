"""Any bytes for every reader and dissector: a report, or a refusal in words. `make fuzz` does the same for longer."""

from __future__ import annotations

import functools
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fuzz
from tests.capture import builders
from tests.capture.builders import Packet
from tests.capture.strategies import patiently
from tests.cases import CASES, capture_of
from tests.fuzz import mutation, targets

EXAMPLES = 150
SMALL = sorted(case for case in CASES if capture_of(case).stat().st_size < 6000)


def test_the_names_are_those_of_the_targets():
    assert (*targets.TARGETS,) == (*targets.SEEDS,) == fuzz.TARGETS


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_and_what_becomes_of_them_changed(name):
    seeds = targets.SEEDS[name]()
    assert seeds
    for data in (*seeds[:20], *mutation.mutated(seeds, EXAMPLES, 20_250_101, targets.MOST_INPUT)):
        targets.TARGETS[name](data)


@pytest.mark.parametrize("name", targets.TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 100, bytes(1000)], ids=["none", "zero", "ones", "zeros"])
def test_nothing_to_speak_of(name, data):
    targets.TARGETS[name](data)


@pytest.mark.parametrize("case", SMALL[:: max(1, len(SMALL) // 6)])
def test_a_capture_cut_off_at_every_byte(case):
    content = capture_of(case).read_bytes()
    for end in range(0, len(content), 1 + len(content) // 400):
        assert targets.report(io.BytesIO(content[:end]))


@functools.cache
def frames_of(case: str) -> list[builders.Frame]:
    return builders.read(capture_of(case).read_bytes()).frames


@st.composite
def disturbed(draw: st.DrawFn) -> bytes:
    """The frames of a recorded capture, some of them lost, twice, elsewhere, cut, or with bits that have changed."""
    frames = list(frames_of(draw(st.sampled_from(SMALL))))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(frames) - 1)) if frames else 0
        match draw(st.sampled_from(["lost", "twice", "moved", "cut", "bit", "late"])):
            case _ if not frames:
                break
            case "lost":
                del frames[at]
            case "twice":
                frames.insert(draw(st.integers(0, len(frames))), frames[at])
            case "moved":
                frame = frames.pop(at)
                frames.insert(draw(st.integers(0, len(frames))), frame)
            case "cut":
                frames[at] = frames[at]._replace(data=frames[at].data[: draw(st.integers(0, 200))])
            case "bit" if frames[at].data:
                data = bytearray(frames[at].data)
                place = draw(st.integers(0, 8 * len(data) - 1))
                data[place // 8] ^= 1 << place % 8
                frames[at] = frames[at]._replace(data=bytes(data))
            case "late":
                frames[at] = frames[at]._replace(time_ns=frames[at].time_ns + draw(st.integers(-(10**12), 10**12)))
    link = frames[0].link_type if frames else 1
    packets = [Packet(one.data, max(0, one.time_ns) % (2**32 * 10**9), one.original) for one in frames]
    return builders.pcap(*packets, magic=builders.NANO, link_type=link, snaplen=262144)


@patiently
@given(disturbed(), st.integers(1, 2000))
def test_a_recorded_capture_disturbed_is_the_same_however_it_comes(content, size):
    whole = targets.report(io.BytesIO(content))
    assert b'"connections":' in whole, whole
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert targets.report(builders.Stuttering(*pieces), chunk_bytes=4096) == whole
