"""`analyzer check`: captures held against what is expected of them. Only the options; `checking` does it."""

from __future__ import annotations

import click

from analyzer.commands.terminal import open_output, say
from analyzer.errors import InputError, UsageError

_EPILOG = """\b
Examples:
  analyzer check captures/
  analyzer check captures/login/expect.yaml        a single one
  analyzer check --format junit -o report.xml captures/
  analyzer check --update captures/new/            writes its expect.yaml

\b
A folder with expectations has a capture, an expect.yaml, and if need be a
keys.log or server.key to decrypt it. All that is not named is not compared:
  match: server_port                   or server_name; else by order
  connections:
    - server_port: 443
      tls: {version: TLS 1.3, alpn: {any_of: [h2, http/1.1]}}
      http: {exchanges: {length: ">=3", each: {response: {status: 200}}}}
    - where: server.port=80 method=GET     as in read --filter
      count: "1..3"                        1 if it is not said
      close: {outcome: documented}
  totals: {connections: 3}
  claims: {C3: contradicted}             as `analyzer claims` judges
Keys are those of read --format jsonl.

Exit codes: 0 all as expected, 1 something is not, 2 wrong usage or an
expect.yaml that cannot be used, 3 an input could not be read.
"""


@click.command(epilog=_EPILOG)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "junit", "json", "github"]),
    default="text",
    show_default=True,
    help="Text, JUnit XML, JSON, or annotations for GitHub Actions.",
)
@click.option(
    "--update",
    is_flag=True,
    help="Write what was seen into each expect.yaml that does not fit, comments kept, and a new one beside a capture "
    "that has none.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Check N captures at a time, each in a process of its own.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, whole or not at all.")
@click.pass_context
def check(ctx: click.Context, paths: tuple[str, ...], form: str, update: bool, jobs: int, output: str | None) -> None:
    """Hold captures against the expectations beside them.

    PATH is a folder that is searched for every expect.yaml with a capture beside it, or a file in such a folder.
    """
    from analyzer.commands import checking
    from analyzer.commands.inputs import refuse_to_overwrite
    from analyzer.reporter.outputs import checks

    if update and form != "text":
        raise UsageError(f"--update is for people to read: leave out --format {form}")
    results = list(checking.check(paths, lambda error: say(str(error)), jobs=jobs, update=update))
    refuse_to_overwrite(output, [path for one in results for path in (one.capture, one.file) if path])
    with open_output(output) as file:
        if form == "junit":
            file.bytes(checks.as_junit(results))
        elif form == "json":
            file.bytes(checks.as_json(results))
        elif form == "github":
            file.text(checks.as_annotations(results))
        else:
            file.text(checks.as_text(results, width=file.width))
    outcomes = {result.outcome for result in results}
    ctx.exit(InputError.exit_code if "unreadable" in outcomes else 1 if "failed" in outcomes else 0)
