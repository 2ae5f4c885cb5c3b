"""What a diagram means besides what is drawn: how shaded steps look to one without keys, and what else the drawing of a
beginning stands for.

`rect` shades what travels encrypted (rule 4 of `docs/flows.md`). Without keys only its records are seen, as steps
called `Encrypted`; a run of steps by one side is then one or more of them. Which of the two it is, is decided for each
`rect` by itself: a side's keys may be known and the other's not, but not half of a flight's.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence as Many
from itertools import groupby
from typing import Final

from analyzer.flows.expression import (
    AttributeTest,
    Beginning,
    Branch,
    Choice,
    Expression,
    Interleave,
    Loop,
    Option,
    Reference,
    Sequence,
    Shaded,
    Step,
    fewest_steps,
    last_steps,
    passed_over,
    sequence,
    steps_of,
)

# The step that is a record nobody could read. A scope whose vocabulary has it may be shaded.
ENCRYPTED: Final = "Encrypted"

_FINISHED_STEP: Final = "Finished"
_ALERT_STEP: Final = "Alert"

# What the size of an unreadable record allows (`reporter/tls_verdicts.py` has the sizes): "alert" is as long as an
# alert is, and nothing else; "finished" is long enough for a Finished at its end.
_ALERT: Final = AttributeTest("sized", "=", "alert")
_NO_ALERT: Final = AttributeTest("sized", "!=", "alert")
_FINISHED: Final = AttributeTest("sized", "=", "finished")
_INFERRED: Final = AttributeTest("seen", "=", "inferred")

# Places are counted from 1 down the page; these stand in no drawing.
UNREAD: Final = -1  # a `rect` was gone through unread
_NOWHERE_DRAWN: Final = 0


def meant(expression: Expression, others: Many[Expression], *, shaded: bool) -> Expression:
    """What the matcher runs for a diagram. `others`: the diagrams whose beginnings it may refer to; `shaded`:
    unreadable records are events of the scope."""
    match expression:
        case Shaded(body):
            readable = meant(body, others, shaded=False)
            if not shaded:
                return readable
            return Choice((Branch(readable), Branch(unread(body), "unread", UNREAD)))
        case Beginning():
            return _beginning_of(tuple(others), shaded)
        case Step() | Reference():
            return expression
        case Sequence(items):
            return sequence(*(meant(item, others, shaded=shaded) for item in items))
        case Interleave(branches):
            return Interleave(tuple(meant(one, others, shaded=shaded) for one in branches))
        case Option(body, title, place):
            return Option(meant(body, others, shaded=shaded), title, place)
        case Loop(body, title, place):
            return Loop(meant(body, others, shaded=shaded), title, place)
        case Choice(ways):
            return Choice(tuple(Branch(meant(way.body, others, shaded=shaded), way.title, way.place) for way in ways))


@functools.lru_cache(maxsize=16)
def _beginning_of(others: tuple[Expression, ...], shaded: bool) -> Beginning:
    """The same in every diagram of a scope."""
    return Beginning(Choice(tuple(Branch(_undrawn(meant(one, (), shaded=shaded))) for one in others)))


def unread(expression: Expression) -> Expression:
    """Shaded steps as their records look: each run of steps by one side is one or more of them, zero or more if all its
    steps are optional. Blocks stay where both sides have a part in them, as far as the records' sides show them."""
    if len(_sides(expression)) == 1:
        return _run(expression)
    match expression:
        case Sequence(items):
            runs = [tuple(group) for _, group in groupby(items, _sides)]
            return sequence(
                *(_run(Sequence(run)) if len(_sides(run[0])) == 1 else sequence(*map(unread, run)) for run in runs)
            )
        case Interleave(branches):
            return Interleave(tuple(unread(one) for one in branches))
        case Choice(ways):
            return Choice(tuple(Branch(unread(way.body), way.title, way.place) for way in ways))
        case Option(body, title, place):
            return Option(unread(body), title, place)
        case Loop(body, title, place):
            return Loop(unread(body), title, place)
        case Shaded(body):
            return unread(body)
        case _:
            return expression


def _sides(expression: Expression) -> frozenset[int]:
    return frozenset(step.side for step in steps_of(expression))


def _run(steps: Expression) -> Expression:
    """The records of one side's run of steps."""
    (side,) = _sides(steps)
    record = Step(side, ENCRYPTED, (_NO_ALERT,), _NOWHERE_DRAWN)
    ends = last_steps(steps)
    if passed_over(steps) is not None:
        return Loop(record)
    if ends == {_ALERT_STEP}:
        return Step(side, ENCRYPTED, (_ALERT,), _NOWHERE_DRAWN)
    if ends == {_FINISHED_STEP}:
        by_size = sequence(Loop(record), Step(side, ENCRYPTED, (_FINISHED,), _NOWHERE_DRAWN))
        if fewest_steps(steps) == len(tuple(steps_of(steps))) == 1:
            return by_size
        # Up to TLS 1.2 the record behind ChangeCipherSpec is taken for the Finished, whatever comes with it.
        inferred = sequence(Step(side, _FINISHED_STEP, (_INFERRED,), _NOWHERE_DRAWN), record, Loop(record))
        return Choice((Branch(by_size), Branch(inferred)))
    return sequence(record, Loop(record))


def _undrawn(expression: Expression) -> Expression:
    """The same without places and titles: which blocks of another page were taken is not this page's to say."""
    match expression:
        case Step(side, name, tests):
            return Step(side, name, tests, _NOWHERE_DRAWN)
        case Sequence(items):
            return sequence(*map(_undrawn, items))
        case Interleave(branches):
            return Interleave(tuple(map(_undrawn, branches)))
        case Choice(ways):
            return Choice(tuple(Branch(_undrawn(way.body)) for way in ways))
        case Option(body):
            return Option(_undrawn(body))
        case Loop(body):
            return Loop(_undrawn(body))
        case _:
            return expression
