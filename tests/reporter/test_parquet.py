"""Parquet: the columns of the CSV, typed, in row groups of bounded size."""

from __future__ import annotations

import builtins
import csv
import datetime
import io

import msgspec
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from analyzer.cli import program
from analyzer.reporter.outputs import parquet
from analyzer.reporter.outputs.columns import COLUMNS
from analyzer.reporter.outputs.csv import Csv
from analyzer.reporter.outputs.parquet import Parquet
from tests.cases import CASES, analysed, capture_of
from tests.reporter.builders import connection, http2_showcase, showcase, tls_showcase, web_showcase


def written(connections):
    parts: list[bytes] = []
    output = Parquet(parts.append)
    for one in connections:
        output.add(one)
    output.finish()
    return pyarrow.parquet.ParquetFile(io.BytesIO(b"".join(parts)))


def test_every_column_has_its_type():
    schema = written([]).schema_arrow
    assert schema.names == list(COLUMNS)
    types = {"id": "int64", "start": "timestamp[ns, tz=UTC]", "tls_decrypted": "bool", "server_name": "string"}
    assert {name: str(schema.field(name).type) for name in types} == types
    assert schema.field("vlan").type.value_type == pyarrow.int64()


def as_cell(name, value):
    if value is None:
        return ""
    if name == "start":
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return COLUMNS[name].separator.join(map(str, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("connections", [showcase(), web_showcase(), tls_showcase(), http2_showcase()])
def test_it_says_what_the_csv_says(connections):
    rows = written(connections).read()
    text: list[str] = []
    output = Csv(text.append)
    for one in connections:
        output.add(one)
    output.finish()
    for place, row in enumerate(csv.DictReader(io.StringIO("".join(text)))):
        for name in COLUMNS.keys() - {"start"}:
            assert as_cell(name, rows[name][place].as_py()) == row[name].lstrip("'"), name


def test_times_keep_their_nanoseconds():
    (one,) = analysed("tcp/three-segment-client")[0][:1]
    (value,) = written([one]).read()["start"]
    assert datetime.datetime.fromtimestamp(value.value // 10**9, datetime.UTC).isoformat()[:19] == one.start[:19]
    assert f"{value.value % 10**9:09d}" == one.start[20:29]


def test_row_groups_are_bounded(monkeypatch):
    monkeypatch.setattr(parquet, "ROWS_OF_A_GROUP", 3)
    found = written([msgspec.structs.replace(connection(), id=number) for number in range(8)])
    sizes = [found.metadata.row_group(group).num_rows for group in range(found.num_row_groups)]
    assert sizes == [3, 3, 2]
    assert found.read()["id"].to_pylist() == list(range(8))


def test_a_file_name_that_is_no_unicode():
    assert written([connection(capture="caf\udce9.pcap")]).read()["capture"].to_pylist() == ["caf\ufffd.pcap"]


@pytest.mark.parametrize("case", list(CASES)[::10])
def test_recorded_captures(case):
    connections = analysed(case)[0]
    assert written(connections).read()["close_flow"].to_pylist() == [one.close.flow for one in connections]


def run(*arguments):
    return CliRunner().invoke(program, ["read", *map(str, arguments)])


def test_the_name_of_the_file_is_enough(tmp_path):
    done = run(capture_of("tcp/web-page"), "-o", tmp_path / "web.parquet")
    assert done.exit_code == 0
    assert pyarrow.parquet.read_table(tmp_path / "web.parquet").num_rows == 5


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments):
        if name.startswith("pyarrow"):
            raise ImportError("No module named 'pyarrow'")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    done = run(capture_of("tcp/web-page"), "-o", tmp_path / "web.parquet")
    assert done.exit_code == 2
    assert "pip install 'analyzer[parquet]'" in done.output
    assert not list(tmp_path.iterdir())
