"""One row per connection for spreadsheets and data frames; absent values are empty cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from analyzer import model
from analyzer.reporter.escape import escape
from analyzer.reporter.outputs.columns import COLUMNS, Column

_BATCH_CHARACTERS = 1 << 16


def _text(column: Column, connection: model.Connection) -> str | int | None:
    value = column.read(connection)
    if isinstance(value, bool):
        return "true" if value else "false"
    return column.separator.join(map(str, value)) if isinstance(value, list) else value


def cell(value: str | int | None) -> str | int | None:
    """A value that no spreadsheet takes for a formula (OWASP: CSV injection) and no terminal for a command."""
    if not isinstance(value, str):
        return value
    safe = "'" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else ""
    return safe + escape(value)


class Csv:
    """Writes connections as CSV (RFC 4180, lines ended by a line feed) to `write`, the header first."""

    def __init__(self, write: Callable[[str], object], live: bool = False):
        self._write = write
        self._batch = 0 if live else _BATCH_CHARACTERS
        self._buffer = io.StringIO()
        self._rows = csv.writer(self._buffer, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def add(self, connection: model.Connection) -> None:
        self._rows.writerow([cell(_text(column, connection)) for column in COLUMNS.values()])
        if self._buffer.tell() >= self._batch:
            self.flush()

    def flush(self) -> None:
        if text := self._buffer.getvalue():
            self._write(text)
            self._buffer.seek(0)
            self._buffer.truncate()

    def finish(self) -> None:
        self.flush()
