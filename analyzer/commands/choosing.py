"""Which connections of a capture a command is about: by number, or by a filter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import click

from analyzer import model
from analyzer.commands.values import Filter, Numbers
from analyzer.errors import UsageError
from analyzer.reporter.filters import Predicate

_NAMED = 5  # numbers that a message lists

Ranges = tuple[tuple[int, int], ...]


def chosen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--connection` and `--where`, as `numbers` and `filters` for `Chosen`."""
    command = click.option(
        "--where",
        "--filter",
        "filters",
        multiple=True,
        type=Filter(),
        metavar="EXPR",
        help="Only connections for which EXPR holds, as `analyzer read --filter` has it (repeatable: all must hold).",
    )(command)
    return click.option(
        "--connection",
        "numbers",
        multiple=True,
        type=Numbers(),
        metavar="N[,N-M...]",
        help="Only connections with these numbers, which `analyzer read` prints first in each line (repeatable).",
    )(command)


@dataclasses.dataclass
class Chosen:
    """Those with these numbers, given as ranges, and for which all filters hold; without any all of them."""

    numbers: tuple[Ranges, ...]
    filters: tuple[Predicate, ...]
    seen: int = 0  # connections that were asked about

    def __post_init__(self) -> None:
        self._unmet = {one for ranges in self.numbers for one in ranges}
        self._ranges = tuple(self._unmet)

    @property
    def all(self) -> bool:
        """No choice was made."""
        return not self.numbers and not self.filters

    def __call__(self, connection: model.Connection) -> bool:
        self.seen += 1
        if self._ranges:
            met = [one for one in self._ranges if one[0] <= connection.id <= one[1]]
            if not met:
                return False
            self._unmet.difference_update(met)
        return all(holds(connection) for holds in self.filters)

    def check(self, found: int) -> None:
        """When all were asked about. Raises UsageError for numbers that none has, and if nothing was `found`."""
        if self._unmet:
            missing = sorted(self._unmet)
            names = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in missing[:_NAMED])
            there = f"those there are have the numbers 0 to {self.seen - 1}" if self.seen else "there is none at all"
            raise UsageError(f"there is no connection {names}: {there}")
        if not found:
            raise UsageError("there is no such connection: `analyzer read` lists those there are")
