"""`analyzer flows`: the documented flows, listed and shown."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.commands.terminal import open_output
from analyzer.errors import UsageError
from analyzer.reporter import words
from analyzer.reporter.escape import escape

if TYPE_CHECKING:
    from analyzer.flows import Library, Page

_flows_option = click.option(
    "--flows", "folders", multiple=True, metavar="DIR", type=click.Path(exists=True, file_okay=False),
    help="Flow pages of your own, besides the built-in ones (repeatable).",
)  # fmt: skip

_ARTICLE = "article: the figure that draws it in the article the project grew out of"

_EPILOG = f"""\b
Examples:
  analyzer flows                             all pages
  analyzer flows --scope tcp-close           how connections close
  analyzer flows show tcp-close/four-way     one page: prose and diagram
  analyzer flows --flows my-pages            with pages of your own

{_ARTICLE}.
"""


def _library(folders: tuple[str, ...]) -> Library:
    from analyzer.flows import load_library

    return load_library(folders)


@click.group(invoke_without_command=True, epilog=_EPILOG)
@click.option("--scope", metavar="SCOPE", help="Only the pages of a scope, such as tcp-open.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table, or JSON with prose and diagrams.",
)
@_flows_option
@click.pass_context
def flows(ctx: click.Context, scope: str | None, form: str, folders: tuple[str, ...]) -> None:
    """List the documented flows that connections are held against."""
    ctx.obj = folders
    if ctx.invoked_subcommand:
        return
    library = _library(folders)
    pages = library.pages if scope is None else library.of_scope(scope)
    with open_output(None) as output:
        if form == "json":
            import msgspec

            found = [_as_json(page) for page in pages]
            output.bytes(msgspec.json.format(msgspec.json.encode({"flows": found}), indent=2) + b"\n")
        else:
            output.text(_table(pages, output.width))
            if any(page.drawn_in_article for page in pages):
                output.text("\n" + textwrap.fill(_ARTICLE, output.width) + "\n")


@flows.command(
    epilog="""\b
Examples:
  analyzer flows show tcp-close/four-way
  analyzer flows show four-way           the scope may be left out
"""
)
@click.argument("flow", metavar="ID")
@_flows_option
@click.pass_obj
def show(outer: tuple[str, ...], flow: str, folders: tuple[str, ...]) -> None:
    """Print the page of a flow, such as tcp-close/four-way: prose and Mermaid diagram, as Markdown."""
    library = _library(outer + folders)
    pages = {page.id: page for page in library.pages}
    if flow not in pages:
        # A name without its scope is fine as long as it is the only one.
        named = [known for known in pages if known.partition("/")[2] == flow]
        if len(named) != 1:
            raise UsageError(f"there is no flow {flow!r}{_instead(flow, named, list(pages))}")
        (flow,) = named
    text = Path(pages[flow].path).read_text(encoding="utf-8")
    with open_output(None) as output:
        output.text("".join(f"{escape(line)}\n" for line in text.splitlines()))


def _instead(flow: str, named: list[str], known: list[str]) -> str:
    short = {identifier.partition("/")[2]: identifier for identifier in known}
    close = named or difflib.get_close_matches(flow, known, n=3)
    close = close or [short[name] for name in difflib.get_close_matches(flow.rpartition("/")[2], list(short), n=3)]
    return f"; did you mean {' or '.join(close)}?" if close else ": `analyzer flows` lists them"


def _as_json(page: Page) -> dict[str, str | None]:
    fields = ("id", "scope", "title", "standard", "drawn_in_article", "prose", "mermaid")
    return {field: getattr(page, field) for field in fields}


def _table(pages: Sequence[Page], width: int) -> str:
    """Titles are for people and stay whole as long as they can: the column of standards goes first."""
    from tabulate import tabulate

    rows = [["id", "article", "standard", "title"]]
    rows += [[escape(text or "") for text in (p.id, p.drawn_in_article, p.standard, p.title)] for p in pages]
    if sum(widths := _widths(rows)) + 2 * len(widths) - 2 > width:
        rows = [[*row[:2], row[3]] for row in rows]
    *before, _ = _widths(rows)
    rows = [[*row[:-1], words.shorten(row[-1], max(5, width - sum(before) - 2 * len(before)))] for row in rows]
    dashes = ["-" * cells for cells in _widths(rows)]
    table = tabulate([rows[0], dashes, *rows[1:]], tablefmt="plain", disable_numparse=True)
    return "".join(line.rstrip() + "\n" for line in table.splitlines())


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(map(words.cells, column)) for column in zip(*rows, strict=True)]
