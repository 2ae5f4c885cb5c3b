"""`analyzer read --jobs`: several processes, and every byte as from one."""

from __future__ import annotations

import functools
import multiprocessing
import os
import shutil
import signal

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import pipeline
from analyzer.cli import program
from analyzer.commands import jobs
from analyzer.errors import InputError
from analyzer.reporter.outputs.table import Table
from tests.cases import CAPTURES, CASES, capture_of, keys_of

RESUMED = next(case for case in CASES if "resum" in case and keys_of(case))
FORMS = {
    "jsonl": ("--format", "jsonl"),
    "csv": ("--format", "csv"),
    "table": (),
    "evidence": ("-v", "--headers"),
    "tcp only": ("--format", "jsonl", "--tcp-only"),
    "chosen": ("--filter", "close=* packets>3", "--fail-on", "diverged,incomplete", "--strict"),
    "few at a time": ("--format", "jsonl", "--max-connections", "3", "--linger", "1s"),
    "part of the packets": ("-f", "not port 80", "--from", "+5ms", "--to", "+1s", "--count-checksums"),
}


def run(*words):
    done = CliRunner().invoke(program, ["read", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout_bytes, done.stderr_bytes


@functools.cache
def alone(*words):
    return run(*words)


@pytest.fixture(autouse=True)
def _processes_for_small_captures(monkeypatch):
    monkeypatch.setattr(jobs, "LEAST_BYTES", 0)
    monkeypatch.setattr(jobs, "LEAST_CONNECTIONS", 1)
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture
def shared(monkeypatch):
    """Every capture is read by every process."""
    monkeypatch.setattr(jobs.Jobs, "_shares", lambda self, path, captures: self._number)


@pytest.mark.parametrize("form", ["jsonl", "chosen"])
def test_a_capture_each(form):
    expected = alone(*FORMS[form], CAPTURES)
    assert run(*FORMS[form], "--jobs", 2, CAPTURES) == expected


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(("number", "form"), [(3, form) for form in FORMS] + [(2, "jsonl")])
def test_the_connections_of_each_capture_shared(number, form):
    expected = alone(*FORMS[form], CAPTURES)
    assert expected[1]
    assert run(*FORMS[form], "--jobs", number, CAPTURES) == expected


@settings(max_examples=60)
@given(
    case=st.sampled_from(sorted(CASES)),
    shares=st.integers(1, 5),
    chunk_bytes=st.sampled_from([200, 3000, 1 << 20]),
    lines=st.booleans(),
)
def test_the_shares_are_the_whole(case, shares, chunk_bytes, lines):
    path = str(capture_of(case))

    def told(share):
        analysis = pipeline.analyze(path, pipeline.Options(share=share, chunk_bytes=chunk_bytes))
        found, reached = {}, 0
        for piece in analysis.pieces(lines=lines):
            assert len(piece.places) == len(piece.records)
            assert all(reached <= place < piece.reached for place in piece.places)
            reached = piece.reached
            found |= dict(zip(piece.places, piece.records, strict=True))
        return found, reached, analysis.totals

    try:
        parts = [told((k, shares)) for k in range(shares)]
    except pipeline.NotSharedError:
        assert shares > 1
        assert b"CLIENT_" in capture_of(case).read_bytes()
        return
    found, reached, totals = told((0, 1))
    assert list(found) == list(range(reached))
    assert sum(len(records) for records, _, _ in parts) == len(found)
    assert {place: record for records, _, _ in parts for place, record in records.items()} == found
    assert all(part[1:] == (reached, totals) for part in parts)


@given(case=st.sampled_from(sorted(CASES)), chunk_bytes=st.sampled_from([200, 3000, 1 << 20]))
def test_lines_need_not_come_apart(case, chunk_bytes):
    options = pipeline.Options(chunk_bytes=chunk_bytes)
    reached, text = 0, b""
    for piece in pipeline.analyze(str(capture_of(case)), options).pieces(lines=True, apart=False):
        assert len(piece.records) <= 1
        assert piece.places == [reached][: len(piece.records)]
        assert piece.reached == reached + sum(record.count(b"\n") for record in piece.records)
        reached, text = piece.reached, text + b"".join(piece.records)
    assert text == b"".join(pipeline.analyze(str(capture_of(case)), options).lines())


def test_what_came_before_an_error_is_told():
    def pieces():
        yield pipeline.Piece([0], 1, [b"one"])
        yield pipeline.Piece([], 2, [])
        yield pipeline.Piece([3], 5, [b"two"])
        yield pipeline.Piece([6], 7, [b"three"])
        raise InputError("gone")

    told = jobs.together(pieces())
    assert next(told) == ([0], 2, [b"one"])
    assert next(told) == ([3, 6], 7, [b"two", b"three"])
    with pytest.raises(InputError, match="gone"):
        next(told)


def test_one_large_capture_is_shared():
    capture = capture_of("tcp/web-page")
    with jobs.Jobs([str(capture)], pipeline.Options(), 3, lines=True) as several:
        analysis = several.open()
        text = b"".join(analysis.lines())
        assert len(several._workers) == 3
    with pipeline.analyze(str(capture)) as one:
        assert text == b"".join(one.lines())
        assert (analysis.totals, analysis.size, analysis.warnings) == (one.totals, one.size, one.warnings)


def test_with_keys_one_process_reads_a_capture():
    """A session that was decrypted in one connection is resumed in another."""
    words = ("--format", "jsonl", *(word for key in keys_of(RESUMED) for word in ("--keys", key)), capture_of(RESUMED))
    expected = run(*words)
    assert b'"decrypted":true' in expected[1]
    assert run("--jobs", 3, *words) == expected


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("case", ["tls/embedded-secrets", "tcp/secrets-block"])
def test_a_capture_with_secrets_inside_is_begun_anew(case):
    words = ("--format", "jsonl", capture_of(case))
    assert run("--jobs", 3, *words) == run(*words)


@pytest.mark.usefixtures("shared")
def test_secrets_in_the_middle_are_no_reason_to_tell_anything_twice(tmp_path):
    """Two sections: the first without secrets, and damage between, which is warned of once."""
    plain, secret = capture_of("tcp/web-page").read_bytes(), capture_of("tls/embedded-secrets").read_bytes()
    path = tmp_path / "both.pcapng"
    path.write_bytes(plain + secret)
    for words in (("--format", "jsonl", path), (path,)):
        expected = run(*words)
        assert run("--jobs", 2, *words) == expected


def test_what_cannot_be_read_is_said_in_its_turn(tmp_path):
    good = capture_of("tcp/refused")
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(good.read_bytes()[:-7])
    text = tmp_path / "notes.txt"
    text.write_text("no capture")
    words = (good, tmp_path / "missing.pcap", damaged, text, good)
    expected = run(*words)
    assert expected[0] == 3
    assert expected[2].count(b"\n") == 3
    assert run("--jobs", 2, *words) == expected
    assert run("--jobs", 4, *words) == expected


def test_a_wrong_filter_ends_it_at_once():
    words = ("-f", "no such filter", capture_of("tcp/refused"), capture_of("tcp/refused"))
    expected = run(*words)
    assert expected[0] == 2
    assert run("--jobs", 2, *words) == expected


def test_a_name_that_is_no_unicode(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.pcapng")
    shutil.copy(capture_of("tcp/refused"), path)
    for form in ("table", "jsonl", "csv"):
        words = ("read", "--format", form, path, path)
        one, two = (CliRunner().invoke(program, [*words, *more]) for more in ([], ["--jobs", "2"]))
        assert (one.exit_code, one.stdout_bytes) == (two.exit_code, two.stdout_bytes)


def test_a_file_is_written_whole(tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    code, out, said = run("--format", "csv", "-o", one, CAPTURES / "tcp")
    assert run("--format", "csv", "-o", two, "--jobs", 2, CAPTURES / "tcp") == (code, out, said.replace(b"one", b"two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("held", [0, 100_000])
def test_results_before_their_turn_wait_on_the_disk(monkeypatch, held):
    monkeypatch.setattr(jobs, "MOST_HELD_BYTES", held)
    monkeypatch.setattr(jobs, "MOST_AHEAD", 5)
    words = ("--format", "jsonl", CAPTURES / "http1", CAPTURES / "tcp")
    assert run("--jobs", 3, *words) == alone(*words)


@pytest.mark.usefixtures("shared")
def test_processes_do_not_run_ahead(monkeypatch):
    monkeypatch.setattr(jobs, "MOST_AWAITED_BYTES", 1)
    assert run("--jobs", 3, "--format", "jsonl", CAPTURES / "http1") == alone("--format", "jsonl", CAPTURES / "http1")


def test_interrupted(monkeypatch):
    added = []

    def add(self, connection):
        added.append(connection)
        if len(added) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Table, "add", add)
    code, _, said = run("--jobs", 2, CAPTURES / "tcp")
    assert (code, said.splitlines()[-1]) == (130, b"analyzer: interrupted: this is what was finished so far")


def test_a_process_that_is_killed():
    paths = [str(capture_of("tcp/refused"))] * 3
    with jobs.Jobs(paths, pipeline.Options(), 1, lines=True) as one:
        one._give_work()
        os.kill(one._workers[0].process.pid, signal.SIGKILL)
        with pytest.raises(InputError, match="try fewer --jobs"):
            one.open()
        for _ in paths[1:]:  # another process goes on
            assert b"tcp-open/refused" in b"".join(one.open().lines())


def test_what_it_is_not_for():
    capture = capture_of("tcp/refused")
    code, _, said = run("--jobs", 2, "--merge", capture, capture)
    assert (code, b"--merge" in said) == (2, True)
    assert run("--jobs", 0, capture)[0] == 2


def test_a_pipe_is_read_by_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    code, _, said = run("--jobs", 2, path)
    assert (code, b"--jobs is for files" in said) == (2, True)


def test_small_captures_are_read_at_once(monkeypatch):
    monkeypatch.undo()
    assert not jobs.worthwhile([str(capture_of("tcp/refused"))] * 2, pipeline.Options())


@pytest.mark.parametrize(
    ("case", "options", "shared"),
    [
        ("http1/keep-alive", {}, True),
        ("http1/keep-alive", {"tcp_only": True}, False),
        ("http1/keep-alive", {"keys": ("session.keys",)}, False),
        ("tcp/refused", {}, False),
    ],
)
def test_one_capture_is_shared_where_there_is_something_to_look_into(case, options, shared):
    assert jobs.worthwhile([str(capture_of(case))], pipeline.Options(**options)) is shared


@pytest.mark.parametrize("until", [(1, 1 << 62), (1 << 62, 1)])
def test_no_more_is_looked_at_than_tells(until):
    with pipeline.analyze(str(capture_of("tcp/web-page")), pipeline.Options(chunk_bytes=3000)) as analysis:
        part, connections = analysis.handed(*until)
        assert 0 < part < 1
        assert connections > 0
        assert analysis.position < analysis.size


def test_one_connection_is_not_shared(monkeypatch):
    """A download: every process would go through all of it, and one alone would look into it."""
    download = str(capture_of("tls/download"))
    assert jobs.worthwhile([download], pipeline.Options())
    monkeypatch.undo()
    monkeypatch.setattr(jobs, "LEAST_BYTES", 0)
    assert not jobs.worthwhile([download], pipeline.Options())


def test_a_damaged_capture_is_read_by_one(tmp_path):
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(b"no capture")
    assert not jobs.worthwhile([str(damaged)], pipeline.Options())
    code, _, said = run("--jobs", 2, damaged)
    assert (code, b"damaged.pcap" in said) == (3, True)
