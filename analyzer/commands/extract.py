"""`analyzer extract`: the bodies of HTTP messages as files. Only the options; `extracting` does it."""

from __future__ import annotations

import click

from analyzer.commands.choosing import chosen_options
from analyzer.commands.inputs import key_files, keys_option

_EPILOG = """\b
Examples:
  analyzer extract web.pcapng -o bodies
  analyzer extract web.pcapng -o bodies --decode --connection 3
  analyzer extract web.pcapng -o bodies --keys keys.log --where 'status=200'
  jq -r 'select(.whole) | .file' bodies/index.jsonl

What is in these files came from whoever sent it: they are not safe to open because they are files now.
"""


@click.command(epilog=_EPILOG)
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
@click.option("-o", "--output", metavar="DIR", required=True, help="The folder to write to; it is made if need be.")
@chosen_options
@click.option("--decode", is_flag=True, help="Undo content codings: gzip, deflate, br, zstd.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@keys_option
@click.option("--merge", is_flag=True, help="All FILEs are one capture, in the order of time.")
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
def extract(
    captures: tuple[str, ...],
    output: str,
    numbers: tuple[tuple[tuple[int, int], ...], ...],
    filters: tuple,  # type: ignore[type-arg]
    decode: bool,
    force: bool,
    keys: tuple[str, ...],
    merge: bool,
    quiet: bool,
) -> None:
    """Write the bodies of HTTP requests and responses as files, with an index.

    HTTP/1 and HTTP/2, on any port, also in TLS that can be decrypted. Chunks and frames are put together; what is not
    whole in the capture ends with .part. DIR/index.jsonl has a line per file: where it came from, and what it is.
    """
    from analyzer.commands.choosing import Chosen
    from analyzer.commands.extracting import Extraction

    Extraction(
        captures,
        output,
        Chosen(numbers, filters),
        decode=decode,
        force=force,
        keys=key_files(keys),
        merge=merge,
        quiet=quiet,
    ).run()
