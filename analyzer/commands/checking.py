"""A run of `analyzer check`: the cases below the paths given, each analysed and held against its expectations."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analyzer import pipeline
from analyzer.capture.source import captures_in
from analyzer.commands.terminal import whole_file
from analyzer.errors import AnalyzerError, InputError, UsageError
from analyzer.reporter import words
from analyzer.reporter.expectations import Connections, Difference, Expectations, as_seen
from analyzer.reporter.outputs.checks import Result

if TYPE_CHECKING:
    from analyzer.reporter.claims.found import Judged

EXPECTATIONS = "expect.yaml"
_WRITE = "`analyzer check --update`"
_KEYS = ("keys.log", "server.key")
_TOTALS = pipeline.Totals.__struct_fields__


@dataclasses.dataclass(frozen=True)
class Case:
    """A folder with a capture and what it is expected to show. `capture` is the file's path, `text` that of the
    expectations; None: there are none yet."""

    folder: Path
    capture: Path
    expectations: Expectations | None
    text: bytes

    @property
    def file(self) -> str:
        return str(self.folder / EXPECTATIONS)


def keys_beside(folder: Path) -> tuple[str, ...]:
    """What decrypts the capture of a case, as far as it is given: a key log, the server's key."""
    return tuple(str(path) for name in _KEYS if (path := folder / name).is_file())


def folders_in(given: str, *, update: bool = False) -> list[Path]:
    """The folders with expectations at and below a path, in sorted order; a file stands for its folder. `update`: also
    those with a capture that has none yet.

    Raises InputError where there are none, and where a folder cannot be read.
    """
    path = Path(given)
    if not path.exists():
        raise InputError(f"{given}: there is no such file or folder: check the spelling")
    if not path.is_dir():
        if not update and not (path.parent / EXPECTATIONS).exists():
            raise InputError(f"{given}: there is no {EXPECTATIONS} beside it: {_WRITE} writes one")
        return [path.parent]
    unreadable: list[OSError] = []
    found = [
        Path(top)
        for top, _, names in os.walk(path, onerror=unreadable.append)
        if EXPECTATIONS in names or (update and captures_in(Path(top)))
    ]
    if unreadable:
        raise InputError(f"{unreadable[0].filename}: cannot be read: {unreadable[0].strerror}")
    if not found and update:
        raise InputError(f"{given}: there is no capture in this folder or below: record one")
    if not found:
        raise InputError(f"{given}: there is no {EXPECTATIONS} in this folder or below: {_WRITE} writes one")
    return sorted(found)


def case_in(folder: Path, *, update: bool = False, chosen: Path | None = None) -> Case:
    """The case of a folder. Raises UsageError for expectations that cannot be used or do not say which capture they
    are for, InputError for what cannot be read. `update`: expectations may be missing or empty; then they are to be
    for the capture `chosen`, where the folder has several."""
    file = folder / EXPECTATIONS
    try:
        text = file.read_bytes()
    except OSError as error:
        if not (update and isinstance(error, FileNotFoundError)):
            raise InputError(f"{file}: cannot be read: {error.strerror}") from None
        text = b""
    expectations = None if update and not text.strip() else Expectations(text, str(file), _TOTALS)
    if expectations is not None and expectations.capture is not None:
        return Case(folder, folder / expectations.capture, expectations, text)
    captures = captures_in(folder)
    if expectations is None and chosen in captures:
        captures = [chosen]
    if not captures:
        raise InputError(f"{folder}: there is no capture beside {EXPECTATIONS}: add one, or remove the expectations")
    if len(captures) > 1:
        names = ", ".join(path.name for path in captures)
        say = f"name one instead of {folder}" if expectations is None else f"say capture: {captures[0].name}"
        raise UsageError(f"{file}: which capture is it for? There are {names}: {say}")
    return Case(folder, captures[0], expectations, text)


def hold(case: Case, *, update: bool = False) -> Result:
    """Analyses the capture of a case and holds it against the expectations; `update`: and writes them anew where it is
    not as expected. Raises UsageError where they cannot be edited or written."""
    began = time.monotonic()
    result = Result(str(case.folder), str(case.capture), case.file)
    try:
        shown = _shown(case)
    except InputError as error:
        return dataclasses.replace(result, error=str(error))
    found = () if case.expectations is None else tuple(shown.differences(case.expectations))
    result = dataclasses.replace(result, differences=found, warnings=shown.warnings)
    if update and (found or case.expectations is None):
        result = _updated(case, shown, result)
    return dataclasses.replace(result, seconds=time.monotonic() - began)


@dataclasses.dataclass(frozen=True)
class _Shown:
    """What a capture showed, as far as its expectations need it."""

    connections: Connections
    totals: dict[str, int]
    claims: tuple[Judged, ...]
    warnings: tuple[str, ...]

    def differences(self, expectations: Expectations) -> Iterator[Difference]:
        return expectations.differences(self.connections, self.totals, self.claims)


