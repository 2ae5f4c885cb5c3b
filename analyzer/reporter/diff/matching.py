"""Which connection of one recording is which of the other.

By endpoints, where both are the same. Of the rest, those to the same server, then to the same port: first those with
the same content, then the most similar, then by order. Content is the name that the client asked for and its requests.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, Literal

from analyzer.reporter.diff.summaries import Summary

By = Literal["endpoints", "content", "similarity", "order"]

MOST_COMPARED: Final = 250_000  # pairs whose similarity is measured, of one group; more of them are matched by order


@dataclasses.dataclass(frozen=True)
class Match:
    """Two connections that belong together; `by`: how that was found out."""

    old: Summary
    new: Summary
    by: By


def match(old: Sequence[Summary], new: Sequence[Summary]) -> tuple[list[Match], list[Summary], list[Summary]]:
    """The pairs in the order of the new recording, and the connections that only the old or the new one has."""
    matching = _Matching(old, new)
    matching.equal(lambda one: (one.client, one.server), "endpoints")
    for group in (_server, _port):
        matching.equal(functools.partial(_group_and_content, group), "content", only=_has_content)
        matching.similar(group)
        matching.equal(group, "order")
    return matching.result()


def _server(one: Summary) -> Hashable:
    return one.server


def _port(one: Summary) -> Hashable:
    return one.server[1]


def _group_and_content(group: Callable[[Summary], Hashable], one: Summary) -> Hashable:
    return group(one), _content(one)


def _content(one: Summary) -> frozenset[str]:
    name = () if one.server_name is None else (f"server name {one.server_name}",)
    return frozenset((*one.exchanges, *name))


def _has_content(one: Summary) -> bool:
    return bool(_content(one))


class _Matching:
    def __init__(self, old: Sequence[Summary], new: Sequence[Summary]):
        self._old, self._new = list(old), list(new)
        self._found: list[Match] = []

    def equal(
        self, key: Callable[[Summary], Hashable], by: By, *, only: Callable[[Summary], bool] = lambda one: True
    ) -> None:
        """Pairs connections with the same key, in order."""
        waiting = collections.defaultdict[Hashable, collections.deque[Summary]](collections.deque)
        for one in self._old:
            if only(one):
                waiting[key(one)].append(one)
        self._take(
            Match(waiting[key(other)].popleft(), other, by)
            for other in self._new
            if only(other) and waiting.get(key(other))
        )

    def similar(self, group: Callable[[Summary], Hashable]) -> None:
        """Pairs those of a group that have content in common, the most similar first."""
        groups = collections.defaultdict[Hashable, tuple[list[Summary], list[Summary]]](lambda: ([], []))
        for side, several in enumerate((self._old, self._new)):
            for one in several:
                groups[group(one)][side].append(one)
        for old, new in groups.values():
            if len(old) * len(new) <= MOST_COMPARED:
                self._take(_most_similar(old, new))

    def _take(self, found: Iterable[Match]) -> None:
        matches = list(found)
        self._found += matches
        gone = {id(one.old) for one in matches} | {id(one.new) for one in matches}
        self._old = [one for one in self._old if id(one) not in gone]
        self._new = [one for one in self._new if id(one) not in gone]

    def result(self) -> tuple[list[Match], list[Summary], list[Summary]]:
        return sorted(self._found, key=lambda one: one.new.id), self._old, self._new


def _most_similar(old: list[Summary], new: list[Summary]) -> Iterable[Match]:
    contents = [[_content(one) for one in several] for several in (old, new)]
    pairs = []
    for i, first in enumerate(contents[0]):
        for j, second in enumerate(contents[1]):
            common = len(first & second)
            if common:
                pairs.append((-common / len(first | second), abs(i - j), i, j))
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, _, i, j in sorted(pairs):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            yield Match(old[i], new[j], "similarity")
