"""Many files as one capture, and compressed ones, through the whole program: the report is that of the whole."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import json
import lzma

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import analyzer
from analyzer.capture.source import open_capture
from analyzer.capture.writing import PcapngWriter
from analyzer.cli import program
from tests.capture.builders import Frame, rows
from tests.cases import CASES, capture_of, keys_of, report_of

WEB = capture_of("tcp/web-page")


def frames_of(case: str) -> tuple[list[Frame], list[int]]:
    """What the case captured, and the link types of its interfaces."""
    with open_capture(capture_of(case)) as capture:
        frames = [frame for chunk in rows(capture) for frame in chunk]
        return frames, [interface.link_type for interface in capture.interfaces]


def pcapng(frames: list[Frame], link_types: list[int]) -> bytes:
    out = io.BytesIO()
    writer = PcapngWriter(out.write)
    for link_type in link_types:
        writer.interface(link_type, 0)
    for frame in frames:
        writer.packet(frame.interface, frame.time_ns, frame.data, frame.original)
    return out.getvalue()


def in_order(frames: list[Frame]) -> bool:
    return all(one.time_ns < other.time_ns for one, other in itertools.pairwise(frames))


CAPTURED = {case: found for case in CASES if in_order((found := frames_of(case))[0]) and found[0]}


def seen(source, **options):
    connections, totals, _ = report_of(source, **options)
    return [msgspec.structs.replace(one, capture="") for one in connections], totals


@settings(max_examples=150)
@given(st.sampled_from([*CAPTURED]), st.integers(2, 5), st.integers(64, 5000), st.data())
def test_captures_that_were_taken_apart_are_the_capture(case, parts, chunk_bytes, choose):
    """However the packets are spread over files: rotated, an interface each, or at random."""
    frames, link_types = CAPTURED[case]
    owner = choose.draw(st.lists(st.integers(0, parts - 1), min_size=len(frames), max_size=len(frames)))
    if choose.draw(st.booleans()):
        owner.sort()
    pieces = [
        io.BytesIO(pcapng([frame for frame, where in zip(frames, owner, strict=True) if where == part], link_types))
        for part in range(parts)
    ]
    whole = io.BytesIO(pcapng(frames, link_types))
    assert seen(pieces, chunk_bytes=chunk_bytes, keys=keys_of(case)) == seen(whole, keys=keys_of(case))


@pytest.mark.parametrize("case", ["tcp/web-page", "tls/1.3-full", "tcp/cut-mid-record"])
@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bz2.compress])
def test_a_compressed_capture_has_the_same_report(case, compress):
    content = capture_of(case).read_bytes()
    archive = io.BytesIO(compress(content))
    assert report_of(archive, keys=keys_of(case))[1:] == report_of(io.BytesIO(content), keys=keys_of(case))[1:]
    archive.seek(0)
    assert seen(archive, chunk_bytes=77) == seen(io.BytesIO(content))


def run(*words: object, **options):
    return CliRunner().invoke(program, [str(word) for word in words], **options)


@pytest.fixture
def halves(tmp_path):
    frames, link_types = frames_of("tcp/web-page")
    paths = [tmp_path / "first.pcapng", tmp_path / "second.pcapng.gz"]
    paths[0].write_bytes(pcapng(frames[:20], link_types))
    paths[1].write_bytes(gzip.compress(pcapng(frames[20:], link_types)))
    return paths


def test_merging_on_the_command_line(halves):
    alone = [json.loads(line) for line in run("read", "--format", "jsonl", WEB).stdout.splitlines()]
    for words in (halves, reversed(halves), [halves[0].parent]):
        done = run("read", "--merge", "--format", "jsonl", *words)
        assert done.exit_code == 0, done.output
        merged = [json.loads(line) for line in done.stdout.splitlines()]
        assert {one["capture"] for one in merged} <= {
            f"{halves[0]} + {halves[1]}", f"{halves[1]} + {halves[0]}",
        }  # fmt: skip
        assert [one | {"capture": ""} for one in merged] == [one | {"capture": ""} for one in alone]


def test_a_merged_table_is_that_of_one_capture(halves):
    merged, alone = run("read", "--merge", *halves), run("read", WEB)
    assert merged.stdout == alone.stdout
    assert "in 2 captures" in run("read", *halves).stdout


def test_one_of_the_merged_may_be_standard_input(halves):
    done = run("read", "--merge", halves[1], "-", input=halves[0].read_bytes())
    assert done.exit_code == 0
    assert "5 connections" in done.stdout


def test_merging_takes_several_files(halves, tmp_path):
    done = run("read", "--merge", halves[0])
    assert done.exit_code == 2
    assert "--merge makes one capture out of several: name two files or more" in done.stderr


def test_what_cannot_be_merged_is_told(halves, tmp_path):
    done = run("read", "--merge", *halves, tmp_path / "none.pcap")
    assert done.exit_code == 3
    assert done.stderr == (
        f"analyzer: {tmp_path / 'none.pcap'}: no such file. Check the spelling and the folder you are in.\n"
    )


def test_damage_names_its_file(halves):
    content = halves[1].read_bytes()
    halves[1].write_bytes(content[:-9])
    done = run("read", "--merge", "--strict", "-q", *halves)
    assert done.exit_code == 3
    assert done.stderr.startswith(f"analyzer: merged: warning: {halves[1]}: ")
    assert f"the gzip data around it is cut off after {len(content) - 9:,} bytes" in done.stderr


def test_a_list_is_merged_by_the_library(halves):
    connections = list(analyzer.analyze([str(path) for path in halves]))
    assert len(connections) == 5
    assert connections[0].capture == f"{halves[0]} + {halves[1]}"
