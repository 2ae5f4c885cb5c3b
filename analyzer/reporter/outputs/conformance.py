"""What `analyzer check --flows` prints: text and JSON; JUnit and annotations are those of `checks`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import msgspec

from analyzer.reporter import words
from analyzer.reporter.conformance import Held, Subject
from analyzer.reporter.departure import Departure
from analyzer.reporter.escape import escape
from analyzer.reporter.expectations import Difference
from analyzer.reporter.outputs.checks import Result

_MOST_LISTED = 20  # connections that text names one by one, per page


@dataclasses.dataclass(frozen=True)
class Capture:
    """A capture and how it did with every page. `error`: why it could not be read."""

    path: str
    held: tuple[Held, ...] = ()
    error: str | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def unconcerned(self) -> bool:
        """Whether no page has anything to say about it, which proves nothing."""
        return self.error is None and not any(held.followed or held.departed for held in self.held)

    @property
    def outcome(self) -> str:
        if self.error is not None:
            return "unreadable"
        return "failed" if self.unconcerned or any(held.fails for held in self.held) else "passed"


def as_text(captures: Sequence[Capture]) -> str:
    """Capture by capture and page by page, who follows it and where the others depart from it."""
    parts = ["\n".join(_capture(one)) + "\n" for one in captures]
    failed = sum(one.outcome == "failed" for one in captures)
    unreadable = sum(one.outcome == "unreadable" for one in captures)
    told = [f"{failed} not as the pages say"] * bool(failed) + [f"{unreadable} unreadable"] * bool(unreadable)
    checked = f"{words.plural(len(captures), 'capture')} checked"
    parts.append(f"{checked}: {', '.join(told) or 'all as the pages say'}\n")
    return "\n".join(parts)


def _capture(one: Capture) -> Iterator[str]:
    if one.error is not None:
        yield f"✗ {escape(one.error)}"
        return
    yield escape(one.path)
    for warning in one.warnings:
        yield f"  warning: {escape(warning)}"
    if one.unconcerned:
        yield "  ✗ nothing in this capture is about any of the pages"
    for held in one.held:
        yield from _held(held)


def _held(held: Held) -> Iterator[str]:
    page = held.page
    yield f"  {'✗' if held.fails else '✓' if held.followed else '–'} {page.id}: {escape(page.title)}"
    yield f"      followed by {_followers(held.followed)}"
    if held.miscounted is not None:
        seen = f"{len(held.followed):,} follow{'s' if len(held.followed) == 1 else ''} it"
        yield f"      ✗ times: {escape(held.miscounted)}, but {seen} ({escape(page.path)}:{page.lines['times']})"
    for subject, departure in held.departed[:_MOST_LISTED]:
        yield f"      ✗ {escape(subject.name)} ({_ids(subject)}): {_where(departure)}"
        yield f"          expected  {escape(departure.expected)}"
        yield f"          seen      {escape(departure.seen)}"
        if departure.after is not None:
            yield f"          after     {escape(departure.after)}, packet {departure.after_packet}"
        yield f"          page      {escape(page.path)}:{departure.line}"
    if (more := len(held.departed) - _MOST_LISTED) > 0:
        yield f"      … and {more:,} more that do not follow it"


def _followers(subjects: Sequence[Subject]) -> str:
    if not subjects:
        return "nobody"
    shown = [_ids(one) for one in subjects[:_MOST_LISTED]]
    more = len(subjects) - len(shown)
    if subjects[0].conversation:
        shown = [f"{escape(one.name)} ({_ids(one)})" for one in subjects[:_MOST_LISTED]]
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _ids(subject: Subject) -> str:
    ids = [f"#{one}" for one in subject.ids[:_MOST_LISTED]]
    return ", ".join(ids) + (" …" if len(subject.ids) > len(ids) else "")


def _where(departure: Departure) -> str:
    outcome = f"{departure.outcome}: {departure.cause}" if departure.cause else departure.outcome
    if departure.packet is None:
        return outcome
    at = "at" if departure.outcome == "diverged" else "after"
    return f"{outcome} {at} packet {departure.packet} of #{departure.connection}"


# For other programs.


def as_results(captures: Sequence[Capture]) -> list[Result]:
    """Every page held against every capture as one case, as the other outputs of `check` want it."""
    results = []
    for one in captures:
        if one.error is not None:
            results.append(Result(one.path, one.path, one.path, error=one.error))
        elif one.unconcerned:
            seen = "nothing in this capture is about any of the pages"
            results += [_result(one, one.held[0], [Difference("flows", "traffic that the pages are about", seen, 1)])]
        else:
            results += [_result(one, held, _differences(held)) for held in one.held]
    return results


def _result(one: Capture, held: Held, differences: Sequence[Difference]) -> Result:
    return Result(
        f"{one.path} {held.page.id}",
        one.path,
        held.page.path,
        differences=tuple(differences),
        warnings=one.warnings,
        seconds=one.seconds / len(one.held),
    )


def _differences(held: Held) -> list[Difference]:
    found = [
        Difference(
            f"{held.page.id}: {subject.name}", departure.expected, departure.seen, departure.line, departure.connection,
            departure.packet, departure.packet,
        )
        for subject, departure in held.departed
    ]  # fmt: skip
    if held.miscounted is not None:
        line = held.page.lines["times"]
        found.append(Difference(f"{held.page.id}: followers", held.miscounted, str(len(held.followed)), line))
    return found


def as_json(captures: Sequence[Capture]) -> bytes:
    """`checked`, `failed`, `unreadable`, and `captures` in order, each with its `pages`."""
    report = {
        "checked": len(captures),
        "failed": sum(one.outcome == "failed" for one in captures),
        "unreadable": sum(one.outcome == "unreadable" for one in captures),
        "captures": [
            {
                "capture": escape(one.path),
                "outcome": one.outcome,
                "error": None if one.error is None else escape(one.error),
                "warnings": [escape(warning) for warning in one.warnings],
                "pages": [_as_json(held) for held in one.held],
            }
            for one in captures
        ],
    }
    return bytes(msgspec.json.format(msgspec.json.encode(report), indent=2)) + b"\n"


def _as_json(held: Held) -> dict[str, object]:
    page = held.page
    return {
        "flow": page.id,
        "page": escape(page.path),
        "title": escape(page.title),
        "outcome": "failed" if held.fails else "followed" if held.followed else "unused",
        "times": page.times,
        "followed_by": [list(subject.ids) for subject in held.followed],
        "departed": [
            {"connections": list(subject.ids), "ends": escape(subject.name)}
            | {
                name: escape(value) if isinstance(value, str) else value
                for name, value in dataclasses.asdict(departure).items()
            }
            for subject, departure in held.departed
        ],
    }
