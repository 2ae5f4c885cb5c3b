"""The command line of `analyzer live`: what is refused, and what needs no interface."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner

from analyzer.cli import program
from tests.cases import analysed, capture_of
from tests.live_lab import nameless

WEB = "tcp/web-page"


def run(*words: str, capture: bytes = b""):
    return CliRunner().invoke(program, ["live", *words], input=io.BytesIO(capture), prog_name="analyzer")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "name an interface with -i"),
        (["eth0"], "eth0: interfaces are named with -i"),
        (["-", "-i", "eth0"], "leave out -i and --source, or `-`"),
        (["-", "--source", "dumpcap"], "leave out -i and --source, or `-`"),
        (["-i", "any", "-i", "eth0"], "-i any is all interfaces"),
        (["-", "--ring", "2x1MB"], "--ring is for -w"),
        (["-", "--ring", "2", "-w", "x"], "'2' is no ring of files: write 10x100MB"),
        (["-", "--ring", "0x1MB", "-w", "x"], "is no ring of files"),
        (["-", "-w", "-"], "-w needs a file"),
        (["-", "--headers"], "--headers is for --format jsonl"),
        (["-", "--show-secrets"], "--show-secrets is for --headers"),
        (["-", "--tcp-only", "--keys", "no-such-file"], "--tcp-only does not look into connections"),
        (["-", "--tcp-only", "--filter", "method=GET"], "--tcp-only does not look into connections"),
        (["-", "--idle-timeout", "0"], "would give up every connection at once"),
        (["-", "--buffer", "much"], "'much' is no size: write 64MB"),
        (["-", "-f", "tcp prt 80"], "capture filter 'tcp prt 80': can't parse filter expression: syntax error"),
        (["-", "-s", "10"], "10 is not in the range"),
    ],
)
def test_wrong_usage_is_one_line(words, why):
    done = run(*words)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("analyzer: ")
    assert why in done.stderr


def test_an_interface_that_does_not_exist():
    done = run("-i", "there-is-no-such-interface")
    assert done.exit_code == 4
    assert "there is no interface 'there-is-no-such-interface'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_is_no_capture():
    done = run("-", capture=b"this is text and no capture at all\n" * 3)
    assert done.exit_code == 3
    assert "is text, not a capture" in done.stderr


def test_json_lines_are_those_of_read():
    done = run("-", "--format", "jsonl", "--no-events", capture=capture_of(WEB).read_bytes())
    assert done.exit_code == 0
    *said, last = map(json.loads, done.stdout.splitlines())
    assert last["type"] == "summary"
    assert last["ended"] == "end-of-input"
    expected, _, _ = analysed(WEB)
    assert [one["id"] for one in nameless(said)] == [one.id for one in expected]


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_filters_let_only_connections_pass(form):
    done = run("-", "--format", form, "--filter", "open=refused", capture=capture_of(WEB).read_bytes())
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    if form == "jsonl":
        assert [json.loads(line)["type"] for line in lines] == ["connection", "summary"]
    else:
        assert "refused" in lines[0]
        assert "1 of " in lines[2]


def test_quiet():
    done = run("-", "--quiet", capture=capture_of(WEB).read_bytes())
    assert (done.exit_code, done.output) == (0, "")


def test_saved(tmp_path):
    path = tmp_path / "seen.pcapng"
    done = run("-", "-w", str(path), "--quiet", capture=capture_of(WEB).read_bytes())
    assert done.exit_code == 0
    again = run("-", "--format", "jsonl", capture=path.read_bytes())
    first = run("-", "--format", "jsonl", capture=capture_of(WEB).read_bytes())
    assert again.stdout == first.stdout


def test_a_place_that_cannot_be_written():
    done = run("-", "-w", "/no/such/folder/seen.pcapng", capture=capture_of(WEB).read_bytes())
    assert done.exit_code == 4
    assert "cannot write /no/such/folder/seen.pcapng" in done.stderr
    assert done.stderr.count("\n") == 1


def test_interfaces():
    done = CliRunner().invoke(program, ["interfaces", "--format", "json"])
    assert done.exit_code == 0
    found = {one["name"]: one for one in json.loads(done.stdout)["interfaces"]}
    assert found["lo"]["loopback"] is True
    assert found["lo"]["link_type"] == 1
    shown = CliRunner().invoke(program, ["interfaces"]).stdout
    assert all(name in shown for name in [*found, "any"])
