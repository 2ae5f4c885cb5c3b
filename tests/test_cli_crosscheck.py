"""`analyzer crosscheck`: the command, and what becomes of a tshark that misbehaves."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from analyzer.cli import program
from analyzer.reporter.crosscheck.tshark import MOST_PACKET, MOST_SAID
from tests.cases import CASES, ROOT, capture_of, keys_of

needs_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None and os.environ.get("CI") != "true", reason="tshark is not installed"
)
PUSH = capture_of("http2/push")


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch, tmp_path):
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path / "wireshark"))


def run(*words: object, **options):
    return CliRunner().invoke(program, ["crosscheck", *(str(word) for word in words)], **options)


def aspects(done, *, agrees: bool) -> list[str]:
    (capture,) = json.loads(done.stdout)["captures"]
    found = (aspect for connection in capture["connections"] for aspect in connection["aspects"])
    return [aspect["aspect"] for aspect in found if aspect["agrees"] is agrees]


# What it prints.


@needs_tshark
def test_both_agree():
    done = run(PUSH)
    assert done.exit_code == 0, done.output
    head, agreed, end = done.stdout.splitlines()
    assert head == "#0  10.0.0.1:48468 → 10.0.0.2:80  packets 1–23"
    assert agreed == "  ✓ stream, packets, open, close, requests, responses, HTTP/2 frames, GOAWAY"
    assert end == "1 connection: agreed on 8 aspects, none unexplained"
    assert run(PUSH, "--differences").stdout.splitlines() == [end]


@needs_tshark
def test_a_known_difference_has_its_reason():
    done = run(capture_of("tcp/blind-reset"))
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2:6] == [
        "  ~ close  (packet 8)",
        "    analyzer  client FIN (13), server FIN (15)",
        "    tshark    server RST (8), client FIN (13), server FIN (15)",
        "    known: a reset that was ignored: not at the number expected, or the receiver went on (RFC 5961 §3.2)",
    ]


@needs_tshark
def test_keys_are_for_both(tmp_path):
    case = "tls/1.3-full"
    without = run("--format", "json", capture_of(case))
    assert "requests" not in aspects(without, agrees=True)
    keys = keys_of(case)[0]
    assert "requests" in aspects(run("--format", "json", "--keys", keys, capture_of(case)), agrees=True)
    assert "requests" in aspects(run("--format", "json", capture_of("tls/embedded-secrets")), agrees=True)
    # Several key logs are joined, and a PEM file may have any name.
    other, pem = keys_of("tls/1.3-psk")[0], tmp_path / 'a "quoted" name.pem'
    shutil.copy(CASES["tls/1.2-rsa-server-key"] / "server.key", pem)
    several = ("--format", "json", "--keys", other, "--keys", pem, "--keys", keys)
    assert "requests" in aspects(run(*several, capture_of(case)), agrees=True)
    assert "requests" in aspects(run(*several, capture_of("tls/1.2-rsa-server-key")), agrees=True)


@needs_tshark
def test_tshark_is_told_where_http2_is_spoken_in_the_clear():
    done = run("--format", "json", capture_of("http2/grpc-unary"))
    (capture,) = json.loads(done.stdout)["captures"]
    assert capture["decode_as"] == ["tcp.port==50051,http2"]
    assert "requests" in aspects(done, agrees=True)


@needs_tshark
def test_a_wrong_rule_is_a_disagreement():
    """What tshark is told wrongly it cannot see; nothing explains that away."""
    done = run("--decode-as", "tcp.port==80,smtp", capture_of("http1/single-exchange"))
    assert done.exit_code == 1
    assert "  ✗ requests  (packet 4)\n    analyzer  GET / (4)\n    tshark    nothing\n" in done.stdout
    assert done.stdout.endswith("2 differences unexplained\n")


@needs_tshark
def test_compressed_captures_and_standard_input(tmp_path):
    packed = tmp_path / "capture.gz"
    packed.write_bytes(gzip.compress(PUSH.read_bytes()))
    direct = run(PUSH).stdout
    assert run(packed).stdout == direct
    command = [sys.executable, "-m", "analyzer", "crosscheck", "-"]
    piped = subprocess.run(command, input=packed.read_bytes(), capture_output=True, cwd=ROOT, check=True)
    assert piped.stdout.decode() == direct


@needs_tshark
def test_several_captures(tmp_path):
    done = run(PUSH, tmp_path / "missing.pcap", capture_of("tcp/refused"))
    assert done.exit_code == 3
    assert "missing.pcap: no such file" in done.stderr
    assert done.stdout.splitlines()[0] == str(PUSH)
    assert done.stdout.endswith("2 connections: agreed on 12 aspects, none unexplained\n")
    report = json.loads(run("--format", "json", PUSH, capture_of("tcp/refused")).stdout)
    assert [len(capture["connections"]) for capture in report["captures"]] == [1, 1]
    assert report["totals"] == {"connections": 2, "agreements": 12, "explained": 0, "unexplained": 0}


@needs_tshark
def test_a_damaged_capture_is_compared_up_to_the_damage():
    done = run(capture_of("tcp/cut-mid-record"))
    assert done.exit_code == 0, done.output
    assert "cut short" in done.stderr
    assert done.stderr.count("warning") == 2  # each says so in its words


# A tshark that misbehaves.


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Puts a tshark in front of the real one."""

    def make(script: str):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "tshark").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "tshark").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return make


