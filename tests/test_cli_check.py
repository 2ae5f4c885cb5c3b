"""`analyzer check`, on recorded captures."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
import xml.etree.ElementTree as ET
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from analyzer.cli import program
from analyzer.commands.check import check
from analyzer.reporter import expectations
from analyzer.reporter.expectations import Difference, Expectations
from analyzer.reporter.outputs.checks import Result, as_annotations, as_json, as_junit, as_text
from tests.cases import CAPTURES, CASES, capture_of
from tests.conversations import HANDSHAKE, Conversation
from tests.conversations import capture_of as frames_of
from tests.refresh_docs import FILES, blocks

RESET = CAPTURES / "tcp" / "reset-server"


def run(*words: object, **options):
    return CliRunner().invoke(program, ["check", *(str(word) for word in words)], **options)


@pytest.fixture
def folder(tmp_path):
    """Makes a case of a capture and of what is expected of it."""

    def make(text: str | None, capture=RESET / "capture.pcapng", name="case"):
        path = tmp_path / "all" / name
        path.mkdir(parents=True, exist_ok=True)
        if capture:
            shutil.copy(capture, path)
        if text is not None:
            (path / "expect.yaml").write_text(text)
        return path

    return make


FITS = "connections: [{close: {flow: tcp-close/reset}}]"
FAILS = "connections:\n  - close: {flow: tcp-close/four-way}\n"


def test_every_recorded_capture_is_as_expected():
    done = run(CAPTURES)
    assert (done.exit_code, done.stdout) == (0, f"{len(CASES)} captures checked: all as expected\n")


def test_a_failure_shows_both_side_by_side_and_where_to_look(folder):
    path = folder(FAILS)
    done = run(path, env={"COLUMNS": "200"})
    assert done.exit_code == 1
    head, names, _, row, empty, end = done.stdout.splitlines()
    assert head == f"✗ {path}/capture.pcapng: 1 difference from {path}/expect.yaml"
    assert names.split() == ["field", "expected", "seen", "packets"]
    assert row.split() == ["connections[0].close.flow", "tcp-close/four-way", "tcp-close/reset", "8", "(#0)"]
    assert (empty, end) == ("", "1 capture checked: 1 not as expected")


def test_on_a_narrow_terminal_nothing_is_cut(folder):
    path = folder(FAILS)
    lines = run(path, env={"COLUMNS": "40"}).stdout.splitlines()
    assert lines[1:5] == [
        "  connections[0].close.flow",
        "    expected  tcp-close/four-way",
        "    seen      tcp-close/reset",
        "    packets   8 (#0)",
    ]


def test_another_capture_in_its_place_fails(folder):
    case = CASES["tls/1.3-full"]
    path = folder((case / "expect.yaml").read_text(), capture_of("tls/1.2-rsa"))
    assert run(path).exit_code == 1


def test_keys_beside_the_capture_are_used(folder):
    path = folder("connections: [{tls: {decrypted: true}}]", capture_of("tls/1.3-full"))
    assert run(path).exit_code == 1
    shutil.copy(CASES["tls/1.3-full"] / "keys.log", path)
    assert run(path).exit_code == 0


def test_header_fields(folder):
    text = "connections: [{http: {exchanges: {each: {response: {headers: {each: [{like: '*'}, {like: '*'}]}}}}}}]"
    assert run(folder(text, capture_of("http1/connection-close"))).exit_code == 0


def test_paths(folder):
    good, bad = folder(FITS, name="good"), folder(FAILS, name="bad")
    assert run(good.parent).stdout.endswith("2 captures checked: 1 not as expected\n")
    assert run(good).exit_code == 0
    assert run(good / "expect.yaml").exit_code == 0
    assert run(good / "capture.pcapng", good).stdout == "1 capture checked: all as expected\n"
    assert run(good, bad / "expect.yaml").exit_code == 1


def test_one_of_several_captures(folder):
    path = folder(FITS)
    shutil.copy(capture_of("tcp/refused"), path / "other.pcapng")
    done = run(path)
    assert done.exit_code == 2
    assert "There are capture.pcapng, other.pcapng: say capture: capture.pcapng" in done.stderr
    (path / "expect.yaml").write_text(f"capture: capture.pcapng\n{FITS}")
    assert run(path).exit_code == 0
    (path / "expect.yaml").write_text(f"capture: other.pcapng\n{FITS}")
    assert run(path).exit_code == 1


def test_what_cannot_be_read(folder, tmp_path):
    done = run(tmp_path / "nowhere")
    assert (done.exit_code, "no such file" in done.stdout) == (3, True)
    assert "no expect.yaml in this folder or below" in run(folder(None)).stdout
    assert "no expect.yaml beside it" in run(folder(None) / "capture.pcapng").stdout
    empty = folder(FITS, capture=None, name="empty")
    done = run(empty)
    assert (done.exit_code, "no capture beside" in done.stdout) == (3, True)
    folder(FAILS, name="bad")
    folder(f"capture: gone.pcap\n{FITS}", name="gone")
    done = run(empty.parent)
    assert done.exit_code == 3
    assert done.stdout.endswith("3 captures checked: 1 not as expected, 2 unreadable\n")


def test_expectations_that_cannot_be_used(folder):
    folder("connections: [{tls: {versoin: TLS 1.3}}]", name="a")
    folder("connections: [", name="b")
    path = folder(FAILS, name="c")
    done = run(path.parent)
    assert (done.exit_code, done.stdout) == (2, "")
    first, second, last = done.stderr.splitlines()
    assert (
        "a/expect.yaml:1: connections[0].tls has no field 'versoin'; did you mean version? there are version," in first
    )
    assert "b/expect.yaml:2: is no YAML" in second
    assert last == "analyzer: nothing was checked: 2 expect.yaml files cannot be used"


# Several at a time.


def test_jobs_change_nothing_but_the_time(folder):
    for name in ("a", "b", "c", "d", "e"):
        path = folder(FAILS if name in "bd" else FITS, name=name)
    folder(FITS, capture=None, name="cc")
    for form in ("text", "json", "github"):
        alone, together = run(path.parent, "--format", form), run(path.parent, "--format", form, "--jobs", 3)
        assert (alone.stdout, alone.exit_code) == (together.stdout, together.exit_code)
        assert alone.exit_code == 3
    assert run(path, "--jobs", 0).exit_code == 2


def test_a_process_that_dies_is_no_traceback(folder, monkeypatch):
    class Pool:
        def __init__(self, *given): ...

        def submit(self, *given):
            future = Future()
            future.set_exception(BrokenProcessPool("killed"))
            return future

        def shutdown(self, **given): ...

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", Pool)
    done = run(folder(FITS), "--jobs", 2)
    assert (done.exit_code, done.stderr.count("try fewer --jobs")) == (3, 1)


# Claims.


def test_claims(folder):
    path = folder(f"{FITS}\nclaims: {{C2: contradicted, C3: {{any_of: [not-seen, supported]}}}}")
    assert run(path).exit_code == 0
    (path / "expect.yaml").write_text("claims:\n  C2: supported\n")
    (difference,) = json.loads(run(path, "--format", "json").stdout)["cases"][0]["differences"]
    assert difference["seen"].startswith("contradicted: 0 of 1 close")
    assert (difference["field"], difference["expected"], difference["line"]) == ("claims.C2", "supported", 2)
    assert difference["first_packet"] == 8


def test_claims_show_no_secrets(folder):
    """They compare the values of header fields; what is printed of header fields stays hidden."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"
    path = folder(
        "connections: [{http: {exchanges: [{request: {headers: []}}]}}]\nclaims: {C18: supported}", capture=None
    )
    said = Conversation(data={"ask": request}).say(*HANDSHAKE, "C DATA ask")
    (path / "capture.pcap").write_bytes(frames_of(said))
    differences = json.loads(run(path, "--format", "json").stdout)["cases"][0]["differences"]
    assert [one["field"] for one in differences] == ["connections[0].http.exchanges[0].request.headers", "claims.C18"]
    (path / "expect.yaml").write_text(
        "connections: [{http: {exchanges: [{request: {headers: [[Host, a], [Authorization, '*']]}}]}}]\n"
        "claims: {C18: not-seen}"
    )
    told = run(path).stdout
    assert "(not shown)" in told
    assert "c2VjcmV0" not in told


