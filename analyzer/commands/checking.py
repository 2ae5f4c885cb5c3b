"""A run of `analyzer check`: the cases below the paths given, each analysed and held against its expectations."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from analyzer import pipeline
from analyzer.capture.source import is_capture
from analyzer.errors import AnalyzerError, InputError, UsageError
from analyzer.reporter import words
from analyzer.reporter.expectations import Expectations, as_seen
from analyzer.reporter.outputs.checks import Result

EXPECTATIONS = "expect.yaml"
_KEYS = ("keys.log", "server.key")
_TOTALS = pipeline.Totals.__struct_fields__


@dataclasses.dataclass(frozen=True)
class Case:
    """A folder with a capture and what it is expected to show. `capture` is the file's path."""

    folder: Path
    capture: Path
    expectations: Expectations

    @property
    def file(self) -> str:
        return str(self.folder / EXPECTATIONS)


def keys_beside(folder: Path) -> tuple[str, ...]:
    """What decrypts the capture of a case, as far as it is given: a key log, the server's key."""
    return tuple(str(path) for name in _KEYS if (path := folder / name).is_file())


def folders_in(given: str) -> list[Path]:
    """The folders with expectations at and below a path, in sorted order; a file stands for its folder.

    Raises InputError where there are none, and where a folder cannot be read.
    """
    path = Path(given)
    if not path.exists():
        raise InputError(f"{given}: there is no such file or folder: check the spelling")
    if not path.is_dir():
        if not (path.parent / EXPECTATIONS).exists():
            raise InputError(f"{given}: there is no {EXPECTATIONS} beside it: write one")
        return [path.parent]
    unreadable: list[OSError] = []
    found = [Path(top) for top, _, names in os.walk(path, onerror=unreadable.append) if EXPECTATIONS in names]
    if unreadable:
        raise InputError(f"{unreadable[0].filename}: cannot be read: {unreadable[0].strerror}")
    if not found:
        raise InputError(f"{given}: there is no {EXPECTATIONS} in this folder or below: write one beside the capture")
    return sorted(found)


def case_in(folder: Path) -> Case:
    """The case of a folder. Raises UsageError for expectations that cannot be used or do not say which capture they
    are for, InputError for what cannot be read."""
    file = folder / EXPECTATIONS
    try:
        text = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    expectations = Expectations(text, str(file), _TOTALS)
    if expectations.capture is not None:
        return Case(folder, folder / expectations.capture, expectations)
    captures = []
    for path in sorted(folder.iterdir()):
        with contextlib.suppress(OSError, InputError):
            if path.name != EXPECTATIONS and is_capture(str(path)):
                captures.append(path)
    if not captures:
        raise InputError(f"{folder}: there is no capture beside {EXPECTATIONS}: add one, or remove the expectations")
    if len(captures) > 1:
        names = ", ".join(path.name for path in captures)
        raise UsageError(f"{file}: which capture is it for? Say capture: {captures[0].name}; there are {names}")
    return Case(folder, captures[0], expectations)


def hold(case: Case) -> Result:
    """Analyses the capture of a case and holds it against the expectations."""
    options = pipeline.Options(keys=keys_beside(case.folder), headers=case.expectations.needs_headers)
    began = time.monotonic()
    try:
        analysis = pipeline.analyze(str(case.capture), options)
        with contextlib.closing(analysis):
            connections = as_seen(list(analysis))
    except InputError as error:
        return Result(str(case.folder), str(case.capture), case.file, error=str(error))
    totals = {name: getattr(analysis.totals, name) for name in _TOTALS}
    found = tuple(case.expectations.differences(connections, totals))
    return Result(
        str(case.folder),
        str(case.capture),
        case.file,
        differences=found,
        warnings=tuple(warning.message for warning in analysis.warnings),
        seconds=time.monotonic() - began,
    )


def check(given: Iterable[str], wrong: Callable[[AnalyzerError], None]) -> Iterator[Result]:
    """Holds every case at and below the paths against its expectations.

    All expectations are read before the first capture is. If some cannot be used, each is told to `wrong`, and a
    UsageError ends it; what cannot be read is a result. A folder that several paths lead to is checked once.
    """
    cases: list[Case | Result] = []
    known: set[str] = set()
    unusable = 0
    for path in given:
        try:
            folders = folders_in(path)
        except InputError as error:
            cases.append(Result(path, None, path, error=str(error)))
            continue
        for folder in folders:
            if (real := os.path.realpath(folder)) in known:
                continue
            known.add(real)
            try:
                cases.append(case_in(folder))
            except InputError as error:
                cases.append(Result(str(folder), None, str(folder / EXPECTATIONS), error=str(error)))
            except UsageError as error:
                unusable += 1
                wrong(error)
    if unusable:
        raise UsageError(f"nothing was checked: {words.plural(unusable, 'expect.yaml file')} cannot be used")
    for case in cases:
        yield case if isinstance(case, Result) else hold(case)
