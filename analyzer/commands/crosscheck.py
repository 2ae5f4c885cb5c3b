"""`analyzer crosscheck`: what this program says of a capture, beside what Wireshark's dissectors say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from analyzer.commands.inputs import captures_in, key_files, keys_option, refuse_to_overwrite
from analyzer.commands.terminal import Output, open_output, say
from analyzer.commands.values import Duration
from analyzer.errors import InputError, UsageError

if TYPE_CHECKING:
    from analyzer.commands.crosschecking import Settings
    from analyzer.reporter.outputs.crosschecks import JsonWriter, Tally

_DISAGREE = 1
_RULE = re.compile(r"[a-z0-9_.]+==[^,\s]+,[a-z0-9_.-]+")

_EPILOG = """\b
Examples:
  analyzer crosscheck web.pcapng
  analyzer crosscheck --keys keys.log https.pcapng
  analyzer crosscheck --decode-as tcp.port==8443,tls odd-port.pcapng

\b
Marks:
  ✓  both say the same
  ~  they differ for a known reason, which is told
  ✗  they differ, and nobody knows why: look at the packets

Exit codes: 0 no unexplained difference, 1 there is one, 2 wrong usage, 3 an
input could not be read, by one of the two, or tshark is not there or failed.
"""


@click.command(epilog=_EPILOG)
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Text, connection by connection, or JSON.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, whole or not at all.")
@click.option("--differences", is_flag=True, help="Leave out connections in which both agree on everything. Text only.")
@keys_option
@click.option(
    "--decode-as",
    multiple=True,
    metavar="RULE",
    help="Tell tshark which protocol a port speaks, as its -d does: tcp.port==8443,tls (repeatable). Ports where only "
    "TLS, or only HTTP/2 without TLS, was found are told without asking.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default="60",
    metavar="DURATION",
    help="End tshark when it has printed nothing for so long.  [default: 60s]",
)
@click.pass_context
def crosscheck(
    ctx: click.Context,
    captures: tuple[str, ...],
    form: str,
    output: str | None,
    differences: bool,
    keys: tuple[str, ...],
    decode_as: tuple[str, ...],
    timeout: int,
) -> None:
    """Get a second opinion: read captures with Wireshark's dissectors, too (tshark,
    run by pyshark), and tell per connection where the two agree and differ.

    FILE is a pcap or pcapng file, a folder of them, or - for standard input.
    """
    for rule in decode_as:
        if not _RULE.fullmatch(rule):
            raise UsageError(f"--decode-as {rule}: write it like tcp.port==8443,tls")
    if captures.count("-") > 1:
        raise UsageError("standard input can be read only once: give - once")
    if timeout <= 0:
        raise UsageError("--timeout 0: tshark needs some time")
    # Only now: pyshark takes a while to import.
    from analyzer.commands.crosschecking import Settings
    from analyzer.reporter.crosscheck.tshark import tshark_path
    from analyzer.reporter.outputs.crosschecks import JsonWriter, Tally, totals_as_text

    tshark_path()  # or say at once that there is none
    settings = Settings(key_files(keys), decode_as, timeout / 1e9)
    unreadable = False

    def cannot_read(error: InputError) -> None:
        nonlocal unreadable
        unreadable = True
        say(str(error))

    found = captures_in(captures, "crosscheck", cannot_read)
    refuse_to_overwrite(output, found)
    tally, writer = Tally(), JsonWriter() if form == "json" else None
    with open_output(output) as file:
        for number, path in enumerate(found):
            title = f"{chr(10) if number else ''}{path}\n" if len(found) > 1 else ""
            try:
                _one(path, settings, file, writer, tally, title=title, brief=differences)
            except InputError as error:
                cannot_read(error)
        if writer is not None:
            file.bytes(writer.finish(tally))
        elif tally.connections:
            file.text(f"{chr(10) if len(found) > 1 else ''}{totals_as_text(tally)}")
    ctx.exit(InputError.exit_code if unreadable else _DISAGREE if tally.unexplained else 0)


def _one(
    path: str, settings: Settings, file: Output, writer: JsonWriter | None, tally: Tally, *, title: str, brief: bool
) -> None:
    from analyzer.commands.crosschecking import Crosscheck, as_file
    from analyzer.reporter.escape import escape
    from analyzer.reporter.outputs.crosschecks import as_text

    shown = "standard input" if path == "-" else path
    with as_file(path) as readable:
        checking = Crosscheck(readable, settings)
        if writer is None:
            file.text("\n".join(escape(line) for line in title.split("\n")))
        else:
            file.bytes(writer.begin(shown, checking.told))
        try:
            for checked in checking:
                tally.add(checked)
                if writer is not None:
                    file.bytes(writer.connection(checked))
                elif checked.disagreements or not brief:
                    file.text(as_text(checked))
        finally:
            if writer is not None:
                file.bytes(writer.end(checking.warnings))
    for warning in checking.warnings:
        say(f"{shown}: warning: {warning}")
