"""Files of what is seen: whole at any moment, in a ring if that is wanted, and what happens when the disk is full."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture.interfaces import Interface
from analyzer.capture.live.recorder import Recorder, Ring
from analyzer.capture.source import open_capture
from analyzer.errors import LiveError
from tests.dissector.frames import frames

ETH0 = Interface(link_type=1, snaplen=0, name="eth0")


def contents(path) -> list[tuple[bytes, int]]:
    found = []
    with open_capture(path) as capture:
        for chunk in capture:
            for at, size, time_ns in zip(chunk.offset, chunk.captured, chunk.time_ns, strict=True):
                found.append((bytes(chunk.data[at : at + size]), int(time_ns)))
        assert capture.warnings == []
    return found


@given(st.lists(st.lists(st.binary(max_size=70), max_size=5), max_size=5))
def test_everything_written_is_read_at_once(tmp_path_factory, chunks):
    path = tmp_path_factory.mktemp("live") / "seen.pcapng"
    recorder = Recorder(str(path))
    written = []
    for chunk in chunks:
        times = [10**18 + len(written) + i for i in range(len(chunk))]
        recorder.write(frames(chunk, times=times), [ETH0])
        written += zip(chunk, times, strict=True)
        assert contents(path) == written  # not only when it is finished
    recorder.finish([ETH0])
    assert contents(path) == written
    assert recorder.packets == len(written)


def test_counts_of_drops_are_saved(tmp_path):
    path = tmp_path / "seen.pcapng"
    recorder = Recorder(str(path))
    recorder.write(frames([b"x" * 60]), [ETH0])
    recorder.finish([Interface(1, 0, "eth0", received=7, dropped_by_system=6)])
    with open_capture(path) as capture:
        list(capture)
        assert (capture.interfaces[0].received, capture.interfaces[0].dropped) == (7, 6)


def test_a_ring_keeps_the_newest_files(tmp_path):
    recorder = Recorder(str(tmp_path / "seen.pcapng"), Ring(3, 200))
    for number in range(12):
        recorder.write(frames([bytes([number]) * 60]), [ETH0])
    recorder.finish([ETH0])
    files = sorted(tmp_path.iterdir())
    assert [path.name[:10] for path in files] == ["seen_00004", "seen_00005", "seen_00006"]
    # Each of them stands alone.
    assert [[data[0] for data, _ in contents(path)] for path in files] == [[6, 7], [8, 9], [10, 11]]


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(LiveError, match=r"cannot write .*missing/seen.pcapng: No such file or directory: .* -w"):
        Recorder(str(tmp_path / "missing" / "seen.pcapng"))


def test_a_disk_that_fills_up(tmp_path, monkeypatch):
    recorder = Recorder(str(tmp_path / "seen.pcapng"))
    recorder.write(frames([b"x" * 60]), [ETH0])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        recorder.write(frames([b"y" * 60]), [ETH0])
    assert recorder.failure == "No space left on device"
    recorder.write(frames([b"z" * 60]), [ETH0])
    recorder.finish([ETH0])
    assert [data[:1] for data, _ in contents(tmp_path / "seen.pcapng")] == [b"x"]
