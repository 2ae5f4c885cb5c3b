"""Conversations as text, for tests: play("C SYN", "S SYN-ACK", "C ACK").flow == "tcp-open/three-way-handshake"."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from analyzer import model
from analyzer.flows import Library, Page, load_library
from analyzer.flows.explain import Explainer, Seen
from analyzer.flows.library import Vocabulary, parse_page
from analyzer.flows.matcher import Automaton, Run

SILENCE = "silence"

LETTERS = Vocabulary(
    ("A", "B", "C", "D", "SYN", "RST"),
    {"retransmission": "flag", "payload": "number", "window": "number", "sni": "text"},
)


@cache
def library() -> Library:
    return load_library()


def event(text: str, packet: int = 1) -> model.Event:
    """ "C SYN", "S SYN-ACK again" (a retransmission), "C SYN 100" (bytes of payload)."""
    side, rest = text.split(" ", 1)
    words = rest.split()
    again = words[-1] == "again"
    if again:
        words.pop()
    payload = int(words.pop()) if words[-1].isdigit() else 0
    return model.Event(
        side={"C": "client", "S": "server"}[side],  # type: ignore[arg-type]
        step=" ".join(words),
        packet=packet,
        at_ns=packet,
        payload=payload,
        retransmission=again,
    )


@dataclass(frozen=True)
class Played:
    flow: str | None
    outcome: str
    swapped: bool = False
    branches: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    taken: int = 0  # events that belong to the run
    expected: tuple[str, ...] = ()
    nearest: str | None = None
    edits: tuple[str, ...] = ()


def play(*texts: str, scope: str = "tcp-open", automaton: Automaton | None = None) -> Played:
    """Offers the events, numbered from 1, to one run; "silence" at the end means that nothing more ever comes."""
    automaton = automaton or library().automaton(scope)
    silence = texts[-1:] == (SILENCE,)
    run = Run(automaton)
    seen = [
        Seen(automaton.symbol_of(event(text)), packet)
        for packet, text in enumerate(texts[: -1 if silence else None], 1)
    ]
    for symbol, _ in seen:
        run.offer(symbol)
    matches = automaton.completed(run.state if run.best is None else run.best)
    if run.best is not None or (silence and matches and not run.ended):
        best = matches[0]
        taken = run.best_length if run.best is not None else run.length
        return Played(best.page.id, best.outcome, best.swapped, best.branches, best.differs, taken)
    if not run.ended:
        living = automaton.living(run.state)[0]
        return Played(living.page.id, "incomplete", living.swapped, living.branches, taken=run.length)
    explanation = Explainer(automaton).nearest(seen, run.diverged_at)
    assert explanation is not None
    return Played(
        None,
        "diverged",
        taken=run.length,
        expected=tuple(automaton.expected(run.state)),
        nearest=explanation.page.id,
        edits=tuple(explanation.edits),
    )


def diagram(text: str) -> str:
    """A diagram from its statements."""
    body = textwrap.indent(textwrap.dedent(text).strip("\n"), "    ")
    return f"sequenceDiagram\n    participant Client\n    participant Server\n{body}"


def page(
    text: str,
    *,
    name: str = "one",
    drawn: str = "none",
    either_side: bool = False,
    silence: bool = False,
    builtin: bool = True,
    order: int = 1,
) -> Page:
    """A page of scope "letters" from the statements of its diagram."""
    front = (
        f"id: letters/{name}\nscope: letters\ntitle: {name}\ndrawn_in_article: {drawn}\nstandard: none\n"
        f"either_side: {str(either_side).lower()}\norder: {order}\n" + ("ends_by: silence\n" if silence else "")
    )
    whole = f"---\n{front}---\n\nProse.\n\n```mermaid\n{diagram(text)}\n```\n"
    return parse_page(whole, f"{name}.md", scopes={"letters": LETTERS}, builtin=builtin)


def automaton_of(*pages: Page) -> Automaton:
    return Automaton("letters", pages, LETTERS.steps)


def complete_after(automaton: Automaton, texts: Iterable[str]) -> list[str]:
    """Names of the pages complete after these events, best first."""
    state = 1
    for text in texts:
        state = automaton.advance(state, automaton.symbol_of(event(text)))
    return [match.page.id.partition("/")[2] for match in automaton.completed(state)]
