"""What `analyzer check` prints: text, JUnit XML, JSON, and annotations for GitHub Actions."""

from __future__ import annotations

import collections
import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from analyzer.reporter import words
from analyzer.reporter.escape import escape
from analyzer.reporter.expectations import Difference

_COLUMNS = ("field", "expected", "seen", "packets")
_GAP = "  "


@dataclasses.dataclass(frozen=True)
class Result:
    """A case and what came of it. `error`: why its capture could not be read. `capture` is None where there is none.
    `update`: what was done to its expectations; `replaced`: what was not as expected before."""

    folder: str
    capture: str | None
    file: str  # with the expectations
    differences: tuple[Difference, ...] = ()
    error: str | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    update: Literal["created", "updated"] | None = None
    replaced: tuple[Difference, ...] = ()

    @property
    def outcome(self) -> Literal["passed", "failed", "unreadable"]:
        return "unreadable" if self.error is not None else "failed" if self.differences else "passed"


# Text.


def as_text(results: Sequence[Result], *, width: int) -> str:
    """The failures, expected and seen side by side, what was updated, and how many there are."""
    parts = [as_failure(result, width=width) for result in results if result.outcome != "passed" or result.update]
    counts = collections.Counter(result.outcome for result in results)
    told = [f"{counts['failed']} not as expected"] * bool(counts["failed"])
    told += [f"{counts['unreadable']} unreadable"] * bool(counts["unreadable"])
    written = collections.Counter(result.update for result in results)
    for what in ("created", "updated"):
        told += [f"{words.plural(written[what], 'expect.yaml file')} {what}"] * bool(written[what])
    parts.append(f"{words.plural(len(results), 'capture')} checked: {', '.join(told) or 'all as expected'}\n")
    return "\n".join(parts)


def as_failure(result: Result, *, width: int) -> str:
    """What is wrong with a single case; an empty line if nothing is."""
    if result.error is not None:
        return f"✗ {escape(result.error)}\n"
    lines = []
    if result.update == "created":
        lines.append(f"✎ {escape(result.file)}: created from {escape(result.capture or '')}")
    elif result.update == "updated":
        lines.append(f"✎ {escape(result.file)}: {words.plural(len(result.replaced), 'difference')} replaced")
        lines += _side_by_side(result.replaced, ("field", "was expected", "seen", "packets"), width)
    if result.differences:
        lines.append(f"✗ {escape(result.capture or result.folder)}: {_many(result)}")
        lines += [f"  warning: {escape(warning)}" for warning in result.warnings]
        lines += _side_by_side(result.differences, _COLUMNS, width)
    return "\n".join(lines) + "\n"


def _side_by_side(differences: Sequence[Difference], columns: Sequence[str], width: int) -> Iterator[str]:
    rows = [_cells(one) for one in differences]
    widths = [max(map(words.cells, column)) for column in zip(columns, *rows, strict=True)]
    if sum(widths) + len(_GAP) * len(widths) <= width:
        for row in (columns, tuple("-" * size for size in widths), *rows):
            padded = (cell + " " * (size - words.cells(cell)) for cell, size in zip(row, widths, strict=True))
            yield (_GAP + _GAP.join(padded)).rstrip()
    else:  # nothing is cut: whoever compares two values needs all of them
        wide = max(map(len, columns[1:])) + len(_GAP)
        for row in rows:
            yield f"{_GAP}{row[0]}"
            named = zip(columns[1:], row[1:], strict=True)
            yield from (f"{_GAP * 2}{name:{wide}}{cell}" for name, cell in named if cell)


def _many(result: Result) -> str:
    return f"{words.plural(len(result.differences), 'difference')} from {escape(result.file)}"


def _cells(one: Difference) -> tuple[str, str, str, str]:
    place = f" (#{one.connection})" if one.connection is not None else ""
    return escape(one.field), escape(one.expected), escape(one.seen), f"{one.packets()}{place}"


