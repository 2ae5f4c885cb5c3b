"""The recorded captures, for the tests that go over all of them."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import msgspec

import analyzer
from analyzer import model, pipeline
from analyzer.commands.checking import keys_beside
from analyzer.reporter.expectations import Connections, Expectations, as_seen

ROOT = Path(__file__).resolve().parent.parent
# For programs that tests start: the package that is tested, which may be a copy, and the tests.
PYTHONPATH = os.pathsep.join([str(Path(analyzer.__file__).parent.parent), str(ROOT)])
CAPTURES = ROOT / "captures"
CASES = {str(path.parent.relative_to(CAPTURES)): path.parent for path in sorted(CAPTURES.rglob("expect.yaml"))}


def capture_of(case: str) -> Path:
    (capture,) = (path for path in CASES[case].iterdir() if path.name in ("capture.pcap", "capture.pcapng"))
    return capture


def report_of(source: Any, **options: Any) -> tuple[list[model.Connection], dict[str, int], list[str]]:
    """Connections in order of their first packets, the totals, and the warnings."""
    analysis = analyzer.analyze(source, **options)
    connections = sorted(analysis, key=lambda connection: connection.id)
    return connections, msgspec.to_builtins(analysis.totals), [str(damage) for damage in analysis.warnings]


def keys_of(case: str) -> tuple[str, ...]:
    """What decrypts a case, as far as it is given: a key log, the server's key."""
    return keys_beside(CASES[case])


@functools.cache
def analysed(case: str) -> tuple[list[model.Connection], dict[str, int], list[str]]:
    return report_of(capture_of(case), keys=keys_of(case))


@functools.cache
def seen(case: str) -> tuple[Connections, dict[str, int]]:
    """What a case shows, as expectations are held against it."""
    connections, totals, _ = analysed(case)
    return as_seen(connections), totals


@functools.cache
def expectations_of(case: str) -> Expectations:
    file = CASES[case] / "expect.yaml"
    return Expectations(file.read_bytes(), str(file), pipeline.Totals.__struct_fields__)
