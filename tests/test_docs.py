"""What README.md and docs/ show is what the program does: commands are run, tables are held against the code."""

from __future__ import annotations

import ctypes.util
import difflib
import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest

from analyzer import model
from analyzer.cli import program
from analyzer.flows import load_library
from analyzer.reporter.filters import FIELDS
from analyzer.reporter.outputs.csv import COLUMNS
from analyzer.reporter.schema import schema_of
from tests import refresh_docs
from tests.refresh_docs import FILES, PROGRAMS, ROOT, Folder, blocks, commands, fits, follows, programs, renewed

BLOCKS = [block for path in FILES for block in blocks(path)]
CONSOLE = [block for block in BLOCKS if block.language == "console"]
PYTHON = [block for block in BLOCKS if block.language == "python"]


def named(block):
    return str(block)


# Commands and code.


def compare(block, printed, real):
    if not fits(printed, real):
        difference = "\n".join(difflib.unified_diff(printed, real, "documented", "real", lineterm=""))
        pytest.fail(f"{block} is out of date (python tests/refresh_docs.py renews it):\n{difference}", pytrace=False)


@pytest.mark.parametrize("block", CONSOLE, ids=named)
def test_transcript(block, tmp_path):
    used = {name for command in commands(block) for name in programs(command.text)}
    assert used <= PROGRAMS, "what a test cannot run stands in a block marked sh, without its output"
    if missing := [name for name in sorted(used - {"analyzer"}) if not shutil.which(name)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if any(" -f " in command.text for command in commands(block)) and not ctypes.util.find_library("pcap"):
        pytest.skip("not installed: libpcap")
    if any("analyzer crosscheck" in command.text for command in commands(block)) and not shutil.which("tshark"):
        pytest.skip("not installed: tshark")
    folder = Folder(tmp_path)
    for command in commands(block):
        compare(block, command.printed, folder.shell(command.text))


@pytest.mark.parametrize("block", PYTHON, ids=named)
def test_python(block, tmp_path):
    printed = Folder(tmp_path).python("\n".join(block.lines))
    for text in BLOCKS:
        if text.path == block.path and follows(block, text):
            compare(text, text.lines, printed)
            break
    else:
        assert not printed, "what code prints stands in a block marked text right below it"


def test_readme_begins_with_a_transcript():
    first = next(block for block in CONSOLE if block.path.name == "README.md")
    assert first.first < 20
    assert commands(first)[0].text == "analyzer read captures/tcp/web-page/capture.pcapng"


def test_there_is_something_to_test():
    assert len(CONSOLE) > 20
    assert PYTHON


# The command line.


def all_commands() -> Iterator[tuple[str, click.Command]]:
    def below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            for word in command.list_commands(context):
                yield from below(f"{name} {word}", command.get_command(context, word))

    return below("analyzer", program)


def named_command(value):
    return value if isinstance(value, str) else ""


def sections(path: Path) -> dict[str, list[str]]:
    """The lines below each heading, up to the next one of any level; fenced blocks are left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    fenced = {at for block in blocks(path) for at in range(block.first - 1, block.first + len(block.lines) + 1)}
    found: dict[str, list[str]] = {}
    heading = ""
    for at, line in enumerate(lines):
        if at in fenced:
            continue
        if match := re.match(r"#+ (.+)", line):
            heading = match[1].strip()
        found.setdefault(heading, []).append(line)
    return found


def first_cells(lines: list[str]) -> list[str]:
    rows = [re.split(r"(?<!\\)\|", line) for line in lines if line.startswith("| ")]
    return [cells[1].strip() for cells in rows[1:]]


CLI = sections(ROOT / "docs" / "cli.md")


def test_every_command_has_a_section_and_every_section_a_command():
    documented = {heading.strip("`") for heading in CLI if heading.startswith("`analyzer")}
    assert documented == {name for name, _ in all_commands()}


@pytest.mark.parametrize(("name", "command"), list(all_commands()), ids=named_command)
def test_options(name, command):
    cells = first_cells(CLI[f"`{name}`"])
    documented = {word for cell in cells for word in re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", cell)}
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    real = {word for option in options for word in option.opts if option.name != "help"}
    if command is program:  # said once, for all commands
        real |= set(program.context_settings["help_option_names"])
    assert documented == real


def test_every_option_has_an_example():
    shown = [line for block in BLOCKS if block.path.name == "cli.md" for line in block.lines]
    for name, command in all_commands():
        below = " ".join(line for line in shown if name in line)
        for option in command.params:
            if isinstance(option, click.Option) and option.name != "help" and not option.hidden:
                assert any(re.search(rf" {word}\b", below) for word in option.opts), f"{name} {option.opts}"


def test_values_of_choices_are_named():
    for name, command in all_commands():
        text = "\n".join(CLI[f"`{name}`"])
        for parameter in command.params:
            if isinstance(parameter.type, click.Choice):
                for value in parameter.type.choices:
                    assert f"`{value}`" in text, f"{name} {parameter.name}: {value}"


def test_filter_fields():
    cells = first_cells(CLI["Filters"])
    assert [field for cell in cells for field in re.findall(r"`([a-z0-9_.]+)`", cell)] == list(FIELDS)


# JSON and CSV.

JSON = sections(ROOT / "docs" / "json.md")
SCHEMA = schema_of("read")["$defs"]


def kind(of: dict) -> str:
    """The type column of docs/json.md for a part of the schema."""
    if "$ref" in of:
        name = of["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in of:
        return " or ".join(kind(part) for part in of["anyOf"])
    if "enum" in of:
        words = [f"`{word}`" for word in of["enum"] if word is not None]
        return ", ".join(words) + (" or null" if None in of["enum"] else "")
    if "prefixItems" in of:
        return f"pair of {kind(of['prefixItems'][0])}"
    if of["type"] == "array":
        return f"list of {kind(of['items'])}"
    return of["type"]


def test_every_struct_of_the_schema_is_documented():
    after = list(JSON).index("Fields") + 1
    assert set(list(JSON)[after:]) == {*SCHEMA, "CSV"}


@pytest.mark.parametrize("struct", SCHEMA)
def test_fields(struct):
    rows = [re.split(r"(?<!\\)\|", line) for line in JSON[struct] if line.startswith("| `")]
    documented = {row[1].strip().strip("`"): row[2].strip() for row in rows}
    real = {field: kind(of) for field, of in SCHEMA[struct]["properties"].items()}
    if struct == "CloseVerdict":  # has all of Verdict, said once
        real = {field: of for field, of in real.items() if field not in SCHEMA["Verdict"]["properties"]}
    assert documented == real
    assert all(row[3].strip() for row in rows), "a field without a meaning"


def test_csv_columns():
    named = re.findall(r"`([a-z0-9_]+)`", "\n".join(line for line in JSON["CSV"] if line.startswith("| ")))
    assert named == list(COLUMNS)


# Pages, bounds, links.


def test_diagrams_are_those_of_the_pages():
    """A sequence diagram in the docs is a page's, unless it stands in a page of its own (a block marked markdown)."""
    pages = {page.mermaid.strip() for page in load_library().pages}
    quoted = [block for block in BLOCKS if block.language == "mermaid" and "sequenceDiagram" in block.lines[0]]
    assert quoted
    for block in quoted:
        assert "\n".join(block.lines).strip() in pages, block


def test_glossary_has_every_word_of_a_verdict():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for word in (*get_args(model.Outcome), *get_args(model.Cause)):
        assert f"`{word}`" in text, word


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_links(path):
    prose = "\n".join(line for lines in sections(path).values() for line in lines)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        found = path.parent / name if name else path
        assert found.exists(), target
        if anchor:
            assert anchor in {slug(heading) for heading in sections(found)}, target


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_that_are_named_exist(path):
    prose = "\n".join(line for lines in sections(path).values() for line in lines)
    for name in re.findall(r"`((?:analyzer|captures|tests|bench|docs)/[\w./*-]*)`", prose):
        assert any(ROOT.glob(name.rstrip("/"))), name


def test_the_index_names_every_document():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"]({path.name})" in index, path.name


# The tool itself.


def test_elisions():
    real = ["one", "two", "three", "four", ""]
    assert fits(["one", "…", "four"], real)
    assert fits(["one", "tw…", "three", "four", "", ""], real)
    assert fits(["…"], real)
    assert not fits(["one", "four"], real)
    assert not fits(["one", "…", "fou"], real)


def test_renewing_keeps_elisions_and_the_space_below():
    real = ["1", "2", "3", "4"]
    assert renewed(["a", "…", "d", ""], real) == ["1", "…", "4", ""]
    assert renewed(["a", ""], real) == [*real, ""]
    assert renewed(["1", "…", "4"], real) == ["1", "…", "4"]
    assert renewed(["a", "b", "…", "c", "d"], real) == real


def test_programs_of_a_command():
    assert programs("cat x | analyzer read --filter 'open=a|b' -; echo $?") == ["cat", "analyzer", "echo"]


def test_an_inner_fence_belongs_to_the_outer_block(tmp_path, monkeypatch):
    monkeypatch.setattr(refresh_docs, "ROOT", tmp_path)
    path = tmp_path / "x.md"
    path.write_text("````markdown\n```mermaid\nA\n```\n````\n\n```console\n$ echo 1\n1\n```\n")
    outer, console = blocks(path)
    assert (outer.language, outer.lines) == ("markdown", ["```mermaid", "A", "```"])
    assert [(command.text, command.printed) for command in commands(console)] == [("echo 1", ["1"])]


# Live capture.


@pytest.mark.parametrize(("name", "struct"), [("event", model.LiveEvent), ("summary", model.LiveSummary)])
def test_fields_of_live_objects(name, struct):
    lines = sections(ROOT / "docs" / "live.md")["JSON Lines"]
    begin = next(at for at, line in enumerate(lines) if line.startswith(f"| `{name}` |"))
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[begin + 2 :])
    documented = [field for row in rows for field in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert documented == ["type", *struct.__struct_fields__]


def test_every_way_a_live_capture_ends_is_documented():
    text = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
    assert all(f"`{word}`" in text for word in get_args(model.Ended))
