"""`analyzer read --format zeek`, `ecs` and `parquet` from the command line."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from analyzer.cli import program
from tests.cases import capture_of

PAGE = capture_of("tcp/web-page")


def run(*arguments):
    return CliRunner().invoke(program, ["read", *map(str, arguments)])


def records(text):
    return [msgspec.json.decode(line) for line in text.splitlines()]


def test_zeek_is_one_stream_with_paths():
    found = records(run("--format", "zeek", PAGE).stdout)
    assert {record["_path"] for record in found} == {"conn", "http"}


@pytest.mark.parametrize("name", ["logs/", "new/deep/"])
def test_zeek_in_a_folder_is_three_files_without_paths(tmp_path, name):
    done = run("--format", "zeek", "-o", f"{tmp_path}/{name}", PAGE)
    assert done.exit_code == 0
    files = {path.name: records(path.read_text()) for path in (tmp_path / name).iterdir()}
    assert {file: len(lines) for file, lines in files.items()} == {"conn.log": 5, "ssl.log": 0, "http.log": 5}
    assert not any("_path" in record for lines in files.values() for record in lines)


def test_a_folder_that_is_there_needs_no_slash(tmp_path):
    assert run("--format", "zeek", "-o", tmp_path, PAGE).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conn.log", "http.log", "ssl.log"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("--format", "zeek", "-o", f"{tmp_path}/file/logs/", PAGE)
    assert (done.exit_code, "choose another place with -o" in done.output) == (2, True)


def test_zeek_in_a_file(tmp_path):
    run("--format", "zeek", "-o", tmp_path / "all.json", PAGE)
    assert len(records((tmp_path / "all.json").read_text())) == 10


def test_filters_leave_connections_out():
    assert {record["id.orig_p"] for record in records(run("--format", "zeek", "--filter", "id=1", PAGE).stdout)} == {
        56238
    }


def test_several_captures_have_several_accounts():
    found = records(run("--format", "zeek", PAGE, capture_of("tcp/refused")).stdout)
    assert [record["conn_state"] for record in found if record["_path"] == "conn"][-1] == "REJ"


@pytest.mark.parametrize("form", ["zeek", "ecs"])
def test_tcp_alone(form):
    found = records(run("--format", form, "--tcp-only", PAGE).stdout)
    assert len(found) == 5
    assert not any("http" in record for record in found)


def test_ecs():
    found = records(run("--format", "ecs", PAGE).stdout)
    assert [record["event"]["dataset"] for record in found].count("analyzer.http") == 5


@pytest.mark.parametrize("form", ["zeek", "ecs"])
def test_no_secrets_are_quoted(form):
    assert "ookie" not in run("--format", form, capture_of("http1/single-exchange")).stdout
