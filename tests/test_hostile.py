"""The hostile captures of bench/hostile, small: each is what it says, and gives a report without a warning."""

from __future__ import annotations

import importlib.util
import io
import sys

import pytest

import analyzer
from tests.cases import ROOT

COUNT = 3000


def load(name: str):
    """A module of bench/hostile, which is a program and no package."""
    path = ROOT / "bench" / "hostile" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


load("packets")
CASES = load("cases").CASES
del sys.modules["packets"], sys.modules["cases"]


def report(name: str, count: int = COUNT) -> tuple[list[analyzer.Connection], analyzer.Analysis]:
    out = io.BytesIO()
    CASES[name].write(out, count)
    out.seek(0)
    with analyzer.analyze(out) as analysis:
        return list(analysis), analysis


@pytest.mark.parametrize("name", CASES)
def test_each_gives_a_report(name):
    _, analysis = report(name, 30 if name == "hpack-bomb" else COUNT)
    assert analysis.warnings == []
    assert analysis.totals.damaged == (COUNT if name == "compressed" else 0)  # packets of no bytes
    if name not in ("interfaces", "sections", "names", "compressed-members"):
        assert analysis.totals.packets > 0


def test_a_reset_flood_is_followed():
    (connection,), _ = report("http2-resets")
    assert len(connection.http.exchanges) + connection.http.exchanges_not_listed == COUNT


def test_a_continuation_flood_is_named():
    (connection,), _ = report("http2-continuations")
    assert any("frames: ENHANCE_YOUR_CALM" in fault.message for fault in connection.faults)


def test_bombs_are_not_unpacked():
    (connection,), _ = report("hpack-bomb", 3)
    assert any("more than 1048576 bytes of fields" in fault.message for fault in connection.faults)


def test_contradictions_are_counted():
    (connection,), _ = report("contradictions")
    assert "further times the client sent other bytes than before" in connection.faults[-1].message


def test_fragments_that_never_become_whole_are_counted():
    _, analysis = report("fragments")
    assert (analysis.totals.fragments, analysis.totals.incomplete) == (COUNT, COUNT)