# Update.


def test_update_writes_what_is_missing_and_what_differs(folder):
    good, bad, new = folder(FITS, name="good"), folder(f"# mine\n{FAILS}", name="bad"), folder(None, name="new")
    done = run(good.parent, "--update", env={"COLUMNS": "200"})
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == f"✎ {bad}/expect.yaml: 1 difference replaced"
    assert lines[1].split() == ["field", "was", "expected", "seen", "packets"]
    assert lines[3].split() == ["connections[0].close.flow", "tcp-close/four-way", "tcp-close/reset", "8", "(#0)"]
    assert lines[5] == f"✎ {new}/expect.yaml: created from {new}/capture.pcapng"
    assert lines[-1] == "3 captures checked: 1 expect.yaml file created, 1 expect.yaml file updated"
    assert (good / "expect.yaml").read_text() == FITS
    assert (bad / "expect.yaml").read_text() == f"# mine\n{FAILS.replace('four-way', 'reset')}"
    assert run(good.parent).stdout == "3 captures checked: all as expected\n"
    assert run(good.parent, "--update", "--jobs", 2).stdout == "3 captures checked: all as expected\n"


def test_update_for_one_of_several_captures(folder):
    path = folder("")
    shutil.copy(capture_of("tcp/refused"), path / "other.pcapng")
    done = run(path, "--update")
    assert (done.exit_code, "There are capture.pcapng, other.pcapng: name one" in done.stderr) == (2, True)
    assert run(path / "other.pcapng", "--update").exit_code == 0
    assert (path / "expect.yaml").read_text().startswith("capture: other.pcapng\nconnections:\n")
    assert run(path).exit_code == 0


