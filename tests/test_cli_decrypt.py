"""`analyzer decrypt`, on recorded TLS: what it writes needs no keys any more."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

import analyzer
from analyzer.capture.source import open_capture
from analyzer.cli import program
from tests.cases import ROOT

TLS = ROOT / "captures" / "tls"
CASES = ["1.3-full", "1.2-rsa", "1.2-rsa-server-key", "1.3-early-data", "1.2-resumption-ticket", "1.3-hello-retry",
         "1.2-renegotiation", "1.3-key-update"]  # fmt: skip


def keys_of(case: str) -> Path:
    return next(path for name in ("keys.log", "server.key") if (path := TLS / case / name).exists())


def run(*words: object, **options):
    return CliRunner().invoke(program, [str(word) for word in words], **options)


def exchanges(path: Path) -> list[tuple]:
    found = []
    for connection in analyzer.analyze(path):
        http = connection.http
        found += [(one.request.target, one.response and one.response.status) for one in http.exchanges] if http else []
    return found


def decrypted(path: Path) -> list[bool]:
    return [connection.tls.decrypted for connection in analyzer.analyze(path) if connection.tls]


@pytest.mark.parametrize("case", CASES)
def test_the_result_needs_no_keys(case, tmp_path):
    out = tmp_path / "open.pcapng"
    done = run("decrypt", TLS / case / "capture.pcapng", "--keys", keys_of(case), "-o", out)
    assert done.exit_code == 0, done.output
    assert all(decrypted(out))
    assert not any(decrypted(TLS / case / "capture.pcapng"))
    assert "TLS connection" in done.stderr


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("case", ["1.3-full", "1.2-rsa-server-key"])
def test_wireshark_decrypts_it_too(case, tmp_path):
    out = tmp_path / "open.pcapng"
    assert run("decrypt", TLS / case / "capture.pcapng", "--keys", keys_of(case), "-o", out).exit_code == 0
    words = ["tshark", "-r", str(out), "-Y", "http.request", "-T", "fields", "-e", "http.request.uri"]
    seen = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert seen == [target for target, _ in exchanges(out)] != []


@pytest.mark.skipif(not shutil.which("editcap"), reason="editcap is not installed")
def test_a_pcap_file_becomes_pcapng(tmp_path):
    plain, out = tmp_path / "old.pcap", tmp_path / "open.pcapng"
    capture = TLS / "1.3-full" / "capture.pcapng"
    subprocess.run(["editcap", "-F", "pcap", str(capture), str(plain)], check=True)
    assert run("decrypt", plain, "--keys", keys_of("1.3-full"), "-o", out).exit_code == 0
    assert exchanges(out) == [("/index.html", 200)]


def test_only_secrets_of_this_capture_are_embedded(tmp_path):
    log = tmp_path / "all.log"
    log.write_text("".join(keys_of(case).read_text() for case in CASES if keys_of(case).suffix == ".log"))
    out = tmp_path / "open.pcapng"
    assert run("decrypt", TLS / "1.3-full" / "capture.pcapng", "--keys", log, "-o", out).exit_code == 0
    with open_capture(out) as capture:
        list(capture)
        (block,) = capture.secrets
    own = {line.lower() for line in keys_of("1.3-full").read_text().splitlines()}
    embedded = block.data.decode().splitlines()
    assert len(embedded) == 4
    assert {line.lower() for line in embedded} <= own


def test_the_key_log_that_the_environment_names(tmp_path):
    out = tmp_path / "open.pcapng"
    words = ("decrypt", TLS / "1.3-full" / "capture.pcapng", "-o", out)
    assert run(*words, env={"SSLKEYLOGFILE": str(keys_of("1.3-full"))}).exit_code == 0
    assert exchanges(out) == [("/index.html", 200)]


def test_where_nothing_can_be_decrypted_nothing_is_written(tmp_path):
    out = tmp_path / "open.pcapng"
    done = run("decrypt", TLS / "1.3-full" / "capture.pcapng", "--keys", keys_of("1.2-rsa"), "-o", out)
    assert (done.exit_code, out.exists()) == (1, False)
    assert "no secret for client random" in done.stderr
    done = run("decrypt", ROOT / "captures/tcp/web-page/capture.pcapng", "-o", out)
    assert (done.exit_code, out.exists()) == (1, False)
    assert "no TLS connections" in done.stderr


def test_a_key_log_that_grows_while_a_pipe_is_read(tmp_path):
    """The browser writes its secrets when the handshake is under way: by then its first packets have been read."""
    content = (TLS / "1.3-full" / "capture.pcapng").read_bytes()
    lines = keys_of("1.3-full").read_text().splitlines(keepends=True)
    log = tmp_path / "keys.log"
    log.write_text("# secrets come later\n" + lines[0])
    half = content.index(bytes.fromhex("160301"))  # the ClientHello
    reading, writing = os.pipe()
    begun = threading.Event()

    def write() -> None:
        with open(writing, "wb", buffering=0) as pipe:
            pipe.write(content[:half])
            assert begun.wait(30)
            with log.open("a") as more:
                more.write("".join(lines[1:]))
            pipe.write(content[half:])

    writer = threading.Thread(target=write)
    with open(reading, "rb", buffering=0) as pipe:
        writer.start()
        analysis = analyzer.analyze(pipe, keys=(str(log),))
        begun.set()  # the log has been read as it was
        (connection,) = analysis
        writer.join()
    assert connection.tls.decrypted
    assert [one.request.target for one in connection.http.exchanges] == ["/index.html"]


def test_standard_input_comes_only_once(tmp_path):
    done = run("decrypt", "-", "-o", tmp_path / "open.pcapng")
    assert done.exit_code == 2
    assert "save it to a file first" in done.stderr


def test_the_capture_is_not_overwritten():
    capture = TLS / "1.3-full" / "capture.pcapng"
    assert run("decrypt", capture, "--keys", keys_of("1.3-full"), "-o", capture).exit_code == 2


def test_a_compressed_capture_is_decrypted_like_its_content(tmp_path):
    plain, packed, cut = tmp_path / "plain.pcapng", tmp_path / "packed.pcapng", tmp_path / "cut.pcapng"
    content = (TLS / "1.3-full" / "capture.pcapng").read_bytes()
    archive = tmp_path / "capture.pcapng.gz"
    archive.write_bytes(gzip.compress(content))
    for capture, out in ((TLS / "1.3-full" / "capture.pcapng", plain), (archive, packed)):
        assert run("decrypt", capture, "--keys", keys_of("1.3-full"), "-o", out).exit_code == 0
    assert packed.read_bytes() == plain.read_bytes()
    assert exchanges(packed) == [("/index.html", 200)]

    archive.write_bytes(gzip.compress(content)[:-100])
    assert run("decrypt", archive, "--keys", keys_of("1.3-full"), "-o", cut).exit_code == 0
    assert plain.read_bytes().startswith(cut.read_bytes())
    assert exchanges(cut) == [("/index.html", 200)]
