"""Every recorded capture beside Wireshark's dissectors: packet and stream numbers, and what is in the connections."""

from __future__ import annotations

import os
import shutil

import pytest

from analyzer.capture.source import open_capture
from analyzer.commands.crosschecking import Crosscheck, Settings
from analyzer.dissector.tracker import Tracker
from analyzer.flows import load_library
from analyzer.reporter.crosscheck import tshark
from tests.cases import CASES, analysed, capture_of, keys_of

if shutil.which("tshark") is None and os.environ.get("CI") != "true":
    pytest.skip("tshark is not installed: `apt install tshark`", allow_module_level=True)

# From 4.2 on Wireshark begins another stream at a SYN that is repeated with the same number after a reset.
RENUMBERED = {"tcp/client-restart"}

# What tshark must be told to look into these tunnels, its option -d.
DECODED = {
    "tunnels/mpls-pseudowire": "mpls.label==300,pwethcw",
    "tunnels/mpls-pseudowire-plain": "mpls.label==301,pwethnocw",
    "tunnels/vxlan-twice": "udp.port==8472,vxlan",
}
# Wireshark goes on with fragments that contradict one another, and looks through any number of headers.
ONLY_THERE = {"formats/fragments-overlapping": {7}, "tunnels/too-deep": set(range(1, 12))}


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch, tmp_path):
    """Whatever preferences somebody has for Wireshark, the tests have none."""
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path))


def decoded(case: str) -> tuple[str, ...]:
    return (DECODED[case],) if case in DECODED else ()


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left_unexplained(case):
    checking = Crosscheck(str(capture_of(case)), Settings(keys=keys_of(case), decode_as=decoded(case)))
    found = list(checking)
    assert all(one.complete for one in found)
    assert {one.connection for one in found} >= {connection.id for connection in analysed(case)[0]}
    unexplained = [item for one in found for item in one.disagreements if not item.explained]
    assert unexplained == []


def wireshark(case: str) -> tuple[dict[int, set[int]], tuple[int, int] | None]:
    """tcp.stream by packet number, of TCP segments, several where a frame has several; and Wireshark's version."""
    with tshark.packets(str(capture_of(case)), decode_as=decoded(case)) as reading:
        found = {int(fields["frame.number"][0]): {int(stream) for stream in fields["tcp.stream"]} for fields in reading}
    return {
        number: streams for number, streams in found.items() if number not in ONLY_THERE.get(case, ())
    }, reading.version


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


# One of each kind of numbering: files, link types, fragments, losses, reuse. The others are compared connection by
# connection above.
@pytest.mark.parametrize("case", [case for case in CASES if case.startswith(("tcp/", "formats/", "tunnels/"))])
def test_every_segment_has_wiresharks_numbers(case):
    theirs, version = wireshark(case)
    if case in RENUMBERED and version is not None and version >= (4, 2):
        pytest.skip("this tshark numbers a SYN repeated after a reset as a stream of its own")
    assert ours(case) == theirs
