"""The whole life of a connection, composed of what its scopes came to (rule 11 of `docs/flows.md`)."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer import model
from analyzer.flows.library import Library
from analyzer.flows.matcher import Run

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def in_words(count: int) -> str:
    """Small numbers as words."""
    return _WORDS[count] if count < len(_WORDS) else str(count)


class LifecycleLabeler:
    """Holds opening, HTTP and close together against the pages of scope lifecycle."""

    def __init__(self, library: Library):
        self._library = library
        self._automaton = library.automaton("lifecycle")

    def label(self, opening: model.Verdict, http: model.Verdict, close: model.Verdict, exchanges: int) -> model.Verdict:
        """One connection that speaks HTTP/1."""
        parts = (("ref tcp-open", opening), ("ref http1", http), ("ref tcp-close", close))
        steps = [
            model.Step(part.steps[0].side, name, part.steps[-1].last_packet, part.steps[-1].last_packet,
                       part.steps[-1].at_ns)
            for name, part in parts
            if part.steps
        ]  # fmt: skip
        for outcome in ("diverged", "unseen", "incomplete"):
            for _, part in parts:
                if part.outcome == outcome:
                    return self._unlike(part, steps)
        run = Run(self._automaton)
        for step in steps:
            run.offer(self._automaton.symbol_of(model.Event(step.side, step.step, step.packet, step.at_ns)))
        if run.best is None:
            return model.Verdict(flow=None, outcome="diverged", steps=steps)
        match = self._automaton.completed(run.best)[0]
        differs = [*match.differs, *self._differences(opening, http, close, exchanges)]
        documented = match.page.drawn_in_article is not None and not differs
        return model.Verdict(
            flow=match.page.id,
            outcome="documented" if documented else "variant",
            begun_by="client",
            drawn_in_article=match.page.drawn_in_article,
            standard=match.page.standard,
            branches=list(match.branches),
            differs=differs,
            steps=steps,
        )

    def _unlike(self, part: model.Verdict, steps: Sequence[model.Step]) -> model.Verdict:
        """A life is no better known than its least known part."""
        flow = "lifecycle/http1-connection" if part.outcome == "incomplete" else None
        page = self._library.page(flow) if flow else None
        return model.Verdict(
            flow=flow,
            outcome=part.outcome,
            cause=part.cause,
            begun_by="client",
            drawn_in_article=page.drawn_in_article if page else None,
            standard=page.standard if page else None,
            steps=list(steps),
            divergence=part.divergence,
        )

    def _differences(
        self, opening: model.Verdict, http: model.Verdict, close: model.Verdict, exchanges: int
    ) -> list[str]:
        """How the parts differ from what is drawn: one exchange between a three-way handshake and a four-way close."""
        found = []
        for part, drawn in ((opening, "tcp-open/three-way-handshake"), (close, "tcp-close/four-way")):
            if part.flow and part.flow != drawn:
                found.append(f"{self._library.page(part.flow).title}, drawn: {self._library.page(drawn).title}")
            found += part.differs
        if exchanges != 1:
            found.append(f"{in_words(exchanges)} exchanges, drawn: one")
        elif http.flow != "http1/single-exchange" and http.flow:
            drawn = "http1/single-exchange"
            found.append(f"{self._library.page(http.flow).title}, drawn: {self._library.page(drawn).title}")
        return found
