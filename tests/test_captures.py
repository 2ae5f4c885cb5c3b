"""Every recorded capture gives what its README and its `expect.yaml` say."""

from __future__ import annotations

import pytest

from tests.cases import CAPTURES, CASES, capture_of, expectations_of, seen

# Cases that a connection's report cannot tell apart: the same conversation in other clothes.
SAME_CONVERSATION = (
    {
        "tcp/big-endian-pcap", "tcp/four-way-client", "tcp/linux-cooked", "tcp/linux-cooked-v2", "tcp/modified-pcap",
        "tcp/nanosecond-pcap", "tcp/raw-ip", "formats/cisco-hdlc", "formats/llc-snap", "formats/ppp",
        "formats/wireless",
        "formats/wireless-four-addresses", "formats/wireless-prism", "formats/wireless-radiotap",
    },  # file formats and link types
    {"tcp/bsd-null", "tcp/bsd-loop"},
    {"tcp/vlan", "tcp/vlan-one-direction", "tcp/vlan-two-ids"},  # told are the VLANs of the first packet
    {"tcp/captured-twice", "tcp/captured-twice-in-order"},
)  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_gives_what_is_expected(case):
    found = [f"{one.field}: expected {one.expected}, seen {one.seen}" for one in _differences(case, case)]
    assert not found, "\n".join([case, *found])


@pytest.mark.parametrize("case", CASES)
def test_no_other_capture_does(case):
    """Expectations that also hold for another case's capture do not say what theirs is about."""
    twins = next((group for group in SAME_CONVERSATION if case in group), set())
    others = CASES.keys() - twins - {case}
    assert [other for other in sorted(others) if next(_differences(case, other), None) is None] == []


def _differences(case, capture):
    return expectations_of(case).differences(*seen(capture))


def test_every_folder_is_a_case():
    folders = {path.parent for path in CAPTURES.rglob("record.py")} | {
        path.parent for path in CAPTURES.rglob("capture.*")
    }
    assert folders == set(CASES.values())


@pytest.mark.parametrize("case", CASES)
def test_its_folder_is_complete(case):
    names = {path.name for path in CASES[case].iterdir()} - {"__pycache__"}
    capture = capture_of(case)
    assert {"README.md", "record.py", "expect.yaml", capture.name} <= names
    assert capture.suffix == (".pcapng" if capture.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a" else ".pcap")


def test_the_list_in_the_readme_has_them_all():
    text = (CAPTURES / "README.md").read_text()
    assert [case for case in CASES if f"]({case}/)" not in text] == []