def test_update_and_what_it_cannot_do(folder, tmp_path):
    assert run(folder(FITS), "--update", "--format", "json").exit_code == 2
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", "--update")
    assert (done.exit_code, "no capture in this folder" in done.stdout) == (3, True)
    path = folder("connections: [{flwo: 1}]", name="unusable")
    assert run(path, "--update").exit_code == 2
    assert (path / "expect.yaml").read_text() == "connections: [{flwo: 1}]"
    text = "connections: [{where: packets>0, count: '>0', http: {exchanges: [{stream: 1}]}}]"
    mixed = folder(text, capture_of("compare/http2"), name="mixed")
    shutil.copy(CASES["compare/http2"] / "keys.log", mixed)
    done = run(mixed, "--update")
    assert done.exit_code == 1
    assert "not as expected" in done.stdout


def test_a_report_in_a_file(folder, tmp_path):
    out = tmp_path / "report.xml"
    path = folder(FAILS)
    done = run(path, "--format", "junit", "-o", out)
    assert (done.exit_code, done.stdout) == (1, "")
    assert ET.parse(out).getroot().get("failures") == "1"
    assert run(path, "-o", path / "capture.pcapng").exit_code == 2
    assert (path / "capture.pcapng").read_bytes() == (RESET / "capture.pcapng").read_bytes()


