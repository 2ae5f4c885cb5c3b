"""The kinds of option values that click does not know: times, outcomes, filters, key files."""

from __future__ import annotations

import datetime
import re
from typing import Any, get_args

import click
import msgspec

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter import words
from analyzer.reporter.filters import FIELDS, Predicate, parse_filter

_ABSOLUTE = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?\s*([Zz]|[+-]\d\d:?\d\d)?"
)  # RFC 3339 §5.6; the zone may be left out and is UTC then, as in all output
_NUMBERS = re.compile(r"\s*([0-9]{1,15})\s*(?:-\s*([0-9]{1,15})\s*)?")
_SHARE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*%")
# A line of an NSS key log (LABEL <hex> <hex>), or the beginning of a PEM block (RFC 7468).
_KEYS = re.compile(rb"[A-Z][A-Z0-9_]* [0-9A-Fa-f]+ [0-9A-Fa-f]+\s*|-----BEGIN [A-Z0-9 ]+-----\s*")


class When(msgspec.Struct, frozen=True):
    """A moment in nanoseconds: since 1970 UTC, or since the first packet of the capture."""

    ns: int
    relative: bool


def parse_when(text: str) -> When | None:
    """`+10s`, `+1m30s`, `+250ms`, `2026-11-22T12:00:00.5Z`; None if it is neither."""
    text = text.strip()
    if text.startswith("+"):
        ns = words.parse_duration(text[1:])
        return None if ns is None else When(ns, relative=True)
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


class Duration(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Nanoseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        ns = words.parse_duration(value)
        if ns is None:
            self.fail(f"{value!r} is no duration: write 60, 1.5s, 250ms or 2min.", param, ctx)
        return ns


class FileRing(msgspec.Struct, frozen=True):
    """So many files of about so many bytes."""

    files: int
    size: int


class Rotation(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """`10x100MB`."""

    name = "ring"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FileRing:
        if isinstance(value, FileRing):
            return value
        files, _, size = value.partition("x")
        number = words.parse_size(size)
        if not (number and files.isascii() and files.isdigit() and int(files) > 0):
            self.fail(f"{value!r} is no ring of files: write 10x100MB for ten files of 100 MB.", param, ctx)
        return FileRing(int(files), number)


class Size(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        number = words.parse_size(value)
        if not number:
            self.fail(f"{value!r} is no size: write 64MB or 1GB.", param, ctx)
        return number


class GrowingKeys(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A file with TLS keys that may still grow, or come into being."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            with open(value, "rb") as file:
                empty = not file.read(1)
        except FileNotFoundError:
            return str(value)
        except OSError as error:
            raise UsageError(f"--keys {value}: {error.strerror}: give a file that can be read") from error
        return str(value) if empty else Keys().convert(value, param, ctx)


class Share(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A share of something: `20%` is 0.2."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = _SHARE.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is no share: write 20% or 7.5%.", param, ctx)
        return float(match[1]) / 100


class Numbers(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """`3`, or `1,3-5`: ranges, each with its first and its last number."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[int, int], ...]:
        if isinstance(value, tuple):
            return value
        ranges = []
        for part in value.split(","):
            match = _NUMBERS.fullmatch(part)
            if match is None or int(match[2] or match[1]) < int(match[1]):
                self.fail(f"{part!r} is no number of a connection: write 3, or 1,3-5 for several.", param, ctx)
            ranges.append((int(match[1]), int(match[2] or match[1])))
        return tuple(ranges)


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
        except UsageError as error:  # says that it is about a filter
            raise click.UsageError(str(error), ctx) from error

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        return [click.shell_completion.CompletionItem(field) for field in FIELDS if field.startswith(incomplete)]


class Keys(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A file with TLS keys: an NSS key log or PEM."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            with open(value, "rb") as file:
                # No line of keys is longer; a file of another kind may be one line as long as itself.
                if any(_KEYS.fullmatch(line) for line in iter(lambda: file.readline(4096), b"")):
                    return str(value)
        except OSError as error:
            raise UsageError(f"--keys {value}: {error.strerror}: give a file that can be read") from error
        raise UsageError(f"--keys {value}: no keys in it: give an NSS key log (see SSLKEYLOGFILE) or a PEM file")
