"""A run of `analyzer crosscheck`: a capture read here and by tshark, compared connection by connection."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator

from analyzer import model, pipeline
from analyzer.capture.source import FORMATS, MAGIC_BYTES, is_capture, open_bytes
from analyzer.errors import InputError
from analyzer.reporter import words
from analyzer.reporter.crosscheck import known, tshark
from analyzer.reporter.crosscheck.comparing import Pair, aspects
from analyzer.reporter.crosscheck.streams import Address, Stream, Streams
from analyzer.reporter.outputs.crosschecks import Checked, Item

_PIECE = 1 << 20  # bytes copied at once
_MOST_REMEMBERED = 1000  # connections


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to read. `decode_as`: rules for `tshark -d`; `silence_s`: how long tshark may print nothing."""

    keys: tuple[str, ...] = ()
    decode_as: tuple[str, ...] = ()
    silence_s: float = tshark.SILENCE_S


class Crosscheck:
    """One capture file: iterate over it for the connections, as both are done with them.

    Memory: tshark is read only as far as the analysis is, so that what is held are the streams that are open.
    `warnings`: what was wrong with the file. Raises InputError for what one of the two cannot read.
    """

    def __init__(self, path: str, settings: Settings):
        self.path, self._settings = path, settings
        self.warnings: list[str] = []
        self._seen: dict[frozenset[Address], model.Connection] = {}  # the last one between two ends
        self.told = (*settings.decode_as, *self._ports_to_tell())

    def _options(self) -> pipeline.Options:
        return pipeline.Options(keys=self._settings.keys, headers=True)

    def _ports_to_tell(self) -> list[str]:
        """Servers' ports where TLS is spoken, or HTTP/2 without it, and nothing else. Wireshark expects HTTP/1 on some
        ports whatever comes, and HTTP/2 in the clear nowhere else, so it is told."""
        spoken: dict[int, set[str | None]] = {}
        with contextlib.closing(pipeline.analyze(self.path, self._options())) as analysis:
            for connection in analysis:
                if connection.payload_bytes.client or connection.payload_bytes.server:
                    spoken.setdefault(connection.server.port, set()).add(_spoken(connection))
        return [f"tcp.port=={port},{one}" for port, (one, *others) in sorted(spoken.items()) if one and not others]

    def __iter__(self) -> Iterator[Checked]:
        settings, streams = self._settings, Streams()
        with (
            contextlib.closing(pipeline.analyze(self.path, self._options())) as analysis,
            tshark.packets(self.path, keys=settings.keys, decode_as=self.told, silence_s=settings.silence_s) as reading,
        ):
            packets = iter(reading)
            for connection in analysis:
                while streams.packet < analysis.totals.packets and (fields := next(packets, None)) is not None:
                    streams.add(fields)
                before = self._seen.get(_ends(connection))
                self._remember(connection)
                yield _compare(connection, streams, reading.version, before)
            for fields in packets:
                streams.add(fields)
                if streams.packet > analysis.totals.packets:
                    self.warnings.append(f"tshark reads on after packet {analysis.totals.packets}: not compared")
                    break
            for stream in streams.rest():
                yield _alone(stream, self._seen.get(stream.ends), analysis.totals.too_deep)
            self.warnings += [warning.message for warning in analysis.warnings]
            if reading.warning is not None:
                self.warnings.append(f"tshark: {reading.warning}")

    def _remember(self, connection: model.Connection) -> None:
        ends = _ends(connection)
        self._seen.pop(ends, None)
        self._seen[ends] = connection
        if len(self._seen) > _MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]


def _spoken(connection: model.Connection) -> str | None:
    """The protocol that it begins with, of those that tshark is told."""
    if connection.tunnel is not None or connection.proxy_protocol is not None:
        return None
    if connection.tls is not None:
        return "tls"
    return "http2" if connection.http is not None and connection.http.frames else None


def _compare(
    connection: model.Connection,
    streams: Streams,
    version: tuple[int, int] | None,
    before: model.Connection | None,
) -> Checked:
    """`before`: the connection before it between the same ends."""
    client, server = connection.client, connection.server
    stream = streams.take(_ends(connection), connection.first_packet, connection.last_packet)
    name = f"{words.endpoint(client)} → {words.endpoint(server)}"
    if stream is None:
        reasons = tuple(known.reasons_without(connection, before))
        item = Item("connection", "connection", None, (connection.first_packet,), reasons=reasons)
        return Checked(connection.id, None, name, connection.first_packet, connection.last_packet, (item,))
    pair = Pair(connection, stream, version)
    items = tuple(Item.of(aspect, known.reasons(pair, aspect)) for aspect in aspects(pair))
    return Checked(
        connection.id,
        stream.number,
        name,
        connection.first_packet,
        connection.last_packet,
        items,
        complete=stream.complete,
    )


def _alone(stream: Stream, inside: model.Connection | None, too_deep: int) -> Checked:
    """A stream that only tshark sees. `inside`: the connection here that may have its packets."""
    name = " ↔ ".join(words.endpoint(model.Endpoint(*end)) for end in sorted(stream.ends))
    reasons = tuple(known.reasons_alone(stream, inside, too_deep))
    item = Item("connection", None, "stream", (stream.first_packet,), reasons=reasons)
    return Checked(None, stream.number, name, stream.first_packet, stream.last_packet, (item,))


def _ends(connection: model.Connection) -> frozenset[Address]:
    client, server = connection.client, connection.server
    return frozenset({(client.address, client.port), (server.address, server.port)})


@contextlib.contextmanager
def as_file(path: str) -> Iterator[str]:
    """A file that both can read: what comes from a pipe, or is compressed, is unpacked into a temporary one."""
    if path != "-" and not _is_packed(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="analyzer-crosscheck-") as folder:
        copy = f"{folder}/capture"
        with open_bytes(path) as window, open(copy, "wb") as file:
            while piece := window.read(_PIECE):
                file.write(piece)
        try:
            yield copy
        except InputError as error:
            shown = "standard input" if path == "-" else path
            raise InputError(str(error).replace(copy, shown)) from error


def _is_packed(path: str) -> bool:
    """Whether it is no plain capture, but holds one; also a pipe. What cannot be read is told when it is its turn."""
    with contextlib.suppress(OSError, InputError):
        if not os.path.isfile(path):
            return os.path.exists(path) and not os.path.isdir(path)
        with open(path, "rb") as file:
            return file.read(MAGIC_BYTES) not in FORMATS and is_capture(path)
    return False
