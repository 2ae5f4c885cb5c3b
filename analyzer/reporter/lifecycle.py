"""The whole life of a connection, composed of what its scopes came to (rule 11 of `docs/flows.md`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from analyzer import model
from analyzer.flows.library import Library
from analyzer.flows.matcher import START, Run

# What the article draws as the parts of a life.
DRAWN: Final[Mapping[str, str]] = {
    "tcp-open": "tcp-open/three-way-handshake",
    "tls": "tls/1.2-rsa",
    "http1": "http1/single-exchange",
    "http2": "http2/over-tls",
    "tcp-close": "tcp-close/four-way",
}
# And how many exchanges: F2, F4 and F7 one request and its response; F5 two, each on its stream.
_EXCHANGES: Final[Mapping[str, tuple[int, str, str]]] = {
    "http1": (1, "exchange", "exchanges"),
    "http2": (2, "stream", "streams"),
}

# `unread`: what TLS carries is not known at all.
HIDDEN: Final = "hidden"

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def in_words(count: int) -> str:
    """Small numbers as words."""
    return _WORDS[count] if count < len(_WORDS) else str(count)


class LifecycleLabeler:
    """Holds the parts of a connection's life together against the pages of scope lifecycle."""

    def __init__(self, library: Library):
        self._library = library
        self._automaton = library.automaton("lifecycle")
        self._symbols: dict[str, int] = {}  # of the scopes referred to

    def label(
        self, parts: Sequence[tuple[str, model.Verdict]], exchanges: int | None = None, *, unread: str | None = None
    ) -> model.Verdict:
        """One connection.

        `parts`: its scopes and their verdicts, in the order of the connection: "tcp-open", each of its handshakes as
        "tls", "http1" or "http2" (both after an upgrade), "tcp-close"; `exchanges`: how many there were, after an
        upgrade those of HTTP/2, None if that is not known; `unread`: the scope of what TLS carries where it could not
        be read but ALPN names it, HIDDEN where even that cannot be read.
        """
        steps = [
            model.Step(part.steps[0].side, f"ref {scope}", part.steps[-1].last_packet, part.steps[-1].last_packet,
                       part.steps[-1].at_ns)
            for scope, part in parts
            if part.steps
        ]  # fmt: skip
        scopes = list(_with_unread([scope for scope, _ in parts], unread))
        for outcome in ("diverged", "unseen", "incomplete"):
            for _, part in parts:
                if part.outcome == outcome:
                    return self._unlike(part, scopes, steps)
            if outcome == "unseen" and unread == HIDDEN:
                return self._unlike(model.Verdict(flow=None, outcome="unseen", cause="no-keys"), scopes, steps)
        run = self._run(scopes)
        if run.best is None:
            return model.Verdict(flow=None, outcome="diverged", steps=steps)
        match = self._automaton.completed(run.best)[0]
        drawn_in_article = match.page.drawn_in_article
        differs = list(match.differs)
        if drawn_in_article is not None:
            differs += self._differences(parts, exchanges)
            if unread is not None:
                differs.append("the exchanges could not be read")
        return model.Verdict(
            flow=match.page.id,
            outcome="documented" if drawn_in_article is not None and not differs else "variant",
            begun_by="client",
            drawn_in_article=drawn_in_article,
            standard=match.page.standard,
            branches=list(match.branches),
            differs=differs,
            steps=steps,
        )

    def _run(self, scopes: Sequence[str]) -> Run:
        run = Run(self._automaton)
        for scope in scopes:
            symbol = self._symbols.get(scope)
            if symbol is None:
                symbol = self._automaton.symbol_of(model.Event("client", f"ref {scope}", 0, 0))
                self._symbols[scope] = symbol
            run.offer(symbol)
        return run

    def _unlike(self, part: model.Verdict, scopes: Sequence[str], steps: Sequence[model.Step]) -> model.Verdict:
        """A life is no better known than its least known part."""
        page = None
        if part.outcome == "incomplete":
            run = self._run(scopes)
            matches = self._automaton.completed(run.best) if run.best is not None else ()
            page = matches[0].page if matches else self._automaton.living(run.state or START)[0].page
        return model.Verdict(
            flow=page.id if page else None,
            outcome=part.outcome,
            cause=part.cause,
            begun_by="client",
            drawn_in_article=page.drawn_in_article if page else None,
            standard=page.standard if page else None,
            steps=list(steps),
            divergence=part.divergence,
        )

    def _differences(self, parts: Sequence[tuple[str, model.Verdict]], exchanges: int | None) -> list[str]:
        """How the parts differ from what is drawn; of HTTP the number of exchanges says more than the flow."""
        found = []
        spoken = [scope for scope, _ in parts if scope in _EXCHANGES][-1:]  # after an upgrade what it led to
        count = _exchanges_differ(spoken[0], exchanges) if spoken else None
        for scope, part in parts:
            drawn = DRAWN[scope]
            if scope in _EXCHANGES and scope not in spoken:
                continue
            if scope == "http1" and count is not None:
                continue
            # That HTTP/2 is not over TLS is a difference of this page.
            if scope != "http2" and part.flow and part.flow != drawn:
                found.append(f"{self._library.page(part.flow).title}, drawn: {self._library.page(drawn).title}")
            if scope != "http1":
                found += part.differs
        return found if count is None else [*found, count]


def _exchanges_differ(scope: str, exchanges: int | None) -> str | None:
    """In words, by how many exchanges there were."""
    drawn, one, several = _EXCHANGES[scope]
    if exchanges is None or exchanges == drawn:
        return None
    return f"{in_words(exchanges)} {one if exchanges == 1 else several}, drawn: {in_words(drawn)}"


def _with_unread(scopes: Sequence[str], unread: str | None) -> Iterator[str]:
    """The scopes, with the unread one where it belongs: inside TLS, before the close."""
    for scope in scopes:
        if scope == "tcp-close" and unread not in (None, HIDDEN):
            yield unread
        yield scope