def test_json(folder):
    folder(FITS, name="good")
    path = folder(FAILS, name="bad")
    report = json.loads(run(path.parent, "--format", "json").stdout)
    assert (report["checked"], report["failed"], report["unreadable"]) == (2, 1, 0)
    bad, good = report["cases"]
    assert (bad["outcome"], good["outcome"], good["differences"]) == ("failed", "passed", [])
    assert bad["differences"] == [
        {
            "field": "connections[0].close.flow",
            "expected": "tcp-close/four-way",
            "seen": "tcp-close/reset",
            "line": 2,
            "connection": 0,
            "first_packet": 8,
            "last_packet": 8,
        }
    ]


def test_annotations(folder):
    path = folder(FAILS)
    first, last = run(path, "--format", "github").stdout.splitlines()
    assert first == (
        f"::error file={path}/expect.yaml,line=2,title={path}::connections[0].close.flow: expected tcp-close/four-way, "
        "seen tcp-close/reset; look at packet 8 of connection #0"
    )
    assert last == "1 capture checked: 1 not as expected"


DOCUMENTED = [
    *("\n".join(block.lines) for path in FILES for block in blocks(path) if block.language == "yaml"),
    textwrap.dedent(expectations.__doc__.partition("\n\n")[2].partition("\n\n")[0]),
    # Without what the help says beside it.
    re.sub(
        r"   +(as in|1 if|or server|as `analyzer).*",
        "",
        textwrap.dedent(check.epilog.partition("not compared:\n")[2].partition("Keys are")[0]),
    ),
]


@pytest.mark.parametrize("text", [text for text in DOCUMENTED if "\nconnections:\n" in f"\n{text}"])
def test_documented_expectations_can_be_used(text):
    assert list(Expectations(text.encode(), "x", ("connections", "packets")).differences([], {}))


def test_there_are_documented_expectations():
    assert sum("\nconnections:\n" in f"\n{text}" for text in DOCUMENTED) == 4


# What is hostile: file names, and text from captures.

EVIL = 'a\x1b[31m\n<&"\x00\ud800\udcff\ufffe%,:]]>'
RESULTS = [
    Result("good", "good/c.pcap", "good/expect.yaml", warnings=(EVIL,)),
    Result(EVIL, EVIL, EVIL, differences=(Difference(EVIL, EVIL, EVIL, 1, 0, 1, 2), Difference("totals", "1", "2", 3))),
    Result(EVIL, None, EVIL, error=EVIL),
]


def test_junit():
    top = ET.fromstring(as_junit(RESULTS))
    assert (top.tag, top.get("tests"), top.get("failures"), top.get("errors")) == ("testsuites", "3", "1", "1")
    (suite,) = top
    good, failed, unreadable = suite
    assert [one.tag for one in good] == ["system-err"]
    assert failed.get("name").startswith("a\\x1b[31m\\n<&")
    (failure,) = failed
    assert failure.text.splitlines()[-1] == "totals: expected 1, seen 2"
    assert len(failure.text.splitlines()) == 2
    assert unreadable[0].tag == "error"


def test_junit_is_as_jenkins_takes_it(folder):
    schema = etree.XMLSchema(etree.parse(Path(__file__).parent / "reporter" / "junit.xsd"))
    folder(FITS, name="good")
    folder(FAILS, name="bad")
    path = folder(FITS, capture=None, name="unreadable").parent
    for report in (as_junit(RESULTS), as_junit([]), run(path, "--format", "junit").stdout.encode()):
        schema.assertValid(etree.fromstring(report))
    wrong = etree.fromstring(as_junit(RESULTS).replace(b"<testcase ", b"<testcase color='red' "))
    assert not schema.validate(wrong)


def test_nothing_hostile_gets_through():
    written = (as_json(RESULTS).decode(), as_junit(RESULTS).decode())
    for text in (as_text(RESULTS, width=80), as_annotations(RESULTS), *written):
        assert text.replace("\n", "").isprintable()
    annotations = as_annotations(RESULTS).splitlines()
    assert len(annotations) == 4
    assert annotations[0].count("::") == 2
    assert "%25%2C%3A" in annotations[0]
