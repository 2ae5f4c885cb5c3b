"""`analyzer draw`: traffic as a sequence diagram, or as a flow page. Only the options; `drawn` does it."""

from __future__ import annotations

import click

from analyzer.commands.inputs import key_files, keys_option
from analyzer.commands.values import Filter
from analyzer.reporter.filters import Predicate

_EPILOG = """\b
Examples:
  analyzer draw --connection 0 web.pcapng          Mermaid, with packet numbers
  analyzer draw --filter server.port=80 web.pcapng
  analyzer draw --as-flow --connection 3 web.pcapng
  analyzer draw --as-flow --connection 3 -o flows/connection/login.md web.pcapng
  analyzer draw --as-flow --connection 0 --connection 1 web.pcapng
  analyzer check --flows flows/ tomorrow.pcapng    holds traffic against pages
"""


@click.command(epilog=_EPILOG)
@click.argument("capture", metavar="FILE", type=click.Path())
@click.option(
    "--connection",
    "connections",
    multiple=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="The connection with this number, as read prints it (repeatable).",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    type=Filter(),
    metavar="EXPR",
    help="The connections for which EXPR holds, as in read (repeatable: all must hold).",
)
@click.option("--as-flow", is_flag=True, help="A flow page that this traffic follows, for check --flows.")
@click.option(
    "--id", "identifier", metavar="ID", help="The page's id, as connection/login.  [default: from -o, else …/drawn]"
)
@click.option("--title", metavar="TEXT", help="The page's title.")
@keys_option
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, whole or not at all.")
@click.pass_context
def draw(
    ctx: click.Context,
    capture: str,
    connections: tuple[int, ...],
    filters: tuple[Predicate, ...],
    as_flow: bool,
    identifier: str | None,
    title: str | None,
    keys: tuple[str, ...],
    output: str | None,
) -> None:
    """Draw connections as a Mermaid sequence diagram.

    Several connections must be of one client and one server. A diagram shows every step with its packet. With --as-flow
    it becomes a page: what happened without when and where, so that a good run is the documented flow.
    """
    from analyzer.commands.drawn import Wanted, run

    ctx.exit(run(capture, Wanted(connections, filters), as_flow, identifier, title, key_files(keys), output))
