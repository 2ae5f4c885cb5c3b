"""What `analyzer read --format` can be: each form with its output."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final, Protocol

import analyzer
from analyzer.commands.terminal import Output, whole_file
from analyzer.errors import UsageError

if TYPE_CHECKING:
    from analyzer import model
    from analyzer.commands.reading import Settings
    from analyzer.reporter.outputs.summary import Summary

FORMS: Final = ("table", "jsonl", "csv", "html", "markdown", "mermaid", "har", "zeek", "ecs", "parquet")
# What -o asks for by the ending of its file, if --format asks for nothing.
BY_ENDING: Final = {
    ".html": "html", ".htm": "html", ".parquet": "parquet", ".har": "har", ".md": "markdown", ".mmd": "mermaid",
}  # fmt: skip
_BINARY: Final = ("parquet",)  # what no terminal shows


class Report(Protocol):
    """An output: takes connections, and may hold some back until `finish`."""

    def add(self, connection: model.Connection) -> None: ...

    def finish(self) -> None: ...


class _Nothing:
    """The report of `--quiet`."""

    def add(self, connection: model.Connection) -> None:
        pass

    def finish(self) -> None:
        pass


def in_folder(settings: Settings) -> bool:
    """Whether the output is several files in a folder."""
    output = settings.output
    return settings.form == "zeek" and output is not None and (output.endswith("/") or os.path.isdir(output))


def report_of(
    settings: Settings, output: Output, captures: list[str], live: bool, files: contextlib.ExitStack
) -> tuple[Report, Summary | None]:
    """The report that was asked for, and the summary that is printed below it, if one is. `files`: what the report
    writes to besides `output`. Raises UsageError."""
    from analyzer import pipeline

    if settings.form in _BINARY and output.terminal:
        raise UsageError(f"--format {settings.form} is no text: give it a name, as -o report.{settings.form}")
    if settings.form == "jsonl":
        from analyzer.reporter.outputs.jsonl import JsonLines

        return JsonLines(output.bytes, live), None
    if settings.form == "csv":
        from analyzer.reporter.outputs.csv import Csv

        return Csv(output.text, live), None
    if settings.form == "html":
        from analyzer.reporter.outputs.html import Html

        if output.terminal:
            raise UsageError("--format html is a page for browsers: give it a name, as -o report.html")
        library, show = pipeline.library_of(settings.flows), (settings.headers, settings.show_secrets)
        page = Html(
            output.text,
            library,
            captures=len(captures),
            headers=show[0],
            secrets=show[1],
            version=analyzer.__version__,
        )
        return page, None
    if settings.form == "ecs":
        from analyzer.reporter.outputs.ecs import Ecs

        return Ecs(output.bytes, live), None
    if settings.form == "zeek":
        from analyzer.reporter.outputs.zeek import LOGS, Zeek

        if (folder := settings.output) is None or not in_folder(settings):
            return Zeek(dict.fromkeys(LOGS, output.bytes), together=True, live=live), None
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(f"cannot make {folder}: {reason}: choose another place with -o") from error
        logs = {log: files.enter_context(whole_file(os.path.join(folder, f"{log}.log"))).write for log in LOGS}
        return Zeek(logs, together=False), None
    if settings.form == "har":
        from analyzer.reporter.outputs.har import Har

        return Har(output.bytes, analyzer.__version__), None
    if settings.form == "mermaid":
        from analyzer.reporter.outputs.mermaid import Mermaid

        return Mermaid(output.text, several=len(captures) > 1), None
    if settings.form == "markdown":
        from analyzer.reporter.outputs.markdown import Markdown

        return Markdown(output.text, captures), None
    if settings.form == "parquet":
        from analyzer.reporter.outputs.parquet import Parquet

        return Parquet(output.bytes), None
    if settings.quiet and not settings.output:
        return _Nothing(), None
    from analyzer.reporter.outputs.summary import Summary

    verbose, several = settings.verbose, len(captures) > 1
    width, colour = settings.width or output.width, output.colour(settings.color)
    report: Report
    if verbose:
        from analyzer.reporter.outputs.evidence import Evidence

        library = pipeline.library_of(settings.flows)
        report = Evidence(output.text, width=width, colour=colour, several=several, library=library)
    else:
        from analyzer.reporter.outputs.table import Table

        report = Table(output.text, width=width, colour=colour, captures=captures, live=live)
    summary = Summary(width=width, colour=colour, captures=len(captures), below_evidence=verbose)
    return report, None if settings.quiet else summary
