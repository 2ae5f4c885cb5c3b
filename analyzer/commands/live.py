"""`analyzer live`: packets from an interface in, events and verdicts out. Only the options; `sniffing` does it."""

from __future__ import annotations

from typing import Any

import click

from analyzer.commands.inputs import authorities_option, capture_filter_option, color_option, flows_option, width_option
from analyzer.commands.values import Duration, Filter, GrowingKeys, Rotation, Size

_LARGEST_SNAPLEN = 262_144

_EPILOG = """\b
Examples:
  sudo analyzer live -i eth0                       a table that keeps its place
  sudo analyzer live -i eth0 --plain               a line per event
  sudo analyzer live -i eth0 -i eth1 -f 'port 443' --keys ~/tls.log
  sudo analyzer live -i any --format jsonl --no-events | jq .close.flow
  sudo analyzer live -i eth0 -w seen.pcapng --ring 10x100MB --duration 8h
  analyzer live --source dumpcap -i eth0           with dumpcap's rights
  ssh host tcpdump -U -w - | analyzer live -

\b
Ctrl-C or SIGTERM ends it: connections that are open are reported as
incomplete, and totals and drops are printed. A second Ctrl-C stops at once.

\b
Exit codes: 0 it was ended, or a limit was reached; 1 packets could not be
saved; 2 wrong usage, or a wrong capture filter; 4 it could not start;
130 stopped at once; 141 the reader of the output has gone.
"""


@click.command(epilog=_EPILOG)
@click.argument("pipe", required=False, metavar="[-]")
@click.option(
    "-i",
    "--interface",
    "interfaces",
    multiple=True,
    metavar="NAME",
    help="Where to capture (repeatable); `any` is all interfaces. `analyzer interfaces` lists them.",
)
@capture_filter_option
@click.option(
    "-s",
    "--snaplen",
    type=click.IntRange(min=64, max=_LARGEST_SNAPLEN),
    default=_LARGEST_SNAPLEN,
    metavar="BYTES",
    help="Keep so many bytes of a packet. What is cut off cannot be looked into.",
)
@click.option("-p", "--no-promiscuous", is_flag=True, help="Only packets that are for this machine anyway.")
@click.option("-c", "--packets", type=click.IntRange(min=1), metavar="N", help="End after N packets.")
@click.option("--duration", type=Duration(), metavar="DURATION", help="End after so long: 30s, 8h.")
@click.option("-w", "--write", metavar="FILE", help="Save what is seen as pcapng.")
@click.option("--ring", type=Rotation(), metavar="NxSIZE", help="With -w: N files of SIZE, the oldest goes: 10x100MB.")
@click.option(
    "--source",
    type=click.Choice(["scapy", "dumpcap", "tshark"]),
    default="scapy",
    show_default=True,
    help="Who captures: a raw socket of scapy's, or a program that is run as a child.",
)
@click.option(
    "-B",
    "--buffer",
    type=Size(),
    metavar="SIZE",
    help="Room for packets that wait to be looked at.  [default: 32MB]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    default="table",
    show_default=True,
    help="What to print: for people, or JSON Lines: one object per event and per finished connection.",
)
@click.option("--plain", is_flag=True, help="A line per event, also on a terminal.")
@click.option("--no-events", is_flag=True, help="Finished connections only, not each step as it happens.")
@click.option("-q", "--quiet", is_flag=True, help="Only warnings, and what -w or --format jsonl ask for.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    type=Filter(),
    metavar="EXPR",
    help="Only connections for which EXPR holds, see `read --help` (repeatable). Events are not told then.",
)
@click.option(
    "--keys",
    multiple=True,
    type=GrowingKeys(),
    metavar="FILE",
    help="Decrypt TLS while it runs: a key log, which may still grow or come into being, or an RSA key in PEM "
    "(repeatable). The file that SSLKEYLOGFILE names is used without asking.",
)
@authorities_option
@click.option("--tcp-only", is_flag=True, help="Do not look into connections: openings and closings only, faster.")
@click.option("--headers", is_flag=True, help="List the HTTP header fields, with --format jsonl.")
@click.option("--show-secrets", is_flag=True, help="With --headers: also the values that hold secrets.")
@click.option("--vlan-key", is_flag=True, help="Tell connections with equal addresses in different VLANs apart.")
@flows_option
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    metavar="N",
    help="Connections held at a time; the one idle longest goes first, and says `evicted`.  [default: 1000000]",
)
@click.option(
    "--idle-timeout",
    type=Duration(),
    metavar="DURATION",
    help="A connection without a packet for so long goes, too, and says `evicted`.  [default: never]",
)
@click.option(
    "--opening-timeout",
    type=Duration(),
    metavar="DURATION",
    help="The same for one that is not open yet: SYNs that nobody answers.  [default: never]",
)
@click.option("--linger", type=Duration(), metavar="DURATION", help="As for `read`.  [default: 60s]")
@color_option
@width_option
@click.pass_context
def live(ctx: click.Context, /, **given: Any) -> None:
    """Label connections while they happen: each one's opening, TLS handshake, exchanges and close, with its verdict.

    Captures on an interface (-i), or reads a capture that somebody else sends through a pipe (-).
    """
    from analyzer.commands.sniffing import Settings, Sniffing

    ctx.exit(Sniffing(Settings(**given)).run())
