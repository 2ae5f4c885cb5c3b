"""`analyzer decrypt`: a capture with the secrets that decrypt it inside."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from analyzer.commands.inputs import key_files, keys_option, refuse_to_overwrite
from analyzer.commands.terminal import Progress, open_output, say
from analyzer.errors import AnalyzerError, UsageError
from analyzer.reporter import words

if TYPE_CHECKING:
    from analyzer import model

_REASONS = 5  # told why connections were not decrypted

_EPILOG = """\b
Examples:
  analyzer decrypt web.pcapng --keys keys.log -o open.pcapng
  SSLKEYLOGFILE=keys.log analyzer decrypt web.pcap -o open.pcapng
  analyzer decrypt old.pcap --keys server.key -o open.pcapng

Wireshark and analyzer read the result without further keys. Who has it can read everything: send it
only to people who may.
"""


@click.command(epilog=_EPILOG)
@click.argument("capture", metavar="FILE", type=click.Path())
@click.option("-o", "--output", metavar="FILE", required=True, help="The pcapng file to write, whole or not at all.")
@keys_option
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
def decrypt(capture: str, output: str, keys: tuple[str, ...], quiet: bool) -> None:
    """Write a capture as pcapng with the TLS secrets embedded that decrypt its connections.

    Only secrets that opened something in this capture are embedded, however many the key log has. Those of an RSA key
    are the connections' own: the key itself stays out.
    """
    from analyzer import pipeline
    from analyzer.capture.source import open_bytes, open_capture
    from analyzer.capture.writing import PcapngWriter, copy_frames, copy_pcapng

    if capture == "-":
        raise UsageError("decrypt reads its capture twice, and standard input comes once: save it to a file first")
    refuse_to_overwrite(output, [capture])
    options = pipeline.Options(keys=key_files(keys), collect_secrets=True)
    found, opened, reasons = 0, 0, collections.Counter[str]()
    analysis = pipeline.analyze(capture, options)
    with analysis, Progress(wanted=not quiet).of(analysis, capture):
        for connection in analysis:
            for tls in _tls_of(connection):
                found += 1
                opened += tls.decrypted
                if not tls.decrypted:
                    reasons[tls.decryption or "nothing in it was encrypted"] += 1
        key_log = analysis.key_log()
    if not key_log:
        why = "; ".join(reason for reason, _ in reasons.most_common(_REASONS)) or "it has no TLS connections"
        raise AnalyzerError(f"{capture}: nothing could be decrypted, and {output} was not written: {why}")
    with open_output(output) as file, open_capture(capture) as source:
        if source.format == "pcapng":
            with open_bytes(capture) as content:
                copy_pcapng(content, file.bytes, key_log)
        else:
            writer = PcapngWriter(file.bytes)
            writer.secrets(key_log)
            copy_frames(source, writer)
    if not quiet:
        count = words.plural(key_log.count(b"\n"), "secret")
        say(f"{output}: {opened} of {words.plural(found, 'TLS connection')} can be decrypted with the {count} in it")
        for reason, number in reasons.most_common(_REASONS):
            say(f"  {number} not: {reason}")


def _tls_of(connection: model.Connection) -> Iterator[model.Tls]:
    """The outermost TLS, and another one in a tunnel."""
    if connection.tls:
        yield connection.tls
    inner = connection.tunnel.tls if connection.tunnel else None
    if inner and inner is not connection.tls:
        yield inner
