"""The columns of the CSV output as Apache Parquet, with their types; for DuckDB, pandas, Polars, Spark."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter.fields import unicode_of
from analyzer.reporter.outputs.columns import COLUMNS, Column
from analyzer.reporter.times import nanoseconds

if TYPE_CHECKING:
    import pyarrow

ROWS_OF_A_GROUP = 16_384  # held in memory until they are written; DuckDB reads groups in parallel


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            f"--format parquet needs pyarrow, which cannot be imported ({error}): pip install 'analyzer[parquet]'"
        ) from error
    return pyarrow


def schema() -> pyarrow.Schema:
    """The columns in their order. All may be null."""
    arrow = _pyarrow()
    types = {
        "str": arrow.string(),
        "int": arrow.int64(),
        "bool": arrow.bool_(),
        "time": arrow.timestamp("ns", tz="UTC"),
        "list[str]": arrow.list_(arrow.string()),
        "list[int]": arrow.list_(arrow.int64()),
    }
    return arrow.schema([(name, types[column.kind]) for name, column in COLUMNS.items()])


class _Sink:
    """A file to write to, as far as pyarrow needs one."""

    closed = False

    def __init__(self, write: Callable[[bytes], object]):
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(bytes(data))
        return len(data)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class Parquet:
    """Writes connections as a Parquet file to `write`, some row groups of `ROWS_OF_A_GROUP`. A file without connections
    has its columns all the same. Raises UsageError where pyarrow is not installed."""

    def __init__(self, write: Callable[[bytes], object]):
        arrow = _pyarrow()
        self._schema = schema()
        self._arrow = arrow
        self._writer = arrow.parquet.ParquetWriter(
            arrow.PythonFile(_Sink(write), mode="w"), self._schema, compression="zstd"
        )
        self._columns: list[list[Any]] = [[] for _ in COLUMNS]

    def add(self, connection: model.Connection) -> None:
        for column, values in zip(COLUMNS.values(), self._columns, strict=True):
            values.append(_value(column, connection))
        if len(self._columns[0]) >= ROWS_OF_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        arrays = [
            self._arrow.array(values, kind) for values, kind in zip(self._columns, self._schema.types, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        for values in self._columns:
            values.clear()

    def finish(self) -> None:
        if self._columns[0]:
            self._flush()
        self._writer.close()


def _value(column: Column, connection: model.Connection) -> Any:
    value = column.read(connection)
    if column.kind == "time":
        return nanoseconds(str(value))
    if isinstance(value, str):
        return unicode_of(value)
    if isinstance(value, list):
        return [unicode_of(one) if isinstance(one, str) else one for one in value]
    return value
