"""Every recorded capture gives what its README and its `expect.yaml` say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from tests.cases import CAPTURES, CASES, analysed, capture_of


def differences(expected: Any, seen: Any, where: str = "") -> list[str]:
    """Where `seen` is not what `expected` names; what is not named is not looked at."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        missing = [f"{where}.{key}: expected, but there is no such field" for key in expected.keys() - seen.keys()]
        return missing + [
            line
            for key in expected.keys() & seen.keys()
            for line in differences(expected[key], seen[key], f"{where}.{key}")
        ]
    if isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        return [
            line
            for i, (one, other) in enumerate(zip(expected, seen, strict=True))
            for line in differences(one, other, f"{where}[{i}]")
        ]
    return [] if expected == seen else [f"{where}: expected {expected!r}, seen {seen!r}"]


def in_short(connection: dict[str, Any]) -> dict[str, Any]:
    """A connection with `server_port`, short for `server: {port: …}`."""
    return connection | {"server_port": connection["server"]["port"]}


@pytest.mark.parametrize("case", CASES)
def test_it_gives_what_is_expected(case):
    expected = yaml.safe_load((CASES[case] / "expect.yaml").read_text())
    assert expected.keys() <= {"connections", "totals"}
    connections, totals, _ = analysed(case)
    seen = {"connections": [in_short(msgspec.to_builtins(one)) for one in connections], "totals": totals}
    found = differences(expected, seen)
    assert not found, "\n".join([case, *found])


def test_a_difference_is_found():
    seen = {"a": {"b": 1, "c": [1, {"d": 2}]}, "e": None}
    assert differences({"a": {"c": [1, {"d": 2}]}, "e": None}, seen) == []
    assert differences({"a": {"c": [1, {"d": 3}]}}, seen) == [".a.c[1].d: expected 3, seen 2"]
    assert differences({"a": {"c": [1]}}, seen) == [".a.c: expected [1], seen [1, {'d': 2}]"]
    assert differences({"x": None}, seen) == [".x: expected, but there is no such field"]


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
