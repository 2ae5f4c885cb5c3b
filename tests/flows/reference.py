"""A second, naive matcher: it writes down every sequence of steps a diagram allows, up to a length, and compares.

It shares the tree with the real one, and nothing else: no derivatives, no states.
"""

from __future__ import annotations

from analyzer.flows.expression import (
    RETRANSMISSION,
    Choice,
    Expression,
    Interleave,
    Loop,
    Option,
    Reference,
    Sequence,
    Shaded,
    Step,
)

Word = tuple[tuple[Step, ...], frozenset[int]]  # the steps, and the places gone through
EMPTY: Word = ((), frozenset())


def words(expression: Expression, limit: int) -> set[Word]:
    """Every way through `expression` with at most `limit` steps."""
    match expression:
        case Step():
            return {((expression,), frozenset({expression.place} if expression.tests else ()))} if limit else set()
        case Reference():
            raise NotImplementedError
        case Shaded(body):
            return words(body, limit)
        case Option(body, _, place):
            return {EMPTY} | {(steps, taken | {place}) for steps, taken in words(body, limit) if steps}
        case Loop(body, _, place):
            once = [(steps, taken | {place}) for steps, taken in words(body, limit) if steps]
            found = last = {EMPTY}
            while last:
                last = {
                    (steps + more, taken | places)
                    for steps, taken in last
                    for more, places in once
                    if len(steps) + len(more) <= limit
                } - found
                found = found | last
            return found
        case Choice(branches):
            found, empty_yet = set(), False
            for branch in branches:
                here = words(branch.body, limit)
                if empty_yet:  # of several branches that may be empty, the first one counts
                    here = {(steps, taken) for steps, taken in here if steps}
                empty_yet = empty_yet or any(not steps for steps, _ in here)
                found |= {(steps, taken | ({branch.place} if branch.title else set())) for steps, taken in here}
            return found
        case Sequence(items):
            found = {EMPTY}
            for item in items:
                found = {
                    (steps + more, taken | places)
                    for steps, taken in found
                    for more, places in words(item, limit)
                    if len(steps) + len(more) <= limit
                }
            return found
        case Interleave(parts):
            found = {EMPTY}
            for part in parts:
                found = {
                    (mixed, taken | places)
                    for steps, taken in found
                    for more, places in words(part, limit)
                    if len(steps) + len(more) <= limit
                    for mixed in shuffles(steps, more)
                }
            return found


def shuffles(one: tuple[Step, ...], other: tuple[Step, ...]) -> set[tuple[Step, ...]]:
    if not one or not other:
        return {one + other}
    return {(one[0], *rest) for rest in shuffles(one[1:], other)} | {
        (other[0], *rest) for rest in shuffles(one, other[1:])
    }


def fits(step: Step, side: int, name: str, fields: dict[str, object]) -> bool:
    """Whether one event is this step."""
    return (
        (step.side, step.name) == (side, name)
        and all(test.holds(fields.get(test.name)) for test in step.tests)
        and (not fields.get("retransmission") or RETRANSMISSION in step.tests)
    )
