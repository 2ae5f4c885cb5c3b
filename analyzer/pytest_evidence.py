"""What a failed assertion of a test was about, and the evidence for it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from analyzer import model
from analyzer.connections import Connections, NotOneError
from analyzer.reporter import words
from analyzer.reporter.escape import escape
from analyzer.reporter.outputs.evidence import Evidence
from analyzer.reporter.outputs.table import Table

_LINES = 80  # of evidence
_SHOWN = 3  # connections, or verdicts
_ROWS = 20  # connections in a table
_BETWEEN = "@py_assert"  # pytest keeps what it computes on the way in variables with such names


def of_failure(failure: pytest.ExceptionInfo[BaseException], width: int) -> str:
    """The evidence for the connections and verdicts that the failed assertion names; nothing if it names none."""
    if isinstance(failure.value, NotOneError):
        return _table(failure.value.among, width).rstrip("\n")
    for entry in reversed(failure.traceback):
        if found := _named(str(entry.statement), entry.frame.raw):
            return _shown(found, width)
    return ""


def _named(statement: str, frame: FrameType) -> list[Any]:
    """What of ours a statement works with: the variables in it, and what pytest has computed of it."""
    values = [value for name, value in frame.f_locals.items() if name.startswith(_BETWEEN)]
    try:
        tree = ast.parse(textwrap.dedent(statement))
    except SyntaxError:  # part of a statement
        return []
    if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        return []
    scope = {**frame.f_globals, **frame.f_locals}
    values += [scope[node.id] for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in scope]
    ours = [one for one in values if isinstance(one, model.Connection | model.Verdict | model.Exchange | Connections)]
    return [one for at, one in enumerate(ours) if not any(one is other for other in ours[:at])]


def _shown(found: list[Any], width: int) -> str:
    written: list[str] = []
    evidence = Evidence(written.append, width=width, several=True)
    connections = [one for one in found if isinstance(one, model.Connection)]
    parts = [one for one in found if isinstance(one, model.Verdict | model.Exchange)]
    for part in parts[:_SHOWN]:
        connection, scope = next(_places(part, connections), (None, ""))
        if isinstance(part, model.Verdict):
            evidence.add_verdict(scope or _scope(part), part, connection)
        else:
            evidence.add_exchange(part, connection)
    if not parts:
        for connection in connections[:_SHOWN]:
            evidence.add(connection)
    if not written:
        for several in found:
            if isinstance(several, Connections):
                written.append(_table(several, width))
    lines = "".join(written).splitlines()
    if len(lines) > _LINES:
        lines[_LINES:] = [f"… {words.count(len(lines) - _LINES)} more lines"]
    for connection in connections[:_SHOWN]:
        lines.append(f"more: analyzer read -v --filter id={connection.id} {escape(connection.capture)}")
    return "\n".join(lines)


def _places(part: Any, connections: list[model.Connection]) -> Iterator[tuple[model.Connection, str]]:
    """The connection that a verdict or an exchange is of, and the verdict's scope."""
    for connection in connections:
        if isinstance(part, model.Exchange):
            if any(part is one for http in words.spoken(connection) for one in http.exchanges):
                yield connection, ""
        else:
            for scope, verdict in words.verdicts(connection):
                if verdict is part:
                    yield connection, scope


def _scope(verdict: model.Verdict) -> str:
    return (
        verdict.flow.partition("/")[0] if verdict.flow else "close" if isinstance(verdict, model.CloseVerdict) else ""
    )


def _table(connections: Connections, width: int) -> str:
    if not connections:
        return f"{escape(connections.name)}: no connections, {words.plural(connections.totals.packets, 'packet')}\n"
    written: list[str] = []
    table = Table(written.append, width=width)
    for connection in connections[:_ROWS]:
        table.add(connection)
    table.finish()
    more = len(connections) - _ROWS
    return f"{escape(connections.name)}:\n{''.join(written)}" + (
        f"… and {words.count(more)} more\n" if more > 0 else ""
    )
