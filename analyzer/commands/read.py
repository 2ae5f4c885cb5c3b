"""`analyzer read`: captures in, verdicts on every connection out. Only the options; `reading` does it."""

from __future__ import annotations

import os
import textwrap
from typing import Any

import click

from analyzer.commands.formats import BY_ENDING, FORMS
from analyzer.commands.inputs import (
    authorities_option,
    capture_filter_option,
    color_option,
    flows_option,
    keys_option,
    width_option,
)
from analyzer.commands.values import Duration, Filter, Outcomes, Time
from analyzer.reporter.filters import FIELDS

_FIELDS = textwrap.fill(", ".join(FIELDS), 76, initial_indent="  ", subsequent_indent="  ")

_EPILOG = f"""\b
Examples:
  analyzer read web.pcapng                       a line for every connection
  analyzer read -v --filter id=3 web.pcapng      the evidence for one of them
  analyzer read -o report.html web.pcapng        a page with diagrams
  analyzer read captures/ more.pcap.gz           several captures, folders too
  analyzer read --merge eth0.pcap eth1.pcap      several as one capture
  tcpdump -U -w - | analyzer read -              while packets flow
  analyzer read --format jsonl web.pcapng | jq .close.flow
  analyzer read --format zeek -o logs/ web.pcapng  conn.log, ssl.log …
  analyzer read -o web.parquet web.pcapng        for DuckDB and pandas
  analyzer read --filter 'close=*reset* server.port=443' web.pcapng
  analyzer read -f 'host 10.0.0.1' --from +10s --to +20s web.pcapng
  analyzer read --quiet --fail-on diverged web.pcapng     for scripts
  analyzer read --filter 'close=reset*' --fail-on variant web.pcapng
  analyzer read --filter 'open=refused' --fail-on variant web.pcapng

\b
Outcomes of an opening, a closing, of HTTP or of a whole connection:
  documented   it follows a flow that is drawn in the article the project
               grew out of; F1, F3 are that article's figures
  variant      it follows another flow that a standard documents: resets and
               refusals do
  diverged     it follows none
  incomplete   the capture or the connection ended before it was over
  unseen       the capture does not show it

\b
Filters: terms FIELD=VALUE, all of which must hold. | separates alternatives,
* and ? are globs, addresses may be networks, numbers compare with < <= > >=,
!= is the opposite of =. Durations are in seconds or have a unit (ns us ms s
m min h), here as in --from and --linger; bytes may have one, too (kB MB GB).
  server.port=443|8443      client.address=10.0.0.0/8   address=2001:db8::1
  open=refused              close=tcp-close/reset*      closed_by=server
  outcome=diverged          close.outcome!=documented   cause=mid-stream
  http=keep-alive           method=POST status>=500     target=/api/*
  rtt>100ms   duration>=2s  bytes>1MB   packets<5       retransmissions>0
The fields:
{_FIELDS}

\b
Exit codes: 0 all fine, 1 --fail-on found something, 2 wrong usage,
3 an input could not be read (with --strict: or is damaged), 130 interrupted.
"""


@click.command(epilog=_EPILOG)
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="What to print: a table and a summary, JSON Lines (see `analyzer schema`), CSV, a page for browsers, "
    "Markdown, diagrams, HTTP Archive, Zeek's conn, ssl and http logs in JSON (three files with -o FOLDER/), Elastic "
    "Common Schema, or Parquet.  [default: table; with -o by the ending: .html, .md, .mmd, .har, .parquet]",
)
@click.option("-v", "--verbose", is_flag=True, help="The evidence for each connection, packet by packet.")
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="No table, summary or progress bar: only warnings and errors, and what -o or a --format ask for.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, whole or not at all.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    type=Filter(),
    metavar="EXPR",
    help="Only connections for which EXPR holds (repeatable: all must hold).",
)
@capture_filter_option
@click.option(
    "--from",
    "time_from",
    type=Time(),
    metavar="TIME",
    help="Only packets from TIME on: 2026-11-22T12:00:00Z, or +10s (+250ms, +1m30s) after the first packet.",
)
@click.option("--to", "time_to", type=Time(), metavar="TIME", help="Only packets up to TIME.")
@click.option(
    "--fail-on",
    multiple=True,
    type=Outcomes(),
    metavar="OUTCOME[,...]",
    help="Exit with 1 if an opening, a closing, HTTP or a whole life comes out so: documented, variant, diverged, "
    "incomplete or unseen.",
)
@click.option("--tcp-only", is_flag=True, help="Do not look into connections: openings and closings only, faster.")
@click.option("--headers", is_flag=True, help="List the HTTP header fields, with -v, --format jsonl or html.")
@click.option(
    "--show-secrets",
    is_flag=True,
    help="With --headers: also the values of Authorization, Cookie, Proxy-Authorization and Set-Cookie.",
)
@click.option(
    "--redact",
    is_flag=True,
    help="Replace addresses, names, targets, header values and certificates, the same by the same, in whatever is "
    "printed; packet numbers, times, sizes and verdicts stay.",
)
@click.option(
    "--redact-key",
    metavar="TEXT",
    envvar="ANALYZER_REDACT_KEY",
    help="Redact, and in every run with the same key alike. Who knows it can check guesses.",
)
@click.option(
    "--merge", is_flag=True, help="All FILEs are one capture, in the order of time: rotated ones, or one per interface."
)
@click.option("--strict", is_flag=True, help="Exit with 3 if a capture is damaged or cut off.")
@click.option(
    "--count-checksums",
    is_flag=True,
    help="Look at the checksums of TCP and IPv4, and count those that are wrong.",
)
@click.option(
    "--verify-checksums",
    is_flag=True,
    help="And leave out the segments that have a wrong one, as their receivers do.",
)
@click.option("--vlan-key", is_flag=True, help="Tell connections with equal addresses in different VLANs apart.")
@flows_option
@keys_option
@authorities_option
@click.option(
    "--linger",
    type=Duration(),
    metavar="DURATION",
    help="A closed connection is reported 2 s after its end, in capture time, and remembered for DURATION, so that yet "
    "later segments are known to be its.  [default: 60s]",
)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    metavar="N",
    help="Connections held at a time; the one idle longest goes first, and says so.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Read in N processes: captures at a time or, if there are fewer, the connections of a large one.",
)
@color_option
@width_option
@click.pass_context
def read(ctx: click.Context, /, **given: Any) -> None:
    """Label how every TCP connection in captures opened and closed, and which TLS
    and HTTP/1 it carried, on any port.

    FILE is a pcap or pcapng file, also compressed (gzip, xz, bzip2, zstd, lz4), a folder of them, or - for standard
    input.
    """
    from analyzer.commands.reading import Reading, Settings

    if given["form"] is None:
        given["form"] = BY_ENDING.get(os.path.splitext(given["output"] or "")[1].lower(), "table")
    ctx.exit(Reading(Settings(**given)).run())
