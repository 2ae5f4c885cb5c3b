"""The kinds of option values that click does not know: times, outcomes, filters."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import Any, get_args

import click

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter.filters import FIELDS, Predicate, parse_filter

_UNITS = {"h": 3600 * 10**9, "min": 60 * 10**9, "m": 60 * 10**9, "s": 10**9, "": 10**9,
          "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1}  # fmt: skip
_PART = r"(\d+)(?:\.(\d{1,9}))?(h|min|m(?!s)|s|ms|us|µs|ns|)"
_RELATIVE = re.compile(rf"\+(?:{_PART})+")
_ABSOLUTE = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?\s*([Zz]|[+-]\d\d:?\d\d)?"
)  # RFC 3339 §5.6; the zone may be left out and is UTC then, as in all output


@dataclasses.dataclass(frozen=True)
class When:
    """A moment in nanoseconds: since 1970 UTC, or since the first packet of the capture."""

    ns: int
    relative: bool


def parse_when(text: str) -> When | None:
    """`+10s`, `+1m30s`, `+250ms`, `2026-11-22T12:00:00.5Z`; None if it is neither."""
    text = text.strip()
    if _RELATIVE.fullmatch(text):
        total = 0
        for whole, fraction, unit in re.findall(_PART, text[1:]):
            scale = _UNITS[unit]
            total += int(whole) * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)
        return When(total, relative=True)
    if match := _ABSOLUTE.fullmatch(text):
        date, clock, fraction, zone = match.groups()
        try:
            moment = datetime.datetime.fromisoformat(f"{date}T{clock}{(zone or 'Z').upper()}")
        except ValueError:
            return None
        seconds = (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(seconds=1)
        return When(seconds * 10**9 + int((fraction or "").ljust(9, "0")), relative=False)
    return None


class Time(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> When:
        if isinstance(value, When):
            return value
        when = parse_when(value)
        if when is None:
            self.fail(f"{value!r} is no time: write 2026-11-22T12:00:00Z, or +10s after the first packet.", param, ctx)
        return when


class Outcomes(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A comma-separated list of outcomes."""

    name = "outcome"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        known = get_args(model.Outcome)
        outcomes = tuple(part.strip() for part in value.split(","))
        for outcome in outcomes:
            if outcome not in known:
                self.fail(f"{outcome!r} is no outcome. There are: {', '.join(known)}.", param, ctx)
        return outcomes

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        before, comma, last = incomplete.rpartition(",")
        matching = [outcome for outcome in get_args(model.Outcome) if outcome.startswith(last)]
        return [click.shell_completion.CompletionItem(before + comma + outcome) for outcome in matching]


class Filter(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic only in newer click
    name = "expr"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Predicate:
        if callable(value):
            return value  # type: ignore[no-any-return]
        try:
            return parse_filter(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        return [click.shell_completion.CompletionItem(field) for field in FIELDS if field.startswith(incomplete)]
