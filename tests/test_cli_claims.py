"""`analyzer claims`, on recorded captures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from analyzer.cli import program
from tests.cases import ROOT, capture_of, keys_of

KEEP_ALIVE = ROOT / "captures" / "http1" / "keep-alive"
RSA = ROOT / "captures" / "tls" / "1.2-rsa"


def run(*words: object, **options):
    return CliRunner().invoke(program, ["claims", *(str(word) for word in words)], **options)


def found(*words: object, **options):
    done = run(*words, "--format", "json", **options)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def verdicts(*words: object, **options):
    return {one["id"]: one["verdict"] for one in found(*words, **options)["claims"]}


def test_text():
    done = run(KEEP_ALIVE, env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    first, empty, claim, *rest = done.stdout.splitlines()
    assert first.startswith("1 connection: ")
    assert (empty, claim) == ("", "C1  ? not seen      Each side picks a random initial sequence number.")
    assert all(len(line) <= 80 for line in rest)
    assert "✗ contradicted  In HTTP/1.1 a connection carries one request and one" in done.stdout
    assert "HTTP/1.1    HTTP/2" in done.stdout


def test_several_captures_are_looked_at_together():
    together = found(KEEP_ALIVE, RSA, "--keys", RSA / "keys.log")
    assert together["connections"] == 2
    exchanges = next(row for row in together["comparison"] if row["measured"] == "exchanges")
    assert (exchanges["http1"], exchanges["http2"]) == (5, None)
    places = [place["capture"] for one in together["claims"] for place in one["evidence"]]
    assert set(places) == {str(KEEP_ALIVE / "capture.pcapng"), str(RSA / "capture.pcapng")}
    assert "keep-alive/capture.pcapng: 4" in run(KEEP_ALIVE, RSA).stdout


def test_a_folder_is_searched(tmp_path):
    for name in ("a", "b"):
        shutil.copy(KEEP_ALIVE / "capture.pcapng", tmp_path / f"{name}.pcapng")
    assert found(tmp_path)["connections"] == 2


def test_markdown_in_a_file(tmp_path):
    out = tmp_path / "claims.md"
    done = run(KEEP_ALIVE, "--format", "markdown", "-o", out)
    assert (done.exit_code, done.stdout) == (0, "")
    assert out.read_text().startswith("# Claims\n\n1 connection: ")


def test_keys():
    assert verdicts(RSA)["C15"] == "not-seen"
    assert verdicts(RSA, "--keys", RSA / "keys.log")["C15"] == "supported"
    assert verdicts(RSA, env={"SSLKEYLOGFILE": str(RSA / "keys.log")})["C15"] == "supported"


def test_authorities():
    case = "tls/starttls-ldap"
    words = (capture_of(case), "--keys", *keys_of(case))
    assert "not trusted here" in run(*words).stdout
    assert "in date and trusted" in run(*words, "--ca", capture_of(case).parent / "ca.pem").stdout


def test_secrets_are_compared_and_not_shown():
    """The claim about repeated fields needs the values of all of them."""
    for case in ("http1/browser", "http1/keep-alive"):
        for form in ("table", "json", "markdown"):
            shown = run(capture_of(case), "--format", form).stdout
            assert "Mozilla" not in shown
            assert "curl" not in shown


def test_standard_input():
    piped = (KEEP_ALIVE / "capture.pcapng").read_bytes()
    command = [sys.executable, "-m", "analyzer", "claims", "-", "--format", "json"]
    done = subprocess.run(command, input=piped, capture_output=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout)["connections"] == 1
    assert run("-", "-").exit_code == 2


def test_what_cannot_be_read(tmp_path):
    done = run(tmp_path / "none.pcap")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "none.pcap" in done.stderr
    done = run(tmp_path / "none.pcap", KEEP_ALIVE)
    assert done.exit_code == 3
    assert "1 connection: " in done.stdout
    out = tmp_path / "claims.json"
    assert run(tmp_path / "none.pcap", "-o", out).exit_code == 3
    assert not out.exists()


def test_a_damaged_capture_is_read_up_to_the_damage(tmp_path):
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes((KEEP_ALIVE / "capture.pcapng").read_bytes()[:-50])
    done = run(cut)
    assert done.exit_code == 0
    assert "warning" in done.stderr
    assert "1 connection: " in done.stdout


@pytest.mark.parametrize("form", ["table", "json", "markdown"])
def test_a_capture_is_not_overwritten(form, tmp_path):
    capture = tmp_path / "web.pcapng"
    shutil.copy(KEEP_ALIVE / "capture.pcapng", capture)
    before = capture.read_bytes()
    assert run(capture, "--format", form, "-o", capture).exit_code == 2
    assert capture.read_bytes() == before
