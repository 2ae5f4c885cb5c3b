"""`analyzer.read`: the connections of a capture, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, overload

from analyzer import model

if TYPE_CHECKING:
    from analyzer.pipeline import Analysis, Totals

_NAMED = 5  # connections that a message lists


class NotOneError(LookupError):
    """One connection was asked for, and none or several were `found` among those that there are."""

    def __init__(self, expression: str | None, found: Connections, among: Connections):
        asked = "one connection" if expression is None else f"one connection with {expression}"
        super().__init__(f"{asked} was asked for; there are {found!r}")
        self.found, self.among = found, among


class Connections(Sequence[model.Connection]):
    """The connections of a capture, in order of their first packets.

    `name`: the capture's, as it was given. `totals`: what it held (`pipeline.Totals`). `warnings`: what was wrong with
    it, one line each.
    """

    def __init__(
        self, name: str, connections: Iterable[model.Connection], totals: Totals, warnings: Sequence[str] = ()
    ):
        self.name = name
        self.totals = totals
        self.warnings = tuple(warnings)
        self._connections = sorted(connections, key=lambda connection: connection.id)

    @classmethod
    def of(cls, analysis: Analysis) -> Connections:
        """Those of an analysis, which is read to its end."""
        found = list(analysis)
        return cls(analysis.name, found, analysis.totals, [warning.message for warning in analysis.warnings])

    def where(self, expression: str) -> Connections:
        """Those for which a filter holds: `server.port=443 close.outcome=documented|variant`, as `analyzer read
        --filter` has it. Raises UsageError for what is no filter."""
        from analyzer.reporter.filters import parse_filter

        return Connections(self.name, filter(parse_filter(expression), self), self.totals, self.warnings)

    def only(self, expression: str | None = None) -> model.Connection:
        """The one connection there is, or for which a filter holds. Raises NotOneError if there are none or more."""
        __tracebackhide__ = True  # pytest shows who asked
        found = self if expression is None else self.where(expression)
        if len(found) != 1:
            raise NotOneError(expression, found, self)
        return found[0]

    @overload
    def __getitem__(self, index: int) -> model.Connection: ...
    @overload
    def __getitem__(self, index: slice) -> Connections: ...
    def __getitem__(self, index: int | slice) -> model.Connection | Connections:
        if isinstance(index, slice):
            return Connections(self.name, self._connections[index], self.totals, self.warnings)
        return self._connections[index]

    def __len__(self) -> int:
        return len(self._connections)

    def _repr_html_(self) -> str:
        """What Jupyter shows: a table, and what it comes to."""
        from analyzer.reporter.outputs.notebook import connections_html

        return connections_html(self.name, self, self.totals, self.warnings)

    def __repr__(self) -> str:
        """`<2 connections in login.pcap: #0 10.0.0.1:50112 → 10.0.0.2:80, #1 …>`"""
        from analyzer.reporter import words
        from analyzer.reporter.escape import escape

        named = [f"#{c.id} {words.endpoint(c.client)} → {words.endpoint(c.server)}" for c in self[:_NAMED]]
        named += ["…"] * (len(self) > _NAMED)
        listed = f": {', '.join(named)}" if named else ""
        return f"<{words.plural(len(self), 'connection')} in {escape(self.name)}{listed}>"
