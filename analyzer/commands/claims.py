"""`analyzer claims`: the claims of the article the project grew out of, held against captures."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import click

from analyzer.commands.inputs import (
    authorities_option,
    captures_in,
    ends_on_interrupt,
    key_files,
    keys_option,
    refuse_to_overwrite,
)
from analyzer.commands.terminal import Progress, open_output, say
from analyzer.errors import InputError, UsageError

if TYPE_CHECKING:
    from analyzer import pipeline
    from analyzer.reporter.claims.article import Claims

_INTERRUPTED = 130

_EPILOG = """\b
Examples:
  analyzer claims web.pcapng
  analyzer claims --keys keys.log http1.pcapng http2.pcapng     side by side
  analyzer claims --format markdown -o claims.md captures/

\b
Verdicts:
  supported      the captures show that it is so
  contradicted   they show that it is not
  not seen       they show neither

Exit codes: 0 all fine, 2 wrong usage, 3 an input could not be read,
130 interrupted.
"""


@click.command(epilog=_EPILOG)
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="Text as wide as the terminal, JSON, or Markdown.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, whole or not at all.")
@keys_option
@authorities_option
@click.pass_context
def claims(
    ctx: click.Context,
    captures: tuple[str, ...],
    form: str,
    output: str | None,
    keys: tuple[str, ...],
    authorities: str | None,
) -> None:
    """Check what an article claimed about TCP, TLS, HTTP/1.1 and HTTP/2, and
    measure HTTP/1.1 against HTTP/2.

    FILE is a pcap or pcapng file, a folder of them, or - for standard input. Several are looked at together.
    """
    from analyzer import pipeline
    from analyzer.reporter.claims.article import Claims
    from analyzer.reporter.claims.writing import as_json, as_markdown, as_text

    if captures.count("-") > 1:
        raise UsageError("standard input can be read only once: give - once")
    # The values of header fields are compared, and never shown.
    options = pipeline.Options(keys=key_files(keys), authorities=authorities, headers=True, secrets=True)
    unreadable = False

    def cannot_read(error: InputError) -> None:
        nonlocal unreadable
        unreadable = True
        say(str(error))

    found = captures_in(captures, "claims", cannot_read)
    refuse_to_overwrite(output, found)
    claims, progress = Claims(), Progress(wanted=True)
    interrupts: list[str] = []
    with open_output(output) as file:
        read = 0
        for path in found:
            try:
                with ends_on_interrupt(path, functools.partial(interrupts.append, path)):
                    _read(path, options, claims, progress)
                read += 1
            except InputError as error:
                cannot_read(error)
            if interrupts:
                break
        if not read:
            ctx.exit(InputError.exit_code)  # nothing is written
        report = claims.report()
        if form == "json":
            file.bytes(as_json(report))
        elif form == "markdown":
            file.text(as_markdown(report))
        else:
            file.text(as_text(report, width=file.width, colour=file.colour("auto"), several=len(found) > 1))
    if interrupts:
        say("interrupted: this is what was finished so far")
        ctx.exit(_INTERRUPTED)
    ctx.exit(InputError.exit_code if unreadable else 0)


def _read(path: str, options: pipeline.Options, claims: Claims, progress: Progress) -> None:
    from analyzer import pipeline

    shown = "standard input" if path == "-" else path
    analysis = pipeline.analyze(path, options)
    with contextlib.closing(analysis), progress.of(analysis, shown):
        try:
            for connection in analysis:
                claims.add(connection)
        finally:
            for warning in analysis.warnings:
                with progress.hidden():
                    say(f"{shown}: warning: {warning.message}")