def _shown(case: Case) -> _Shown:
    keys, expected = keys_beside(case.folder), case.expectations
    options = pipeline.Options(keys=keys, headers=expected is not None and expected.needs_headers)
    analysis = pipeline.analyze(str(case.capture), options)
    with contextlib.closing(analysis):
        connections = as_seen(list(analysis))
    totals = {name: getattr(analysis.totals, name) for name in _TOTALS}
    claims = tuple(_judged(case.capture, keys, expected.claims)) if expected is not None and expected.claims else ()
    return _Shown(connections, totals, claims, tuple(warning.message for warning in analysis.warnings))


def _judged(capture: Path, keys: tuple[str, ...], wanted: Container[str]) -> Iterator[Judged]:
    """How the claims that are asked for are judged. They compare header fields whose values are never shown, and so
    have an analysis of their own."""
    from analyzer.reporter.claims.article import Claims

    claims = Claims()
    options = pipeline.Options(keys=keys, headers=True, secrets=True)
    with contextlib.closing(pipeline.analyze(str(capture), options)) as analysis:
        for connection in analysis:
            claims.add(connection)
    for judged in claims.report().claims:
        if judged.id in wanted:
            yield judged


def _updated(case: Case, shown: _Shown, result: Result) -> Result:
    """Writes the expectations of a case anew. What could not be expressed remains a difference."""
    from analyzer.reporter.expectation_updates import created, updated

    if case.expectations is None:
        several = len(captures_in(case.folder)) > 1
        text = created(shown.connections, shown.totals, case.capture.name if several else None)
    else:
        text = updated(case.text, case.file, case.expectations, shown.connections, shown.totals, shown.claims)
    remaining = tuple(shown.differences(Expectations(text, case.file, _TOTALS)))
    if text != case.text:
        with whole_file(case.file) as file:
            file.write(text)
        result = dataclasses.replace(result, update="created" if case.expectations is None else "updated")
    return dataclasses.replace(result, differences=remaining, replaced=result.differences)


def check(
    given: Iterable[str], wrong: Callable[[AnalyzerError], None], *, jobs: int = 1, update: bool = False
) -> Iterator[Result]:
    """Holds every case at and below the paths against its expectations, `jobs` of them at a time.

    All expectations are read before the first capture is. If some cannot be used, each is told to `wrong`, and a
    UsageError ends it; what cannot be read is a result. A folder that several paths lead to is checked once. `update`:
    see `hold`.
    """
    cases: list[Case | Result] = []
    known: set[str] = set()
    unusable = 0
    for path in given:
        try:
            folders = folders_in(path, update=update)
        except InputError as error:
            cases.append(Result(path, None, path, error=str(error)))
            continue
        for folder in folders:
            if (real := os.path.realpath(folder)) in known:
                continue
            known.add(real)
            try:
                cases.append(case_in(folder, update=update, chosen=Path(path)))
            except InputError as error:
                cases.append(Result(str(folder), None, str(folder / EXPECTATIONS), error=str(error)))
            except UsageError as error:
                unusable += 1
                wrong(error)
    if unusable:
        raise UsageError(f"nothing was checked: {words.plural(unusable, 'expect.yaml file')} cannot be used")
    if jobs == 1:
        for case in cases:
            yield case if isinstance(case, Result) else hold(case, update=update)
    else:
        yield from _in_processes(cases, jobs, update)


def _in_processes(cases: Sequence[Case | Result], jobs: int, update: bool) -> Iterator[Result]:
    """The results in the order of the cases, whichever is done first."""
    import concurrent.futures
    import multiprocessing

    # Not forked: threads of the program around, of which there may be some, would be lost in the middle of something.
    context = multiprocessing.get_context("spawn")
    number = max(1, min(jobs, sum(isinstance(case, Case) for case in cases)))
    pool = concurrent.futures.ProcessPoolExecutor(number, context, _ignore_interrupts)
    try:
        # Parsed expectations cannot be sent to another process: it reads them again.
        pending = [
            case if isinstance(case, Result) else pool.submit(_hold_in, case.folder, case.capture, update)
            for case in cases
        ]
        for one in pending:
            yield one if isinstance(one, Result) else one.result()
    except concurrent.futures.process.BrokenProcessPool:
        reason = "a process ended while it read a capture, perhaps for want of memory: try fewer --jobs"
        raise InputError(reason) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _hold_in(folder: Path, capture: Path, update: bool) -> Result:
    """`hold`, in a process of its own. A file that has changed meanwhile is a result, too."""
    try:
        return hold(case_in(folder, update=update, chosen=capture), update=update)
    except InputError as error:
        return Result(str(folder), None, str(folder / EXPECTATIONS), error=str(error))
