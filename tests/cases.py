"""The recorded captures, for the tests that go over all of them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec

import analyzer
from analyzer import model

ROOT = Path(__file__).resolve().parent.parent
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


def keys_of(case: str) -> tuple[Path, ...]:
    """What decrypts a case, as far as it is given: a key log, the server's key."""
    return tuple(path for name in ("keys.log", "server.key") if (path := CASES[case] / name).exists())


@functools.cache
def analysed(case: str) -> tuple[list[model.Connection], dict[str, int], list[str]]:
    return report_of(capture_of(case), keys=keys_of(case))
