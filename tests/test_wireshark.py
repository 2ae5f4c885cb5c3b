"""Packet and stream numbers are Wireshark's, so that a person can look everything up there."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess

import pytest

from analyzer.capture.source import open_capture
from analyzer.dissector.tracker import Tracker
from analyzer.flows import load_library
from tests.cases import CASES, analysed, capture_of

if shutil.which("tshark") is None and os.environ.get("CI") != "true":
    pytest.skip("tshark is not installed: `apt install tshark`", allow_module_level=True)

# From 4.2 on Wireshark begins another stream at a SYN that is repeated with the same number after a reset.
RENUMBERED = {"tcp/client-restart"}

# IP fragments are counted here and put together there.
WHOLE = "tcp and not icmp and not icmpv6 and not (ip.flags.mf == 1 or ip.frag_offset > 0)"


@functools.cache
def version() -> tuple[int, int]:
    said = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = re.search(r"(\d+)\.(\d+)\.", said).groups()
    return int(major), int(minor)


def wireshark(case: str) -> dict[int, int]:
    """tcp.stream by packet number, of TCP segments."""
    command = ["tshark", "-n", "-r", str(capture_of(case)), "-Y", WHOLE, "-T", "fields",
               "-e", "frame.number", "-e", "tcp.stream"]  # fmt: skip
    # A cut-off file is an error to tshark; what came before is printed.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "cut short" in done.stderr, done.stderr
    return {int(number): int(stream) for number, stream in (line.split("\t") for line in done.stdout.splitlines())}


def ours(case: str) -> dict[int, int]:
    streams = {connection.id: connection.tcp_stream for connection in analysed(case)[0]}
    library = load_library()
    tracker = Tracker(library.automaton("tcp-open"), library.automaton("tcp-close"))
    found = {}
    with open_capture(capture_of(case)) as capture:
        for frames in capture:
            columns = tracker.feed(frames).columns()
            for number, kind, connection in zip(columns["number"], columns["kind"], columns["connection"], strict=True):
                if kind == 1:
                    found[int(number)] = streams[int(connection)]
    return found


@pytest.mark.parametrize("case", CASES)
def test_every_segment_has_wiresharks_numbers(case):
    if case in RENUMBERED and version() >= (4, 2):
        pytest.skip("this tshark numbers a SYN repeated after a reset as a stream of its own")
    assert ours(case) == wireshark(case)
