"""`analyzer diff`: what changed between two recordings."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from analyzer.commands.inputs import key_files, keys_option, refuse_to_overwrite
from analyzer.commands.terminal import Progress, open_output, say
from analyzer.commands.values import Duration, Share
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analyzer import model
    from analyzer.reporter.diff.summaries import Summary

_DIFFERENT = 1

_EPILOG = """\b
Examples:
  analyzer diff before.pcapng after.pcapng
  analyzer diff --ignore 'tls.certificates.*' --keys keys.log old.pcapng new.pcapng
  analyzer diff --threshold 20% --floor 5ms old.pcapng new.pcapng
  analyzer read --format jsonl old.pcapng > old.jsonl; analyzer diff old.jsonl new.pcapng

\b
Connections belong together if they have the same endpoints; else those to the
same server, or to the same port, with the same requests, the most similar ones,
or in order. Ports, times and packet numbers are not compared.

Exit codes: 0 no difference, 1 there are differences, 2 wrong usage, 3 an input
could not be read, 130 interrupted.
"""


@click.command(epilog=_EPILOG)
@click.argument("old", metavar="OLD", type=click.Path(allow_dash=True))
@click.argument("new", metavar="NEW", type=click.Path(allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Old and new side by side, JSON, or Markdown tables.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, whole or not at all.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="GLOB",
    help="Leave out names that are like GLOB, as they are printed: 'tls.certificates.*', '*.body_bytes' (repeatable).",
)
@click.option(
    "--threshold",
    type=Share(),
    metavar="SHARE",
    help="Compare times, too: those are different that moved by more than SHARE, such as 20%.",
)
@click.option(
    "--floor",
    type=Duration(),
    default="1ms",
    show_default=True,
    metavar="DURATION",
    help="With --threshold: and by more than DURATION.",
)
@keys_option
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)
@click.pass_context
def diff(
    ctx: click.Context,
    old: str,
    new: str,
    form: str,
    output: str | None,
    ignore: tuple[str, ...],
    threshold: float | None,
    floor: int,
    keys: tuple[str, ...],
    color: str,
) -> None:
    """Compare two recordings by what is said of their connections: flows and
    outcomes, TLS, certificates, exchanges and statuses, faults.

    OLD and NEW are captures, or reports (read --format jsonl); one of them may be - for standard input.
    """
    from analyzer.reporter.diff.comparing import Settings, compare
    from analyzer.reporter.outputs.diffs import as_json, as_markdown, as_text

    if old == new == "-":
        raise UsageError("standard input can be read only once: give - once")
    refuse_to_overwrite(output, [old, new])
    progress, files = Progress(wanted=True), key_files(keys)
    before, after = (_summaries(path, files, progress) for path in (old, new))
    comparison = compare((old, before), (new, after), Settings(ignore, threshold, floor))
    with open_output(output) as file:
        if form == "json":
            file.bytes(as_json(comparison))
        elif form == "markdown":
            file.text(as_markdown(comparison))
        else:
            file.text(as_text(comparison, width=file.width, colour=file.colour(color)))
    ctx.exit(0 if comparison.same else _DIFFERENT)


def _summaries(path: str, keys: tuple[str, ...], progress: Progress) -> list[Summary]:
    """The connections of a capture or of a report, in order of their first packets."""
    from analyzer.reporter.diff.summaries import summarize

    found = [summarize(connection) for connection in _connections(path, keys, progress)]
    return sorted(found, key=lambda one: one.id)


def _connections(path: str, keys: tuple[str, ...], progress: Progress) -> Iterator[model.Connection]:
    from analyzer import pipeline
    from analyzer.commands.reports import open_either, read_report

    shown = "standard input" if path == "-" else path
    with open_either(path, "diff") as (file, is_report):
        if is_report:
            assert not isinstance(file, str)
            yield from read_report(file, shown)
            return
        analysis = pipeline.analyze(file, pipeline.Options(keys=keys))
        with contextlib.closing(analysis), progress.of(analysis, shown):
            yield from analysis
        for warning in analysis.warnings:
            say(f"{shown}: warning: {warning.message}")
