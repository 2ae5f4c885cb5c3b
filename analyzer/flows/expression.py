"""What a diagram says, as a regular expression over protocol steps, and its derivatives.

A flow is a regular language with one operator more than usual, interleaving (`par`). Everything the program does with
a flow rests on one function, `linear`: which steps can come first, and what is left to do after each of them. (These
are partial derivatives: Brzozowski 1964, Antimirov 1996.) All values are immutable and compare by content, so what is
left to do can itself be the state of an automaton.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from math import prod
from typing import Final

import msgspec

CLIENT: Final = 0
SERVER: Final = 1
EITHER: Final = -1  # a reference to another scope's verdict is nobody's message

_COMPARE: Final = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
_NUMBER = re.compile(r"-?[0-9]{1,18}")  # fits a 64-bit column of the packet stage
_SPAN = re.compile(r"(-?[0-9]{1,18})\.\.(-?[0-9]{1,18})")
_CLASS = re.compile(r"([1-9][0-9]{0,17}?)(x{1,9})")  # of numbers with the same first digits, as 2xx

Places = frozenset[int]
NOWHERE: Final[Places] = frozenset()


def matches_glob(text: str, pattern: str) -> bool:
    """`*` is any text, `?` any one character. Never takes more than len(text) * len(pattern) comparisons, because
    the text is whatever somebody sent."""
    at = tried = star = 0
    retry = -1
    while at < len(text):
        if tried < len(pattern) and pattern[tried] == "*":
            star, retry = tried, at
            tried += 1
        elif tried < len(pattern) and pattern[tried] in ("?", text[at]):
            at, tried = at + 1, tried + 1
        elif retry >= 0:
            retry += 1
            at, tried = retry, star + 1
        else:
            return False
    return all(rest == "*" for rest in pattern[tried:])


class Absent:
    """What a field is that could have been there and is known not to be: a header field of a message that was read."""


ABSENT: Final = Absent()


def span_of(text: str) -> tuple[int, int] | None:
    """The first and last number that `7`, `300..399` or `2xx` stands for; None if it is none of them."""
    if _NUMBER.fullmatch(text):
        return int(text), int(text)
    if match := _SPAN.fullmatch(text):
        return int(match[1]), int(match[2])
    if match := _CLASS.fullmatch(text):
        scale = 10 ** len(match[2])
        return int(match[1]) * scale, int(match[1]) * scale + scale - 1
    return None


class Value(msgspec.Struct, frozen=True, cache_hash=True):
    """Works out its hash once: what is left to do of a page is a large tree, and a key wherever automata grow."""


class AttributeTest(Value, frozen=True):
    """A comparison with a field of an event: `payload>0`. Without operator: the field is true (not 0, not empty).

    `others`: further values of `=` and `!=`, one of which must fit, or none of which may.
    """

    name: str
    operator: str = ""  # "", "!" (it is not there), "=", "!=", "<", ">", "<=" or ">="
    value: str = ""  # for "=" and "!=" a glob, of a number also a range
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.operator == "!":
            return f"!{self.name}"
        return f"{self.name}{self.operator}{'|'.join(self.values)}"

    @property
    def values(self) -> tuple[str, ...]:
        """All values."""
        return (self.value, *self.others)

    @property
    def number(self) -> int | None:
        """The value, where it is one whole number: what a compiled stage compares with."""
        return int(self.value) if not self.others and _NUMBER.fullmatch(self.value) else None

    def holds(self, value: object) -> bool:
        """Whether a field with this value passes. A field the event does not have (None) passes no test, not even
        `!=`: what is absent is never guessed. ABSENT passes `!` alone."""
        if value is None:
            return False
        if value is ABSENT or self.operator == "!":
            return self.operator == "!" and (value is ABSENT or not value)
        if not self.operator:
            return bool(value)
        if isinstance(value, tuple):  # a header field that was sent several times
            fits = any(map(self._fits, value))
            return fits == (self.operator == "=")
        if self.operator in _COMPARE:
            number = self.number
            return type(value) is int and number is not None and bool(_COMPARE[self.operator](value, number))
        return self._fits(value) == (self.operator == "=")

    def _fits(self, value: object) -> bool:
        if type(value) is int and all(map(span_of, self.values)):
            return any(first <= value <= last for first, last in map(span_of, self.values))  # type: ignore[misc]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return any(matches_glob(text, pattern) for pattern in self.values)


RETRANSMISSION: Final = AttributeTest("retransmission")


class Step(Value, frozen=True):
    """One step of one side. `place` tells it from every other node of its diagram and grows down the page."""

    side: int
    name: str
    tests: tuple[AttributeTest, ...] = ()
    place: int = 0


class Reference(Value, frozen=True):
    """`Note over Client,Server: ref tls`: the verdict of another scope stands at this place."""

    scope: str
    place: int = 0
    tests: tuple[AttributeTest, ...] = ()


class Sequence(Value, frozen=True):
    """One after the other. With no items: nothing is left to do."""

    items: tuple[Expression, ...] = ()


class Branch(Value, frozen=True):
    """One way through an `alt`. It is no expression by itself."""

    body: Expression
    title: str = ""
    place: int = 0

    @property
    def trace(self) -> Places:
        """What going through it leaves behind: nothing without a title, since every trace multiplies the states."""
        return frozenset((self.place,)) if self.title else NOWHERE


class Choice(Value, frozen=True):
    """`alt`/`else`: exactly one branch."""

    branches: tuple[Branch, ...]


class Option(Value, frozen=True):
    """`opt`: may be absent."""

    body: Expression
    title: str = ""
    place: int = 0


class Loop(Value, frozen=True):
    """`loop`: zero or more times."""

    body: Expression
    title: str = ""
    place: int = 0


class Interleave(Value, frozen=True):
    """`par`/`and`: all branches, each in its own order, mixed in any way."""

    branches: tuple[Expression, ...]


class Shaded(Value, frozen=True):
    """`rect`: what travels encrypted. Its steps are matched one by one where they can be read; `shading.py` adds the
    other way to see it."""

    body: Expression


class Beginning(Value, frozen=True):
    """`Note over Client,Server: ref beginning`: any first steps of another flow of the scope, at least one, at most
    all. As drawn, `body` is empty; the automaton puts the other flows there."""

    body: Expression = Sequence()
    begun: bool = False  # there was a step, so that it may end


Expression = Step | Reference | Sequence | Choice | Option | Loop | Interleave | Shaded | Beginning
DONE: Final = Sequence()

# What can come next: the step, what is left to do after it, and the places that taking it goes through.
Next = tuple[Step, Expression, Places]


def sequence(*parts: Expression) -> Expression:
    """`parts` one after the other, flat, so that equal remainders compare equal."""
    items: list[Expression] = []
    for part in parts:
        items.extend(part.items if isinstance(part, Sequence) else (part,))
    return items[0] if len(items) == 1 else Sequence(tuple(items))


def interleave(*branches: Expression) -> Expression:
    """`branches` mixed, without those that have nothing left to do."""
    busy = tuple(branch for branch in branches if branch != DONE)
    if not busy:
        return DONE
    return busy[0] if len(busy) == 1 else Interleave(busy)


@lru_cache(maxsize=1 << 14)
def passed_over(expression: Expression) -> Places | None:
    """None if something must still happen, else the places gone through when nothing does: an `alt` whose branch
    consists of optional steps only is taken all the same. Of several such branches the first one counts."""
    match expression:
        case Step() | Reference():
            return None
        case Option() | Loop():
            return NOWHERE
        case Beginning(_, begun):
            return NOWHERE if begun else None
        case Shaded(body):
            return passed_over(body)
        case Choice(branches):
            for branch in branches:
                inside = passed_over(branch.body)
                if inside is not None:
                    return inside | branch.trace
            return None
        case Sequence(parts) | Interleave(parts):
            places = NOWHERE
            for part in parts:
                inside = passed_over(part)
                if inside is None:
                    return None
                places |= inside
            return places


@lru_cache(maxsize=1 << 14)
def linear(expression: Expression) -> tuple[Next, ...]:
    """Every step that can come next, with what is left to do after it; in the order of the page, each once."""
    return tuple(dict.fromkeys(_linear(expression)))


def _linear(expression: Expression) -> Iterator[Next]:
    match expression:
        case Step(tests=tests, place=place):
            yield expression, DONE, frozenset((place,)) if tests else NOWHERE
        case Reference(scope, place, tests):
            yield Step(EITHER, f"ref {scope}", tests, place), DONE, frozenset((place,)) if tests else NOWHERE
        case Shaded(body):
            yield from linear(body)
        case Option(body, _, place):
            for step, rest, places in linear(body):
                yield step, rest, places | {place}
        case Loop(body, _, place):
            for step, rest, places in linear(body):
                yield step, sequence(rest, expression), places | {place}
        case Choice(branches):
            for branch in branches:
                for step, rest, places in linear(branch.body):
                    yield step, rest, places | branch.trace
        case Beginning(body):
            for step, rest, places in linear(body):
                yield step, Beginning(rest, begun=True) if rest != DONE else DONE, places
        case Interleave(parts):
            for at, part in enumerate(parts):
                for step, rest, places in linear(part):
                    yield step, interleave(*parts[:at], rest, *parts[at + 1 :]), places
        case Sequence(items):
            before = NOWHERE
            for at, item in enumerate(items):
                for step, rest, places in linear(item):
                    yield step, sequence(rest, *items[at + 1 :]), places | before
                over = passed_over(item)
                if over is None:
                    return
                before |= over


@lru_cache(maxsize=1 << 14)
def fewest_steps(expression: Expression) -> int:
    """How many steps at least are left until nothing must happen any more."""
    match expression:
        case Step() | Reference():
            return 1
        case Option() | Loop():
            return 0
        case Beginning(_, begun):
            return 0 if begun else 1
        case Shaded(body):
            return fewest_steps(body)
        case Choice(branches):
            return min(fewest_steps(branch.body) for branch in branches)
        case Sequence(parts) | Interleave(parts):
            return sum(fewest_steps(part) for part in parts)


def most_remainders(expression: Expression) -> int:
    """A bound on how many different things can be left to do: as many as there are steps, and in `par` any
    combination of what is left of its branches (Antimirov 1996)."""
    match expression:
        case Step() | Reference():
            return 1
        case Option(body) | Loop(body) | Shaded(body) | Beginning(body):
            return most_remainders(body)
        case Choice(branches):
            return sum(most_remainders(branch.body) for branch in branches)
        case Sequence(parts):
            return sum(map(most_remainders, parts))
        case Interleave(parts):
            return prod(most_remainders(part) + 1 for part in parts)


def most_next(expression: Expression) -> int:
    """A bound on how many steps can come next, whatever is left to do."""
    match expression:
        case Step() | Reference():
            return 1
        case Option(body) | Shaded(body) | Beginning(body):
            return most_next(body)
        case Loop(body):
            return most_next(body) + _most_first(body)
        case Choice(branches):
            return max(_most_first(expression), *(most_next(branch.body) for branch in branches))
        case Interleave(parts):
            return sum(map(most_next, parts))
        case Sequence(parts):
            most = behind = 0
            for part in reversed(parts):
                most = max(most, most_next(part) + behind)
                behind = _most_first(part) + (0 if fewest_steps(part) else behind)
            return most


def _most_first(expression: Expression) -> int:
    """A bound on how many steps it can begin with."""
    match expression:
        case Step() | Reference():
            return 1
        case Option(body) | Loop(body) | Shaded(body) | Beginning(body):
            return _most_first(body)
        case Choice(branches):
            return sum(_most_first(branch.body) for branch in branches)
        case Interleave(parts):
            return sum(map(_most_first, parts))
        case Sequence(parts):
            first = 0
            for part in parts:
                first += _most_first(part)
                if fewest_steps(part):
                    break
            return first


def last_steps(expression: Expression) -> frozenset[str]:
    """The names of the steps a diagram can end with."""
    match expression:
        case Step(name=name):
            return frozenset((name,))
        case Reference():
            return frozenset()
        case Option(body) | Loop(body) | Shaded(body) | Beginning(body):
            return last_steps(body)
        case Choice(branches):
            return frozenset().union(*(last_steps(branch.body) for branch in branches))
        case Interleave(parts):
            return frozenset().union(*(last_steps(part) for part in parts))
        case Sequence(parts):
            found: frozenset[str] = frozenset()
            for part in reversed(parts):
                found |= last_steps(part)
                if fewest_steps(part):
                    break
            return found


def walk(expression: Expression) -> Iterator[Expression | Branch]:
    """Every node, in the order of the page, branches of an `alt` included."""
    waiting: list[Expression | Branch] = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        match node:
            case Step() | Reference():
                pass
            case Sequence(parts) | Interleave(parts):
                waiting.extend(reversed(parts))
            case Choice(branches):
                waiting.extend(reversed(branches))
            case _:
                waiting.append(node.body)


def steps_of(expression: Expression) -> Iterator[Step]:
    """Every step of a diagram, references among them as what the matcher sees of them."""
    return steps_among(walk(expression))


def steps_among(nodes: Iterable[Expression | Branch]) -> Iterator[Step]:
    """The steps among the nodes of a diagram."""
    for node in nodes:
        if isinstance(node, Step):
            yield node
        elif isinstance(node, Reference):
            yield linear(node)[0][0]
