"""Killed without a warning: what is on the disk afterwards can be used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import analyzer
from tests.capture.builders import pcap_header, pcap_record
from tests.cases import PYTHONPATH, capture_of
from tests.conversations import Conversation

HANDSHAKES = Conversation().say("C SYN", "S SYN-ACK", "C ACK", "C FIN", "S FIN", "C ACK").packets


def start(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "analyzer", *words]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, bufsize=0,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
    )  # fmt: skip


def wait(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.stdin.close()
    assert process.wait() == -signal.SIGKILL


def test_a_report_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "report.jsonl"
    target.write_text("an older report\n")
    process = start("read", "-q", "-", "--format", "jsonl", "-o", str(target))
    process.stdin.write(pcap_header())
    for packet in HANDSHAKES:
        process.stdin.write(pcap_record(packet))
    wait(lambda: len(os.listdir(tmp_path)) == 2)  # the file beside it, which takes its place at the end
    kill(process)
    assert target.read_text() == "an older report\n"


def test_what_live_has_written_can_be_read(tmp_path):
    target = tmp_path / "seen.pcapng"
    process = start("live", "-", "-q", "-w", str(target))
    process.stdin.write(pcap_header())
    for packet in HANDSHAKES:
        process.stdin.write(pcap_record(packet))
    wait(lambda: target.exists() and _packets(target) == len(HANDSHAKES))
    process.stdin.write(pcap_record(HANDSHAKES[0])[:-7])  # killed in the middle of a packet
    kill(process)
    with analyzer.analyze(target) as analysis:
        (connection,) = analysis
        assert (analysis.totals.packets, analysis.warnings) == (len(HANDSHAKES), [])
    assert connection.close.outcome in ("documented", "variant")


def test_a_recorded_file_cut_anywhere_loses_only_what_is_behind_the_cut(tmp_path):
    """As a machine that loses its power may leave it."""
    content = capture_of("tcp/web-page").read_bytes()
    cut = tmp_path / "cut.pcapng"
    seen = []
    for end in range(len(content) // 2, len(content), 997):
        cut.write_bytes(content[:end])
        with analyzer.analyze(cut) as analysis:
            list(analysis)
            seen.append(analysis.totals.packets)
    assert seen == sorted(seen)
    assert seen[0] > 0


def _packets(path: Path) -> int:
    try:
        with analyzer.analyze(path) as analysis:
            list(analysis)
            return analysis.totals.packets
    except analyzer.InputError:
        return 0
