"""Several captures as one: in the order that mergecap has, in any chunks, and nothing is lost."""

import gzip
import io
import os
import shutil
import subprocess
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture import base, merging
from analyzer.capture.merging import MergedCapture, merged_name
from analyzer.capture.source import open_capture
from analyzer.errors import InputError, UsageError
from tests.capture import strategies
from tests.capture.builders import (
    NANO,
    Packet,
    enhanced,
    interface,
    pcap,
    read,
    rows,
    secrets,
    section,
    seen,
    simple,
    statistics,
)

SECOND = 10**9


def at(*seconds: float, of: str = "p") -> list[Packet]:
    """Packets at these times, whose bytes tell them apart."""
    return [Packet(f"{of}{number}".encode(), int(second * SECOND)) for number, second in enumerate(seconds)]


def merged(*captures: bytes, chunk_bytes: int = 1 << 20):
    with MergedCapture([io.BytesIO(data) for data in captures], chunk_bytes) as capture:
        return seen(capture)


def files(folder, *captures: bytes) -> list[str]:
    paths = [str(folder / f"{number}.pcap") for number in range(len(captures))]
    for path, data in zip(paths, captures, strict=True):
        with open(path, "wb") as file:
            file.write(data)
    return paths


def merged_files(folder, *captures: bytes, chunk_bytes: int = 1 << 20):
    with MergedCapture(files(folder, *captures), chunk_bytes) as capture:
        return seen(capture)


def test_packets_come_in_the_order_of_time():
    whole = merged(pcap(*at(1, 4, 5, of="a")), pcap(*at(2, 3, 6, of="b")))
    assert whole.data == [b"a0", b"b0", b"b1", b"a1", b"a2", b"b2"]
    assert [frame.number for frame in whole.frames] == [1, 2, 3, 4, 5, 6]
    assert whole.times == [second * SECOND for second in (1, 2, 3, 4, 5, 6)]


def test_a_packet_that_is_late_in_its_file_follows_the_one_before_it():
    assert merged(pcap(*at(5, 1, 7, of="a")), pcap(*at(4, 6, of="b"))).data == [b"b0", b"a0", b"a1", b"b1", b"a2"]


def test_of_equal_times_the_last_file_comes_first():
    assert merged(pcap(*at(5, 5, of="a")), pcap(*at(5, 5, of="b"))).data == [b"b0", b"b1", b"a0", b"a1"]


def test_link_types_and_interfaces_are_those_of_each_file():
    first = pcap(*at(1, 3), link_type=101)
    second = section() + interface(link_type=1, name="eth0") + interface(link_type=113, name="any")
    second += enhanced(b"x", 2_000_000, owner=1) + enhanced(b"y", 4_000_000)
    whole = merged(first, second)
    assert [frame.link_type for frame in whole.frames] == [101, 113, 101, 1]
    assert [whole.interfaces[frame.interface].name for frame in whole.frames] == [None, "any", None, "eth0"]
    assert len(whole.interfaces) == 3


def by_heads(captures: list[bytes]) -> list[tuple[int, bytes, int, int]]:
    """The same merge, packet by packet."""
    queues = [read(data).frames for data in captures]
    heads = [0] * len(queues)
    result = []
    while left := [i for i in range(len(queues)) if heads[i] < len(queues[i])]:
        best = min(left, key=lambda i: (queues[i][heads[i]].time_ns, -i))
        frame = queues[best][heads[best]]
        result.append((frame.time_ns, frame.data, frame.original, frame.link_type))
        heads[best] += 1
    return result


few_times = st.lists(st.integers(0, 12), max_size=12)
captures = st.builds(
    lambda times, name, link_type: pcap(*at(*times, of=name), link_type=link_type),
    few_times, st.sampled_from("abcd"), st.sampled_from([1, 101]),
)  # fmt: skip


@strategies.patiently
@given(st.lists(captures | strategies.pcaps() | strategies.pcapngs, min_size=1, max_size=5), st.integers(1, 300))
def test_always_the_oldest_of_the_next_packets_is_taken(parts, chunk_bytes):
    whole = merged(*parts)
    assert [(frame.time_ns, frame.data, frame.original, frame.link_type) for frame in whole.frames] == by_heads(parts)
    assert [frame.number for frame in whole.frames] == list(range(1, len(whole.frames) + 1))
    assert merged(*parts, chunk_bytes=chunk_bytes) == whole


@strategies.patiently
@given(st.lists(captures | strategies.pcapngs, min_size=1, max_size=5), st.integers(1, 300))
def test_files_give_what_streams_give_and_chunks_change_nothing(tmp_path_factory, parts, chunk_bytes):
    folder = tmp_path_factory.mktemp("parts")
    whole = merged_files(folder, *parts)
    assert [frame[1:5] for frame in whole.frames] == [frame[1:5] for frame in merged(*parts).frames]
    assert merged_files(folder, *parts, chunk_bytes=chunk_bytes) == whole


