"""What only a process shows: pipes that close, interrupts, terminals, and what is imported."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = [sys.executable, "-m", "tests.fake_program"]
PIPE = subprocess.PIPE


def start(*arguments, **options):
    return subprocess.Popen([*PROGRAM, *arguments], cwd=ROOT, stdout=PIPE, stderr=PIPE, **options)


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_head_ends_it_silently(form):
    with start("read", "many", "--format", form) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("form", ["table", "jsonl", "csv"])
def test_rows_appear_while_a_pipe_flows(form):
    with start("read", "-", "--format", form, stdin=PIPE) as process:
        for address in (b"10.0.0.1", b"10.0.0.2"):
            process.stdin.write(address + b"\n")
            process.stdin.flush()
            while address not in process.stdout.readline():
                pass
        process.stdin.close()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert (b"2 connections" in rest) is (form == "table")


def test_interrupt_while_a_file_is_read():
    with start("read", "endless") as process:
        assert process.stderr.readline() == b"reading\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"10.0.0.1:50112" in out
    assert err == b"analyzer: interrupted: this is what was finished so far\n"


@pytest.mark.parametrize("source_ends", [True, False])
def test_interrupt_while_a_pipe_flows(source_ends):
    """Ctrl-C reaches the source as well. Whether it ends because of that or not, what there is is reported."""
    with start("read", "-", stdin=PIPE) as process:
        process.stdin.write(b"10.0.0.1\n")
        process.stdin.flush()
        while b"10.0.0.1" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        if source_ends:
            time.sleep(0.1)
            process.stdin.write(b"10.0.0.99\n")
            process.stdin.close()
        out = process.stdout.read()
        err = process.stderr.read()
    assert process.returncode == 130
    assert (b"10.0.0.99" in out) is source_ends
    assert b"connection" in out
    assert err == b"analyzer: interrupted: this is what was finished so far\n"


def on_a_terminal(*arguments, **environment):
    """The exit code and what a terminal got: standard output and standard error of the program are the same one."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ.update({"COLUMNS": "100", "TERM": "xterm", **environment})
        os.execv(PROGRAM[0], [*PROGRAM, *arguments])
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while data := os.read(terminal, 65536):
            shown += data
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_a_progress_bar_on_a_terminal_is_gone_at_the_end():
    code, shown = on_a_terminal("read", "slow")
    assert code == 0
    assert "slow  [" in shown
    assert "%" in shown
    # The table begins on the line that the bar was wiped from.
    wiped = "\r\x1b[2K\x1b[?25h"
    assert shown.count(wiped) == 1
    assert shown.partition(wiped)[2].lstrip().startswith("\x1b[1m#")


def test_no_progress_bar_when_quiet_or_not_on_a_terminal():
    assert on_a_terminal("read", "--quiet", "slow") == (0, "")
    with start("read", "slow") as process:
        assert process.communicate()[1] == b""


def test_colours_on_a_terminal_only():
    assert "\x1b[3" in on_a_terminal("read", "one")[1]
    assert "\x1b[" not in on_a_terminal("read", "one", NO_COLOR="1")[1]
    assert "\x1b[" not in on_a_terminal("read", "one", TERM="dumb")[1]


def test_standard_input_from_a_terminal_is_refused():
    code, shown = on_a_terminal("read", "-")
    assert code == 2
    assert "tcpdump -U -w - | analyzer read -" in shown


@pytest.mark.parametrize("command", [["--help"], ["read", "--help"], ["schema"], ["read", "gone.pcap"]])
def test_slow_libraries_are_imported_only_where_they_are_used(command):
    script = f"""
import sys
from analyzer.cli import program
program({command!r}, standalone_mode=False)
slow = {{"scapy", "pyshark", "tabulate"}} | ({{"numpy"}} if {command!r} != ["read", "gone.pcap"] else set())
assert not slow & set(sys.modules), slow & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True)
