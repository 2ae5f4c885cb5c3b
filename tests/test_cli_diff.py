"""`analyzer diff`, on recorded captures and on reports of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from analyzer.cli import program
from tests.cases import ROOT, capture_of, keys_of

KEEP_ALIVE, PIPELINED = capture_of("http1/keep-alive"), capture_of("http1/pipelined")
HTTP1, HTTP2 = "compare/http1", "compare/http2"


def run(*words: object, **options):
    return CliRunner().invoke(program, ["diff", *(str(word) for word in words)], **options)


def report(case: str, path, *more: str):
    """What `read --format jsonl` prints, in a file."""
    words = ["read", "--format", "jsonl", *more, str(capture_of(case))]
    path.write_bytes(CliRunner().invoke(program, words).stdout_bytes)
    return path


def test_a_capture_and_itself():
    done = run(KEEP_ALIVE, KEEP_ALIVE)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"old  {KEEP_ALIVE}", f"new  {KEEP_ALIVE}", "", "1 connection: no difference"]


def test_old_and_new_side_by_side():
    done = run(KEEP_ALIVE, PIPELINED, env={"COLUMNS": "120"})
    assert done.exit_code == 1
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["http.connection.flow", "http1/keep-alive", "http1/pipelined", "34", "/", "16"] in rows
    assert ["http.exchanges.GET", "/e.txt", "200", "absent", "19", "/", "–"] in rows
    assert all(len(line) <= 120 for line in done.stdout.splitlines())
    assert done.stdout.endswith("\n1 of 1 connection different\n")


def test_on_a_narrow_terminal_nothing_is_cut():
    lines = run(KEEP_ALIVE, PIPELINED, env={"COLUMNS": "50"}).stdout.splitlines()
    at = lines.index("  http.connection.flow  (packets 34 / 16)")
    assert lines[at + 1 : at + 3] == ["    - http1/keep-alive", "    + http1/pipelined"]


def test_colours():
    assert "\x1b[" not in run(KEEP_ALIVE, PIPELINED).stdout
    assert "\x1b[31m" in run("--color", "always", KEEP_ALIVE, PIPELINED, color=True).stdout


def test_the_same_page_over_http1_and_http2():
    done = run("--format", "json", "--keys", keys_of(HTTP1)[0], "--keys", keys_of(HTTP2)[0],
               capture_of(HTTP1), capture_of(HTTP2))  # fmt: skip
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found["same"] is False
    first = {one["name"]: (one["old"], one["new"]) for one in found["connections"][0]["differences"]}
    assert first["tls.alpn"] == ("http/1.1", "h2")
    assert first["http.version"] == ("HTTP/1.1", "HTTP/2")
    assert first["lifecycle.flow"] == ("lifecycle/https-connection", "lifecycle/http2-connection")
    assert len(found["only_old"]) > len(found["only_new"]) == 0


@pytest.mark.parametrize("case", ["http1/keep-alive", "tcp/web-page", "tls/1.3-full", "http2/page"])
def test_a_report_is_as_good_as_its_capture(case, tmp_path):
    keys = [word for path in keys_of(case) for word in ("--keys", path)]
    written = report(case, tmp_path / "old.jsonl", *keys)
    done = run("--threshold", "0%", "--floor", "0", *keys, written, capture_of(case))
    assert done.exit_code == 0, done.output
    assert run(*keys, written, written).exit_code == 0


def test_standard_input(tmp_path):
    """A report or a capture may come from a pipe."""
    written = report("http1/keep-alive", tmp_path / "old.jsonl")
    command = [sys.executable, "-m", "analyzer", "diff", "-", str(KEEP_ALIVE)]
    for path in (written, KEEP_ALIVE):
        done = subprocess.run(command, input=path.read_bytes(), capture_output=True, cwd=ROOT, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"old  -\n")


def test_ignored_names():
    assert run("--ignore", "http.*", "--ignore", "close.*", KEEP_ALIVE, PIPELINED).exit_code == 0


def test_times_count_if_asked_for(tmp_path):
    written = report("http1/keep-alive", tmp_path / "old.jsonl")
    line = json.loads(written.read_text())
    line["http"]["exchanges"][0]["finished_ns"] += 40_000_000
    slower = tmp_path / "new.jsonl"
    slower.write_text(json.dumps(line))
    assert run(written, slower).exit_code == 0
    done = run("--threshold", "20%", written, slower, env={"COLUMNS": "120"})
    assert done.exit_code == 1
    assert "http.exchanges.GET /a.txt.finished_ns" in done.stdout
    assert run("--threshold", "20%", "--floor", "1s", written, slower).exit_code == 0


def test_markdown(tmp_path):
    written = report("http1/keep-alive", tmp_path / "old.jsonl")
    line = json.loads(written.read_text())
    line["http"]["exchanges"][0]["request"]["target"] = "/<b>|`x`\n"
    (tmp_path / "new.jsonl").write_text(json.dumps(line))
    done = run("--format", "markdown", written, tmp_path / "new.jsonl")
    rows = [row for row in done.stdout.splitlines() if row.startswith("| http")]
    assert len(rows) == 2
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)
    assert "\\<b\\>\\|\\`x\\`\\\\n" in rows[1]


def test_what_a_capture_says_cannot_act_on_the_terminal(tmp_path):
    written = report("http1/keep-alive", tmp_path / "old.jsonl")
    line = json.loads(written.read_text())
    line["close"]["flow"] = "\x1b[2J\u202e"
    (tmp_path / "new.jsonl").write_text(json.dumps(line))
    for form in ("text", "json", "markdown"):
        shown = run("--format", form, written, tmp_path / "new.jsonl").stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"type": "connection"}', '{"type": 1}', "{" * 100_000, '{"type": "connection", "id": "\\ud800"}'],
)
def test_what_is_no_report(text, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    done = run(path, KEEP_ALIVE)
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"{path}:1: is not what `analyzer read --format jsonl` of this version prints" in done.stderr
    assert done.stderr.count("\n") == 1


def test_other_lines_of_a_report_are_passed_over(tmp_path):
    written = report("http1/keep-alive", tmp_path / "old.jsonl")
    written.write_text('{"type": "event", "step": "SYN"}\n\n' + written.read_text() + '{"type": "summary"}\n')
    assert run(written, KEEP_ALIVE).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-", "-"], 2, "give - once"),
        (["--threshold", "0.2", KEEP_ALIVE, KEEP_ALIVE], 2, "is no share: write 20%"),
        (["missing.pcap", KEEP_ALIVE], 3, "missing.pcap: no such file"),
        ([KEEP_ALIVE, ROOT], 3, "is a folder"),
        ([KEEP_ALIVE, ROOT / "README.md"], 3, "is text, not a capture"),
        (["-o", KEEP_ALIVE, KEEP_ALIVE, PIPELINED], 2, "would overwrite"),
        ([KEEP_ALIVE], 2, "missing argument"),
    ],
)
def test_wrong_usage_and_what_cannot_be_read(words, code, message):
    done = run(*words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr


def test_a_damaged_capture_has_its_warning():
    cut = capture_of("tcp/cut-mid-record")
    done = run(cut, cut)
    assert done.exit_code == 0
    assert done.stderr.count("warning") == 2