@strategies.patiently
@given(st.lists(strategies.damaged(), min_size=1, max_size=4), st.integers(1, 300))
def test_damaged_captures_give_frames_or_one_clear_line(parts, chunk_bytes):
    def outcome(chunk_bytes):
        try:
            with MergedCapture([io.BytesIO(data) for data in parts], chunk_bytes) as capture:
                frames = [frame for chunk in rows(capture) for frame in chunk]
                return frames, [str(damage) for damage in capture.warnings]
        except InputError as error:
            (line,) = str(error).splitlines()
            return line

    assert outcome(chunk_bytes) == outcome(1 << 20)


def test_secrets_and_warnings_are_those_of_all():
    first = section() + interface() + secrets(b"one") + enhanced(b"a", 1) + secrets(b"two") + enhanced(b"b", 5)
    second = section() + interface() + secrets(b"three") + enhanced(b"c", 3)
    whole = merged(first, second[:-3])
    assert [block.data for block in whole.secrets] == [b"one", b"three", b"two"]
    (warning,) = whole.warnings
    assert warning.startswith("capture: pcapng enhanced packet block at byte offset ")


def known_secrets(capture):
    """The secrets that were known when each packet came."""
    return {frame.data: sorted(one.data for one in capture.secrets) for chunk in rows(capture) for frame in chunk}


@pytest.mark.parametrize("chunk_bytes", [1, 100, 1 << 20])
def test_secrets_are_known_in_time_whatever_the_chunks(tmp_path, chunk_bytes):
    """Those before the first packet of a file from the start, later ones after the packet that they follow."""
    first = pcap(*at(0.000001, 0.000003, 0.000006, of="a"))
    second = section() + interface() + secrets(b"one") + enhanced(b"b0", 2) + enhanced(b"b1", 4) + secrets(b"two")
    with MergedCapture(files(tmp_path, first, second + enhanced(b"b2", 5)), chunk_bytes) as capture:
        known = known_secrets(capture)
    assert known == {
        b"a0": [b"one"], b"b0": [b"one"], b"a1": [b"one"], b"b1": [b"one"],
        b"b2": [b"one", b"two"], b"a2": [b"one", b"two"],
    }  # fmt: skip


def test_a_file_without_packets_says_what_it_has_to_say(tmp_path):
    nothing = section() + interface(name="quiet") + secrets(b"late")
    whole = merged_files(tmp_path, pcap(*at(1, 2)), nothing, pcap(*at(3))[:-1], pcap())
    assert len(whole.frames) == 2
    assert len(whole.interfaces) == 4
    assert [one.data for one in whole.secrets] == [b"late"]
    assert [warning.partition(": ")[0] for warning in whole.warnings] == [str(tmp_path / "2.pcap")]
    assert merged_files(tmp_path, pcap(), pcap()).frames == []


def test_rotated_files_are_open_one_after_the_other(tmp_path, monkeypatch):
    parts = [pcap(*at(*np.arange(number, number + 1, 0.01))) for number in range(40)]
    paths = files(tmp_path, *parts)
    opened = []
    monkeypatch.setattr(
        merging, "open_capture", lambda *given, **how: opened.append(open_capture(*given, **how)) or opened[-1]
    )
    with MergedCapture(paths, 1 << 20) as capture:
        assert all(one._ended for one in opened)
        most = 0
        for _ in capture:
            most = max(most, sum(not one._ended for one in opened))
    assert capture.packets == 4000
    assert most <= 2


@pytest.mark.parametrize("number", [3, 20, 200])
def test_files_that_overlap_share_a_bound(tmp_path, monkeypatch, number):
    """Up to a number of them; from there on each has the least that is of use."""
    monkeypatch.setattr(merging, "MAX_CHUNKS_BYTES", 4 << 20)
    monkeypatch.setattr(merging, "LEAST_CHUNK_BYTES", 16 << 10)
    sizes = []

    def spied(*given, chunk_bytes):
        sizes.append(chunk_bytes)
        return open_capture(*given, chunk_bytes=chunk_bytes)

    monkeypatch.setattr(merging, "open_capture", spied)
    with MergedCapture(files(tmp_path, *[pcap(*at(1, 2, 3))] * number)) as capture:
        assert sum(frames.count for frames in capture) == 3 * number
    first, again = sizes[:number], sizes[number:]
    assert set(first) == {16 << 10}  # opened to see when they begin, and closed
    assert again == sorted(again, reverse=True)
    assert again[0] == 512 << 10
    assert (min(again) == 16 << 10) == (number > 20)
    assert sum(size for size in again if size > 16 << 10) <= 4 << 20


def test_a_file_that_vanishes_is_told_and_the_others_are_read(tmp_path):
    paths = files(tmp_path, pcap(*at(1, 2)), pcap(*at(3, 4)), pcap(*at(5)))
    with MergedCapture(paths) as capture:
        os.unlink(paths[1])
        assert sum(chunk.count for chunk in capture) == 3
    assert [str(damage) for damage in capture.warnings] == [
        f"{paths[1]}: no such file. Check the spelling and the folder you are in."
    ]