def _sentence(one: Difference) -> str:
    """A difference on one line."""
    field, expected, seen, _ = _cells(one)
    sentence = f"{field}: expected {expected}, seen {seen}"
    if one.first_packet is not None:
        sentence += f"; look at packet{'s' if one.first_packet != one.last_packet else ''} {one.packets()}"
        sentence += f" of connection #{one.connection}" if one.connection is not None else ""
    return sentence


# JSON.


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A case. `error`: why its capture could not be read; `capture` is None where there is none."""

    folder: str
    capture: str | None
    expectations: str  # the file with them
    outcome: Literal["passed", "failed", "unreadable"]
    error: str | None
    warnings: list[str]
    differences: list[Difference]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What `analyzer check --format json` prints. `cases` in the order in which they were checked."""

    checked: int
    failed: int
    unreadable: int
    cases: list[Checked]


def as_json(results: Sequence[Result]) -> bytes:
    """A `Report`, indented."""
    report = Report(
        checked=len(results),
        failed=sum(result.outcome == "failed" for result in results),
        unreadable=sum(result.outcome == "unreadable" for result in results),
        cases=[
            Checked(
                folder=escape(result.folder),
                capture=None if result.capture is None else escape(result.capture),
                expectations=escape(result.file),
                outcome=result.outcome,
                error=None if result.error is None else escape(result.error),
                warnings=[escape(warning) for warning in result.warnings],
                differences=[_escaped(one) for one in result.differences],
            )
            for result in results
        ],
    )
    return bytes(msgspec.json.format(msgspec.json.encode(report), indent=2)) + b"\n"


def _escaped(one: Difference) -> Difference:
    return dataclasses.replace(one, field=escape(one.field), expected=escape(one.expected), seen=escape(one.seen))


# JUnit.


def as_junit(results: Sequence[Result]) -> bytes:
    """JUnit XML with one test case for every folder, as CI systems read it.

    XML has no way to write most control characters (XML 1.0 §2.2), so that everything is escaped first.
    """
    seconds = f"{sum(result.seconds for result in results):.3f}"
    counts = {
        "tests": str(len(results)),
        "failures": str(sum(result.outcome == "failed" for result in results)),
        "errors": str(sum(result.outcome == "unreadable" for result in results)),
    }
    top = ET.Element("testsuites", {"name": "analyzer check", **counts, "time": seconds})
    suite = ET.SubElement(top, "testsuite", {"name": "analyzer check", **counts, "skipped": "0", "time": seconds})
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            {"name": escape(result.folder), "classname": "analyzer.check", "time": f"{result.seconds:.3f}"},
        )
        if result.error is not None:
            ET.SubElement(case, "error", {"message": escape(result.error), "type": "unreadable"})
        elif result.differences:
            failure = ET.SubElement(case, "failure", {"message": _many(result), "type": "difference"})
            failure.text = "\n".join(map(_sentence, result.differences))
        if result.warnings:
            ET.SubElement(case, "system-err").text = "\n".join(map(escape, result.warnings))
    ET.indent(top)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(top, encoding="unicode").encode() + b"\n"


# GitHub Actions: workflow commands, which become annotations beside the lines of expect.yaml.


def as_annotations(results: Sequence[Result]) -> str:
    """A line `::error file=…,line=…::…` for every difference, and the summary."""
    lines: list[str] = []
    for result in results:
        lines += _annotations(result)
    return "".join(f"{line}\n" for line in lines) + as_text(results, width=0).splitlines()[-1] + "\n"


def _annotations(result: Result) -> Iterator[str]:
    file, title = _property(result.file), _property(result.folder)
    if result.error is not None:
        yield f"::error file={file},title={title}::{_data(escape(result.error))}"
    for one in result.differences:
        yield f"::error file={file},line={one.line},title={title}::{_data(_sentence(one))}"


def _data(text: str) -> str:
    """As the runner's toolkit escapes messages; newlines and the like have been written out before."""
    return text.replace("%", "%25")


def _property(text: str) -> str:
    return escape(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
