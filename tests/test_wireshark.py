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

WHOLE = "tcp and not icmp and not icmpv6"
# What tshark must be told to look into these tunnels, its option -d.
DECODED = {
    "tunnels/mpls-pseudowire": "mpls.label==300,pwethcw",
    "tunnels/mpls-pseudowire-plain": "mpls.label==301,pwethnocw",
    "tunnels/vxlan-twice": "udp.port==8472,vxlan",
}
# Wireshark goes on with fragments that contradict one another, and looks through any number of headers.
ONLY_THERE = {"formats/fragments-overlapping": {7}, "tunnels/too-deep": set(range(1, 12))}


@functools.cache
def version() -> tuple[int, int]:
    said = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = re.search(r"(\d+)\.(\d+)\.", said).groups()
    return int(major), int(minor)


def wireshark(case: str) -> dict[int, set[int]]:
    """tcp.stream by packet number, of TCP segments."""
    command = ["tshark", "-n", "-r", str(capture_of(case)), "-Y", WHOLE, "-T", "fields",
               "-e", "frame.number", "-e", "tcp.stream"]  # fmt: skip
    if case in DECODED:
        command += ["-d", DECODED[case]]
    # A cut-off file is an error to tshark; what came before is printed.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "cut short" in done.stderr, done.stderr
    rows = (line.split("\t") for line in done.stdout.splitlines())
    # Several segments in one frame have a number each.
    found = {int(number): {int(stream) for stream in streams.split(",")} for number, streams in rows}
    return {number: streams for number, streams in found.items() if number not in ONLY_THERE.get(case, ())}


def ours(case: str) -> dict[int, set[int]]:
    streams = {connection.id: connection.tcp_stream for connection in analysed(case)[0]}
    library = load_library()
    tracker = Tracker(library.automaton("tcp-open"), library.automaton("tcp-close"))
    found: dict[int, set[int]] = {}
    with open_capture(capture_of(case)) as capture:
        for frames in capture:
            columns = tracker.feed(frames).columns()
            for number, kind, connection in zip(columns["number"], columns["kind"], columns["connection"], strict=True):
                if kind == 1:
                    found.setdefault(int(number), set()).add(streams[int(connection)])
    return found


@pytest.mark.parametrize("case", CASES)
def test_every_segment_has_wiresharks_numbers(case):
    if case in RENUMBERED and version() >= (4, 2):
        pytest.skip("this tshark numbers a SYN repeated after a reset as a stream of its own")
    assert ours(case) == wireshark(case)
