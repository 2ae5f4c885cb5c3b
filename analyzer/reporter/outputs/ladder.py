"""A verdict as a ladder of text: client left, server right, time running down, and beside each message what is drawn.

              client           server  as documented
1  +0.000 ms  │────── SYN ─────▶│  ✓ SYN [payload=0]
2  +0.021 ms  │◀─── SYN-ACK ────│  ✓
              │┄┄┄┄┄┄ ACK ┄┄┄┄┄▶│  ✗ missing
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.alignment import Rung, diverges
from analyzer.reporter.escape import escape

_ARROW = 17  # columns of an arrow, room for the longest common step name
_LEAST_ARROW = 9
_LEAST_BESIDE = 14  # columns of what stands beside it; with less only its mark is shown
_BESIDE = 28  # with as much it says all it usually has to
_SERVER = len("server")

_MARKS = {
    "matched": "✓", "again": "↺", "unexpected": "✗", "missing": "✗", "to-come": "…", "not-compared": " ",
}  # fmt: skip
_COLOURS = {"unexpected": "red", "missing": "red", "to-come": "yellow"}
_SAID = {"missing": "missing", "to-come": "had not come"}

Styled = Callable[[str, str | None], str]


def ladder(verdict: model.Verdict, rungs: Sequence[Rung], *, width: int, numbers: int, styled: Styled) -> Iterator[str]:
    """The lines. `numbers`: columns for packet numbers; `styled`: gives a text its colour, if colours are wanted."""
    numbers = max(numbers, *(len(str(step.packet)) for step in verdict.steps))
    times = [f"{step.at_ns / 1e6:+,.3f} ms" for step in verdict.steps]
    wide = max(len(time) for time in times)
    left = numbers + 2 + wide + 2
    names = [_name(verdict, rung) for rung in rungs]
    # Names first, then what stands beside them: a name that is cut says less than a test that is.
    arrow = max(_ARROW, *(words.cells(name) + 6 for name in names))
    room = width - left - 2
    arrow = max(_LEAST_ARROW, min(arrow, room - 4, max(room - _BESIDE, _ARROW)))
    beside = room - arrow - 2
    # The last column of the heading reaches beyond the server's lifeline.
    yield _heading(verdict, rungs, left, arrow, beside, styled)
    for rung, name in zip(rungs, names, strict=True):
        step = None if rung.step is None else verdict.steps[rung.step]
        lead = " " * left
        if step is not None and rung.step is not None:
            lead = f"{step.packet:>{numbers}}  {times[rung.step]:>{wide}}  "
        said = _beside(verdict, rung, step, beside)
        colour = _COLOURS.get(rung.mark) or ("bright_black" if step is None or step.seen != "observed" else None)
        yield styled(lead + _arrow(rung, words.shorten(name, arrow - 5), arrow) + said, colour)


def _heading(verdict: model.Verdict, rungs: Sequence[Rung], left: int, arrow: int, beside: int, styled: Styled) -> str:
    line = " " * left + f"{'client':<{arrow + 1 - _SERVER // 2}}server"
    nearest = verdict.divergence.nearest if verdict.divergence else None
    if any(rung.mark != "not-compared" for rung in rungs):
        said = f"as {words.flow_name(nearest)}" if nearest else "as documented"
        room = left + arrow + 2 + 2 + beside - len(line) - 2
        if beside >= _LEAST_BESIDE:
            line += "  " + words.shorten(said, room)
    return styled(line, "bright_black")


def _name(verdict: model.Verdict, rung: Rung) -> str:
    times = 1 if rung.step is None else verdict.steps[rung.step].times
    return escape(rung.name) + (f" ×{times}" if times > 1 else "")


def _arrow(rung: Rung, name: str, width: int) -> str:
    """`│──── SYN ────▶│`, the head at the side that received it; what was not seen is dotted."""
    seen = rung.step is not None
    shaft = "─" if seen else "┄"
    gap = width - 1 - words.cells(name) - 2
    text = f"{shaft * (gap // 2)} {name} {shaft * (gap - gap // 2)}"
    if rung.side == "server":
        return f"│◀{text}│"
    return f"│{text}▶│" if rung.side else f"│{text}{shaft}│"


def _beside(verdict: model.Verdict, rung: Rung, step: model.Step | None, room: int) -> str:
    """What is drawn, and what else there is to say of the step."""
    mark = _MARKS[rung.mark]
    said = [_SAID[rung.mark]] if rung.mark in _SAID else []
    if step is not None and diverges(verdict, step):
        mark = _MARKS["unexpected"]
        said.append("here")
    elif rung.mark == "unexpected":
        said.append("not in this flow")
    if step is not None:
        said += [step.seen] if step.seen != "observed" else []
        said += ["sent again"] if step.retransmission else []
        said += [f"until packet {step.last_packet}"] if step.last_packet != step.packet else []
    if rung.drawn and rung.drawn != rung.name:
        said.append(escape(rung.drawn))
    if rung.block:
        said.append(f"({escape(rung.block)})")
    text = "; ".join(said)
    if room < _LEAST_BESIDE:
        return f" {mark}" if mark.strip() else ""
    return "  " + words.shorten(f"{mark} {text}", room).rstrip()