def packet(number: object, **fields: object) -> str:
    """What tshark prints for a packet."""
    names = {name.replace("_", "."): value for name, value in fields.items()}
    lines = "".join(f'<field name="{name}" value="{value}"/>' for name, value in names.items())
    return f'<packet><proto name="geninfo"><field name="num" show="{number}"/></proto>{lines}</packet>'


SEGMENT = {
    "frame_protocols": "eth:ip:tcp", "ip_src": "10.0.0.1", "ip_dst": "10.0.0.2", "tcp_stream": 0, "tcp_srcport": 1,
    "tcp_dstport": 2, "tcp_flags": "0x0002",
}  # fmt: skip


def printing(*packets: str) -> str:
    text = "".join(['<?xml version="1.0"?><pdml version="0" creator="wireshark/9.9.9">', *packets, "</pdml>"])
    return f"cat <<'END'\n{text}\nEND"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'tshark: no such option' >&2; exit 1", "tshark failed with exit code 1 (no such option)"),
        ("kill -SEGV $$", "tshark crashed: it was ended by signal 11"),
        (f"{printing()}\nkill -KILL $$", "tshark crashed: it was ended by signal 9"),
        ("sleep 100", "tshark printed nothing for 1 s and was ended"),
        ("sleep 100 >&2", "tshark printed nothing for 1 s and was ended"),
        ("exec >&-; sleep 100", "tshark printed nothing for 1 s and was ended"),
        ("exit 0", "tshark printed something else than packets"),
        ("echo hello", "tshark printed something else than packets"),
        ("yes nonsense", "tshark printed something else than packets"),
        ("echo '<packet>&nothing;</packet>'", "tshark printed something else than packets"),
        ("head -c 1000000 /dev/urandom >&2; exit 3", "tshark failed with exit code 3"),
        (printing(packet("many")), "not understood (packet 0: ValueError"),
        (printing(packet(1, **SEGMENT), packet(1, **SEGMENT)), "not understood (packet 1: ValueError"),
        (printing(packet(1, **SEGMENT | {"tcp_stream": 10**12})), "not understood (packet 1: ValueError"),
        (printing(packet(1, **SEGMENT | {"tcp_flags": "much"})), "not understood (packet 1: ValueError"),
        (printing(packet(1, tcp_stream=0)), "not understood (packet 1: KeyError"),
        ("printf '\\033[31m<packet>' >&2; exit 9", "exit code 9 (\\x1b[31m<packet>)"),
    ],
)  # fmt: skip
def test_a_tshark_that_misbehaves(fake, script, message):
    fake(script)
    done = run("--timeout", "1", PUSH)
    assert done.exit_code == 3, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_more_packets_than_there_are_are_not_read(fake):
    """Or else a tshark that never ends would fill the memory."""
    fake(
        "echo '<?xml version=\"1.0\"?><pdml>'; i=1; while :; do "
        f"echo '{packet('@', **SEGMENT)}' | sed s/@/$i/; i=$((i + 1)); done"
    )
    done = run(PUSH)
    assert "tshark reads on after packet 23: not compared" in done.stderr
    assert done.exit_code == 1


def test_a_packet_without_end(fake):
    fake(f"printf '<pdml><packet>'; head -c {MOST_PACKET + 100_000} /dev/zero; sleep 100")
    done = run(PUSH)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "something else than packets" in done.stderr


def test_messages_without_end(fake):
    """Only the last of them are kept, and the last is shown."""
    fake(f"yes 'x' | tr -d '\\n' | head -c {50 * MOST_SAID} >&2; echo 'tshark: it went wrong' >&2; exit 1")
    done = run(PUSH)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "it went wrong" in done.stderr
    assert MOST_SAID < len(done.stderr) < MOST_SAID + 500


def test_without_tshark(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(PUSH)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith("analyzer: tshark is not installed: `apt install tshark`")
    assert done.stderr.count("\n") == 1


def test_a_config_file_of_another_program_is_not_pysharks(fake, tmp_path, monkeypatch):
    """pyshark would take the path of tshark from a config.ini in the current folder."""
    (tmp_path / "config.ini").write_text("[other]\n")
    monkeypatch.chdir(tmp_path)
    fake("exit 5")
    assert "exit code 5" in run(PUSH).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--decode-as", "port 80 is http", PUSH], "write it like tcp.port==8443,tls"),
        (["--timeout", "0", PUSH], "needs some time"),
        (["-", "-"], "give - once"),
    ],
)
def test_wrong_usage(words, message):
    done = run(*words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_what_is_no_capture(fake):
    fake("exit 5")
    done = run(ROOT / "README.md")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "is text, not a capture" in done.stderr