def test_what_cannot_be_read_is_refused_before_anything_is_read(tmp_path):
    paths = files(tmp_path, pcap(*at(1)), b"no capture")
    with pytest.raises(InputError, match=r"1\.pcap: is text, not a capture"):
        MergedCapture(paths)
    with pytest.raises(InputError, match="no such file"):
        MergedCapture([paths[0], str(tmp_path / "none")])
    with pytest.raises(UsageError, match="nothing to merge"):
        MergedCapture([])


def test_compressed_and_plain_files_and_file_objects_go_together(tmp_path):
    path = tmp_path / "a.pcap.gz"
    path.write_bytes(gzip.compress(pcap(*at(1, 3, of="a"))))
    with MergedCapture([path, io.BytesIO(pcap(*at(2, 4, of="b")))]) as capture:
        assert capture.name == f"{path} + capture"
        assert seen(capture).data == [b"a0", b"b0", b"a1", b"b1"]
        assert capture.size is None


def test_position_and_size_are_those_of_all_files(tmp_path):
    paths = files(tmp_path, pcap(*at(*range(100))), pcap(*at(*range(50, 150))))
    with MergedCapture(paths, 1000) as capture:
        assert (capture.position, capture.size) == (0, sum(map(os.path.getsize, paths)))
        next(capture)
        assert 0 < capture.position < capture.size
        list(capture)
        assert capture.position == capture.size
    assert next(capture, None) is None


def test_closing_early_closes_the_files(tmp_path):
    paths = files(tmp_path, pcap(*at(1, 3)), pcap(*at(2, 4)))
    capture = MergedCapture(paths, 20)
    next(capture)
    capture.close()
    assert next(capture, None) is None


def test_a_quiet_pipe_is_told_only_if_no_packet_waits_for_it(monkeypatch):
    monkeypatch.setattr(base, "IDLE_SECONDS", 0.01)
    (first, into_first), (second, into_second) = os.pipe(), os.pipe()
    with open(first, "rb", buffering=0) as one, open(second, "rb", buffering=0) as two:
        os.write(into_first, pcap(*at(1, of="a")))
        os.write(into_second, pcap())
        with MergedCapture([one, two]) as capture:
            threading.Timer(0.2, lambda: os.write(into_second, pcap(*at(2, of="b"))[24:])).start()
            (chunk,) = next(rows(capture))
            assert chunk.data == b"a0"  # waited for: nobody knew whether it is the oldest
            os.write(into_first, pcap(*at(3, of="c"))[24:])
            (chunk,) = next(rows(capture))
            assert chunk.data == b"b0"
            os.close(into_second)
            (chunk,) = next(rows(capture))
            assert chunk.data == b"c0"
            assert next(rows(capture)) == []
            os.close(into_first)
            assert next(capture, None) is None


def test_large_chunks_are_delivered_in_pieces():
    packets = 3 * base.MAX_ROWS
    one = pcap(*(Packet(b"", 2 * number * 1000) for number in range(packets)))
    two = pcap(*(Packet(b"", (2 * number + 1) * 1000) for number in range(packets)))
    with MergedCapture([io.BytesIO(one), io.BytesIO(two)]) as capture:
        counts, times = [], []
        for chunk in capture:
            counts.append(chunk.count)
            times += chunk.time_ns.tolist()
    assert max(counts) <= base.MAX_ROWS
    assert times == [number * 1000 for number in range(2 * packets)]


def test_names():
    assert merged_name(["a", "b"]) == "a + b"
    assert merged_name(["a", "b", "c", "d", "e"]) == "a + b + c + 2 more"


@pytest.mark.skipif(not shutil.which("mergecap"), reason="mergecap is not installed")
@pytest.mark.parametrize("seed", range(4))
def test_mergecap_has_the_same_order(tmp_path, seed):
    random = np.random.default_rng(seed)
    noon = 1_400_000_000

    def some(name):
        return at(*(noon + random.integers(0, 40, 30) / 4), of=name)

    ng = section() + interface(resolution=9)
    ng += b"".join(enhanced(data, moment) for data, moment, _ in some("n")[:9]) + simple(b"untimed")
    ng += statistics(ifrecv=9) + b"".join(enhanced(data, moment) for data, moment, _ in some("m"))
    paths = files(tmp_path, pcap(*some("a")), pcap(*some("b"), magic=NANO), ng, pcap(*some("c"), link_type=101))
    subprocess.run(["mergecap", "-w", str(tmp_path / "all"), *paths], check=True)
    with MergedCapture(paths, 300) as ours, open_capture(tmp_path / "all") as theirs:
        assert [frame[:5] for frame in seen(ours).frames] == [frame[:5] for frame in seen(theirs).frames]
