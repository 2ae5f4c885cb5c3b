"""Where traffic departs from a page, in words: what the page expects there, and what was seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from analyzer import model
from analyzer.flows.diagram import FLOW, HEADERS
from analyzer.flows.expression import ABSENT, EITHER, Step
from analyzer.flows.matcher import SIDE_NAMES
from analyzer.reporter.http import REDACTED, SECRET_FIELDS
from analyzer.reporter.observed import Observed

_MOST_NAMED: Final = 4  # steps that could have come
_LONGEST_VALUE: Final = 80
_USUAL: Final = ("method", "target", "status", "error", "description")  # shown if no test asks for more

_CANNOT_TELL: Final[dict[str, str]] = {
    "no-keys": "it is encrypted, and no keys were given: give them with --keys",
    "mid-stream": "the capture began in the middle of the connection",
    "one-sided": "only one direction was captured",
    "lost-in-capture": "packets are missing in the capture",
    "snaplen": "packets were cut when they were captured: record with -s 0",
    "evicted": "there were too many connections at a time",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Departure:
    """`line` is that of the page's file; `connection` and `packet` say where to look; `after` is the last step that was
    as the page says."""

    outcome: model.Outcome  # diverged, incomplete or unseen
    cause: model.Cause | None
    expected: str
    seen: str
    line: int
    connection: int
    packet: int | None
    after: str | None = None
    after_packet: int | None = None


def expected_text(steps: Sequence[Step], swapped: bool, *, complete: bool) -> str:
    """`server HTTP Response [status=302] or client FIN`."""
    texts = list(dict.fromkeys(_step_text(step, swapped) for step in steps))
    more = len(texts) - _MOST_NAMED
    if more > 0:
        texts = [*texts[:_MOST_NAMED], f"one of {more} more"]
    if complete:
        texts.append("nothing more")
    return " or ".join(texts)


def _step_text(step: Step, swapped: bool) -> str:
    if step.side == EITHER:
        return reference_text(step)
    tests = f" [{' '.join(map(str, step.tests))}]" if step.tests else ""
    return f"{SIDE_NAMES[step.side ^ swapped]} {step.name}{tests}"


def reference_text(step: Step) -> str:
    """As a page has it: `ref tcp-close/four-way|three-segment`."""
    flow = next((test for test in step.tests if test.name == FLOW and test.operator == "="), None)
    tests = " ".join(str(test) for test in step.tests if test is not flow)
    name = step.name
    if flow is not None:
        name += "/" + "|".join(value.partition("/")[2] for value in flow.values)
    return name + (f" [{tests}]" if tests else "")


def seen_text(event: Observed, expected: Iterable[Step]) -> str:
    """An event with those of its fields that were tested, or else the usual ones."""
    tested = list(dict.fromkeys(test.name for step in expected if step.name == event.name for test in step.tests))
    if event.name.startswith("ref "):
        flow = event.value(FLOW)
        shown = " ".join(_field(name, event.value(name)) for name in tested if name != FLOW)
        return (f"ref {flow}" if flow else f"{event.name}, which follows no flow") + (f" [{shown}]" if shown else "")
    fields = [_field(name, event.value(name)) for name in tested]
    if not tested:
        known = ((name, event.value(name)) for name in _USUAL)
        fields = [_field(name, value) for name, value in known if value is not None]
    shown = " ".join(fields)
    return f"{SIDE_NAMES[event.side]} {event.name}" + (f" [{shown}]" if shown else "")


def _field(name: str, value: object) -> str:
    if value is ABSENT:
        return f"no {name}"
    if value is None:
        return f"{name} not known"
    if name.removeprefix(HEADERS[:-1]) in SECRET_FIELDS:
        return f"{name}={REDACTED}"
    if isinstance(value, bool):
        return name if value else f"not {name}"
    text = "|".join(value) if isinstance(value, tuple) else str(value)
    return f"{name}={text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + '…'}"


def seen_without(cause: model.Cause | None, seen: str | None) -> str:
    """What was seen, and why that does not tell."""
    if cause is None or cause not in _CANNOT_TELL:
        return seen or "nothing"
    return f"{seen}; it cannot be told: {_CANNOT_TELL[cause]}" if seen else f"cannot be told: {_CANNOT_TELL[cause]}"
