"""Public captures of other projects, where they are at hand: whatever is in them, a report and no exception."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import analyzer
from tests.cases import ROOT

CORPUS = ROOT.parent / "shared" / "corpus" / "captures"
FILES = 60

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of public captures is not beside this folder")


def sample() -> list[Path]:
    """Some files of every source: the same ones each time, spread over the names, none of them large."""
    sources: dict[str, list[Path]] = {}
    for path in sorted(CORPUS.iterdir()):
        if path.stat().st_size < 1 << 20:
            sources.setdefault(path.name.partition("__")[0], []).append(path)
    share = FILES // len(sources)
    return [path for paths in sources.values() for path in paths[:: max(1, len(paths) // share)]]


@pytest.mark.parametrize("path", sample() if CORPUS.is_dir() else [], ids=lambda path: path.name)
def test_it_gives_a_report(path):
    try:
        analysis = analyzer.analyze(path)
    except analyzer.InputError:
        pytest.skip("not a capture that can be read at all")
    connections = list(analysis)
    assert analysis.totals.connections == len(connections)
    assert sorted(connection.id for connection in connections) == list(range(len(connections)))
    packets = sum(connection.packets.client + connection.packets.server for connection in connections)
    assert packets + analysis.totals.late == analysis.totals.tcp
    msgspec.json.encode(connections)
