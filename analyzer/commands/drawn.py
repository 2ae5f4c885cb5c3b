"""A run of `analyzer draw`: the connections wanted, and their diagram."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path, PurePath

from analyzer import pipeline
from analyzer.commands.checking import keys_beside
from analyzer.commands.inputs import refuse_to_overwrite
from analyzer.commands.terminal import open_output, say
from analyzer.errors import UsageError
from analyzer.flows.library import parse_page
from analyzer.flows.whole import CONNECTION, CONVERSATION, WHOLE
from analyzer.reporter import drawing, words
from analyzer.reporter.filters import Predicate
from analyzer.reporter.observed import Life

MOST_DRAWN = 100  # connections; nobody reads more in one diagram


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which connections: those with these numbers, or for which all filters hold; without any all of them."""

    numbers: tuple[int, ...]
    filters: tuple[Predicate, ...]

    def __call__(self, life: Life) -> bool:
        if self.numbers and life.connection.id not in self.numbers:
            return False
        return all(holds(life.connection) for holds in self.filters)


def run(
    capture: str,
    wanted: Wanted,
    as_flow: bool,
    identifier: str | None,
    title: str | None,
    keys: tuple[str, ...],
    output: str | None,
) -> int:
    """Prints the diagram or the page; the exit code."""
    if not as_flow and (identifier or title):
        raise UsageError("--id and --title are for pages: add --as-flow")
    refuse_to_overwrite(output, [capture])
    lives, others = _read(capture, wanted, keys)
    if as_flow:
        scope = CONNECTION if len(lives) == 1 else CONVERSATION
        identifier = identifier or _from_place(output, scope) or f"{scope}/drawn"
        text = drawing.page(lives, identifier, _title(title, lives), PurePath(capture).name, _where(lives))
        parse_page(text, output or identifier)  # an id that cannot be one is told before anything is written
        if len(lives) > 1 and others:
            numbers = ", ".join(map(str, others[:10])) + (" …" if len(others) > 10 else "")
            say(f"check will count in the other connections of this client and server to the same port: {numbers}")
    else:
        text = drawing.as_seen(lives)
    with open_output(output) as file:
        file.text(text)
    return 0


def _read(capture: str, wanted: Wanted, keys: tuple[str, ...]) -> tuple[list[Life], list[int]]:
    """The connections wanted, in order, and the numbers of others between the same ends, to the same ports."""
    keys = tuple(dict.fromkeys((*keys, *(keys_beside(Path(capture).parent) if capture != "-" else ()))))
    found: list[Life] = []
    ends: dict[tuple[str, str, int], list[int]] = {}
    with contextlib.closing(pipeline.analyze(capture, pipeline.Options(keys=keys, headers=True))) as analysis:
        for life in analysis.lives():
            connection = life.connection
            if wanted(life):
                found.append(life)
                if len(found) > MOST_DRAWN:
                    raise UsageError(
                        f"more than {MOST_DRAWN} connections: choose some with --connection N or --filter EXPR"
                    )
            else:
                key = connection.client.address, connection.server.address, connection.server.port
                ends.setdefault(key, []).append(connection.id)
        for warning in analysis.warnings:
            say(f"{capture}: warning: {warning.message}")
    found.sort(key=lambda life: life.connection.id)
    if missing := sorted(set(wanted.numbers) - {life.connection.id for life in found}):
        raise UsageError(f"there is no connection {missing[0]} like that: `analyzer read` lists those there are")
    if not found:
        raise UsageError("there is no such connection: `analyzer read` lists those there are")
    pairs = {(one.connection.client.address, one.connection.server.address) for one in found}
    if len(pairs) > 1:
        raise UsageError(
            f"these are connections of {len(pairs)} pairs of client and server: choose those of one with --connection "
            "N, or --filter 'client.address=… server.address=…'"
        )
    (pair,) = pairs
    ports = {life.connection.server.port for life in found}
    return found, sorted(number for key, ids in ends.items() if key[:2] == pair and key[2] in ports for number in ids)


def _from_place(output: str | None, scope: str) -> str | None:
    """The id that a page in this place must have."""
    if output is None:
        return None
    path = Path(output).resolve()
    if path.suffix != ".md" or path.parent.name not in WHOLE:
        return None
    if path.parent.name != scope:
        raise UsageError(f"a page about {words.plural(1 if scope == CONNECTION else 2, 'connection')} is of scope "
                         f"{scope}: write it to a folder of that name, not {path.parent.name}")  # fmt: skip
    return f"{scope}/{path.stem}"


def _title(given: str | None, lives: list[Life]) -> str:
    title = " ".join((given or "").split())
    return title or f"{words.plural(len(lives), 'connection')} as recorded"


def _where(lives: list[Life]) -> str:
    ports = sorted({life.connection.server.port for life in lives})
    return f"server.port={'|'.join(map(str, ports))}"
