"""Verdicts that are alike: the same flow and the same steps, in other packets and at other times.

What they have in common is their shape, which is worked out once. A verdict is its shape and the numbers of its steps;
it becomes a struct where a report is worked with, and text where it is only written.
"""

from __future__ import annotations

from typing import Final

import msgspec

from analyzer import model

# In text, instead of a number, until there is one: like no packet number, count or time that is reported.
_HOLE: Final = 9_000_000_000_000_000_000
_encode = msgspec.json.Encoder().encode


class Shape:
    """A verdict but for the numbers of its steps. Shared: not to be changed.

    `verdict`: has the steps, with any numbers. One with a divergence, which names packets, is no other's shape.
    """

    __slots__ = ("_text", "ambiguous", "steps", "verdict")

    def __init__(self, verdict: model.Verdict):
        self.verdict = verdict
        self.steps = frozenset((step.side, step.step) for step in verdict.steps)
        self.ambiguous = False  # a user's flow page has words that look like a hole
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """Its JSON, with `%d` for each number of its steps, in their order."""
        if self._text is None:
            steps = [
                model.Step(one.side, one.step, _HOLE, _HOLE, _HOLE, _HOLE, one.seen, one.retransmission)
                for one in self.verdict.steps
            ]
            text = _encode(msgspec.structs.replace(self.verdict, steps=steps))
            hole = b"%d" % _HOLE
            self.ambiguous = text.count(hole) != 4 * len(steps)
            self._text = text.replace(b"%", b"%%").replace(hole, b"%d")
        return self._text


class Judged:
    """One verdict. `numbers`: of each step the packet, the last packet, the time in ns since the connection's first
    packet, and how often."""

    __slots__ = ("_verdict", "numbers", "shape")

    def __init__(self, shape: Shape, numbers: list[int], verdict: model.Verdict | None = None):
        self.shape = shape
        self.numbers = numbers
        self._verdict = verdict

    @classmethod
    def of(cls, verdict: model.Verdict) -> Judged:
        """One that may be like no other."""
        numbers = [n for one in verdict.steps for n in (one.packet, one.last_packet, one.at_ns, one.times)]
        return cls(Shape(verdict), numbers, verdict)

    @property
    def verdict(self) -> model.Verdict:
        """As a struct, which shares nothing that can be changed."""
        if self._verdict is None:
            shape, numbers = self.shape.verdict, self.numbers
            steps = [
                model.Step(
                    one.side, one.step, numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3], one.seen,
                    one.retransmission,
                )
                for at, one in zip(range(0, len(numbers), 4), shape.steps, strict=True)
            ]  # fmt: skip
            self._verdict = msgspec.structs.replace(
                shape, branches=list(shape.branches), differs=list(shape.differs), steps=steps
            )
        return self._verdict

    @property
    def text(self) -> msgspec.Raw:
        """As JSON."""
        text = self.shape.text
        if self._verdict is not None or self.shape.ambiguous:
            return msgspec.Raw(_encode(self.verdict))
        return msgspec.Raw(text % tuple(self.numbers))

    @property
    def diverged(self) -> bool:
        return self.shape.verdict.divergence is not None


Part = tuple[str, Judged]  # a scope and what it came to
