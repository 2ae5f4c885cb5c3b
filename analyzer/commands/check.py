"""`analyzer check`: captures held against what is expected of them. Only the options; `checking` does it."""

from __future__ import annotations

import click

from analyzer.commands.inputs import key_files, keys_option
from analyzer.commands.terminal import open_output, say
from analyzer.errors import InputError, UsageError

_EPILOG = """\b
Examples:
  analyzer check captures/
  analyzer check captures/login/expect.yaml        a single one
  analyzer check --format junit -o report.xml captures/
  analyzer check --update captures/new/            writes its expect.yaml
  analyzer check --flows flows/ login.pcapng       flow pages of your own

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
@click.option(
    "--flows",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Instead of expect.yaml: hold the captures against the flow pages in DIR (repeatable).",
)
@keys_option
@click.pass_context
def check(
    ctx: click.Context,
    paths: tuple[str, ...],
    form: str,
    update: bool,
    jobs: int,
    output: str | None,
    folders: tuple[str, ...],
    keys: tuple[str, ...],
) -> None:
    """Hold captures against the expectations beside them, or against flow pages of your own.

    PATH is a folder that is searched for every expect.yaml with a capture beside it, or a file in such a folder. With
    --flows it is a capture, or a folder that is searched for captures.
    """
    if folders:
        from analyzer.commands.conforming import run

        if update or jobs > 1:
            raise UsageError("--update and --jobs are for expect.yaml, not for --flows")
        ctx.exit(run(folders, paths, key_files(keys), form, output))
    if keys:
        raise UsageError("--keys is for --flows: for expect.yaml, put them beside the capture as keys.log")
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
