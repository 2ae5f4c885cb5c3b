"""Where two connections that belong together differ."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from analyzer.reporter import words
from analyzer.reporter.diff.matching import Match, match
from analyzer.reporter.diff.summaries import Fact, Summary, Value

ABSENT: Final = "absent"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What counts as different. `ignore`: globs of names. Times count if `threshold`, a share of the old one, is given:
    where they moved by more than that and by more than `floor_ns`."""

    ignore: tuple[str, ...] = ()
    threshold: float | None = None
    floor_ns: int = 1_000_000

    def ignores(self, name: str) -> bool:
        return any(pattern(name) for pattern in _compiled(self.ignore))


@functools.cache
def _compiled(globs: tuple[str, ...]) -> list[Callable[[str], object]]:
    return [re.compile(fnmatch.translate(glob)).match for glob in globs]


@dataclasses.dataclass(frozen=True)
class Difference:
    """A name whose value is another one. Values in words, `absent` where there is none; packets to look at, if any."""

    name: str
    old: str
    new: str
    old_packet: int | None = None
    new_packet: int | None = None


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two connections that belong together and where they differ."""

    match: Match
    differences: list[Difference]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two recordings compared. `pairs`: all of them; `gone` and `added`: connections that one of the two has alone."""

    old: str
    new: str
    pairs: list[Pair]
    gone: list[Summary]
    added: list[Summary]

    @property
    def different(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.differences]

    @property
    def same(self) -> bool:
        return not (self.different or self.gone or self.added)


def compare(old: tuple[str, Sequence[Summary]], new: tuple[str, Sequence[Summary]], settings: Settings) -> Comparison:
    """Compares two recordings, each with its name."""
    matches, gone, added = match(old[1], new[1])
    pairs = [Pair(one, list(_differences(one, settings))) for one in matches]
    return Comparison(old[0], new[0], pairs, gone, added)


def _differences(pair: Match, settings: Settings) -> Iterator[Difference]:
    old, new = pair.old, pair.new
    for one in (
        *_facts("", old.facts, new.facts),
        *_parts(old.certificates, new.certificates, "subject", "no subject"),
        *_parts(old.exchanges, new.exchanges, "response.status", "no response"),
        *(_times(old.times, new.times, settings) if settings.threshold is not None else ()),
    ):
        if not settings.ignores(one.name):
            yield one


def _facts(prefix: str, old: Mapping[str, Fact], new: Mapping[str, Fact]) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        first, second = old.get(name), new.get(name)
        if _value(first) != _value(second):
            yield Difference(
                prefix + name,
                ABSENT if first is None else shown(first.value),
                ABSENT if second is None else shown(second.value),
                first.packet if first else None,
                second.packet if second else None,
            )


def _value(fact: Fact | None) -> Value:
    """What is absent is equal to what is null, and to nothing in a list."""
    return None if fact is None or fact.value == "" else fact.value


def _parts(
    old: Mapping[str, dict[str, Fact]], new: Mapping[str, dict[str, Fact]], telling: str, without: str
) -> Iterator[Difference]:
    """Exchanges or certificates. One that only one of the two has is a single difference, and told by one fact."""
    for name in dict.fromkeys((*old, *new)):
        first, second = old.get(name), new.get(name)
        if first is None or second is None:
            before, after = (ABSENT if each is None else _told(each, telling) or without for each in (first, second))
            yield Difference(name, before, after, _packet(first), _packet(second))
        else:
            judged = [{key: each[key] for key in each if _judged(key, first, second)} for each in (first, second)]
            yield from _facts(f"{name}.", *judged)


def _judged(key: str, *both: dict[str, Fact]) -> bool:
    """HTTP/1 has no verdicts on exchanges."""
    return not key.startswith("verdict.") or all("verdict.flow" in each for each in both)


def _told(facts: dict[str, Fact], name: str) -> str | None:
    fact = facts.get(name)
    return None if fact is None or fact.value is None else shown(fact.value)


def _packet(facts: dict[str, Fact] | None) -> int | None:
    return next((fact.packet for fact in (facts or {}).values()), None)


def _times(
    old: Mapping[str, tuple[int, int]], new: Mapping[str, tuple[int, int]], settings: Settings
) -> Iterator[Difference]:
    assert settings.threshold is not None
    for name, (before, packet) in old.items():
        if name not in new:
            continue
        after, other = new[name]
        moved = abs(after - before)
        if moved > settings.floor_ns and moved > settings.threshold * before:
            share = f" ({(after - before) / before:+.0%})" if before > 0 else ""
            yield Difference(name, words.duration(before), words.duration(after) + share, packet, other)


def shown(value: Value) -> str:
    """A value as JSON writes it, texts without quotation marks."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
