"""`analyzer slice`: the packets of some connections, as a capture of their own. Only the options; `slicing` does it."""

from __future__ import annotations

import click

from analyzer.commands.choosing import chosen_options
from analyzer.commands.inputs import capture_filter_option, key_files, keys_option

_EPILOG = """\b
Examples:
  analyzer slice web.pcapng --connection 3 -o one.pcapng
  analyzer slice web.pcapng --connection 1,3-5 -o some.pcapng
  analyzer slice web.pcapng --where 'close=reset*' -o resets.pcapng
  analyzer slice web.pcapng --connection 3 -o - | analyzer read -v -
  analyzer slice --merge eth0.pcap eth1.pcap --connection 3 -o one.pcapng

The numbers are those of `analyzer read` with the same FILEs, --merge, --vlan-key and --capture-filter. With
--keys the secrets of these connections go into the file: who has it can read what they say.
"""


@click.command(epilog=_EPILOG)
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@chosen_options
@click.option(
    "-o", "--output", metavar="FILE", required=True, help="The pcapng file to write, whole or not at all; - for a pipe."
)
@keys_option
@click.option("--no-secrets", is_flag=True, help="Leave TLS secrets out, also those that FILE holds.")
@click.option("--merge", is_flag=True, help="All FILEs are one capture, in the order of time.")
@click.option("--vlan-key", is_flag=True, help="Tell connections with equal addresses in different VLANs apart.")
@capture_filter_option
@click.option("--redact", is_flag=True, hidden=True)
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
def slice(  # as the command is called
    captures: tuple[str, ...],
    numbers: tuple[tuple[tuple[int, int], ...], ...],
    filters: tuple,  # type: ignore[type-arg]
    output: str,
    keys: tuple[str, ...],
    no_secrets: bool,
    merge: bool,
    vlan_key: bool,
    capture_filter: str | None,
    redact: bool,
    quiet: bool,
) -> None:
    """Write the packets of some connections as a pcapng file: what came in tunnels and in fragments, and the ICMP
    errors about them, included.

    Times, lengths and interfaces stay as they are; a comment on each packet says which one it was. FILE is read two or
    three times, so it cannot be a pipe.
    """
    from analyzer.commands.choosing import Chosen
    from analyzer.commands.slicing import Slicing

    Slicing(
        captures,
        Chosen(numbers, filters),
        output,
        keys=() if no_secrets else key_files(keys),
        secrets=not no_secrets,
        merge=merge,
        vlan_key=vlan_key,
        capture_filter=capture_filter,
        redact=redact,
        quiet=quiet,
    ).run()
