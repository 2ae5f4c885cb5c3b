"""`analyzer flows` on the real pages."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from analyzer.cli import program
from analyzer.flows import load_library

USER_PAGE = """---
id: tcp-close/abrupt
scope: tcp-close
title: Both sides reset
drawn_in_article: none
standard: none
either_side: true
---

A page of our own.

```mermaid
sequenceDiagram
    participant Client
    participant Server
    Client->>Server: FIN, FIN
```
"""


def run(*arguments, **options):
    return CliRunner().invoke(program, arguments, prog_name="analyzer", **options)


@pytest.fixture
def own(tmp_path):
    (tmp_path / "tcp-close").mkdir()
    (tmp_path / "tcp-close" / "abrupt.md").write_text(USER_PAGE, encoding="utf-8")
    return str(tmp_path)


def test_all_pages_are_listed():
    result = run("flows", env={"COLUMNS": "200"})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["id", "article", "standard", "title"]
    pages = load_library().pages
    assert [line.split()[0] for line in lines[2 : 2 + len(pages)]] == [page.id for page in pages]
    assert lines[2 + len(pages) :] == ["", "article: the figure that draws it in the article the project grew out of"]


def test_of_one_scope():
    lines = run("flows", "--scope", "tcp-close").stdout.partition("\n\n")[0].splitlines()[2:]
    assert lines
    assert all(line.startswith("tcp-close/") for line in lines)
    unknown = run("flows", "--scope", "tcp-shut")
    assert unknown.exit_code == 2
    assert "tcp-close" in unknown.stderr


def test_fits_a_narrow_terminal():
    for width in (60, 80, 100):
        lines = run("flows", env={"COLUMNS": str(width)}).stdout.splitlines()
        assert max(map(len, lines)) <= width
        assert lines[0].endswith("title")


def test_as_json():
    found = json.loads(run("flows", "--format", "json").stdout)["flows"]
    four_way = next(page for page in found if page["id"] == "tcp-close/four-way")
    assert four_way["drawn_in_article"] == "F3"
    assert four_way["mermaid"].startswith("sequenceDiagram")


def test_a_page_is_shown_as_it_is():
    page = load_library().page("tcp-close/four-way")
    assert run("flows", "show", "tcp-close/four-way").stdout == Path(page.path).read_text(encoding="utf-8")
    assert run("flows", "show", "four-way").stdout == run("flows", "show", "tcp-close/four-way").stdout


@pytest.mark.parametrize(
    ("wrong", "instead"), [("tcp-close/fourway", "tcp-close/four-way"), ("forway", "tcp-close/four-way")]
)
def test_an_unknown_page_has_neighbours(wrong, instead):
    result = run("flows", "show", wrong)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"analyzer: there is no flow '{wrong}'; did you mean ")
    assert instead in result.stderr
    assert "`analyzer flows` lists them" in run("flows", "show", "zzz").stderr


def test_pages_of_ones_own(own):
    assert "tcp-close/abrupt" in run("flows", "--flows", own).stdout
    assert run("flows", "show", "--flows", own, "tcp-close/abrupt").stdout == USER_PAGE
    assert run("flows", "--flows", own, "show", "abrupt").stdout == USER_PAGE


def test_a_malformed_page_is_refused_with_file_and_line(own):
    page = Path(own, "tcp-close", "abrupt.md")
    page.write_text(USER_PAGE.replace("FIN, FIN", "FINE"), encoding="utf-8")
    result = run("flows", "--flows", own)
    assert result.exit_code == 2
    assert f"{page}:16: " in result.stderr
    assert len(result.stderr.splitlines()) == 1
