"""A run of `analyzer extract`: bodies go to files as they are read, and get their names when their connection is over.

Memory does not grow with bodies. Until a connection is over, and so until it is known whether it is wanted, its bodies
lie in a folder of their own below the one they are for.
"""

from __future__ import annotations

import collections
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from analyzer import model, pipeline
from analyzer.commands.choosing import Chosen
from analyzer.commands.decoding import CannotDecode, decoded
from analyzer.commands.inputs import is_live
from analyzer.commands.terminal import Progress, say
from analyzer.errors import UsageError
from analyzer.reporter import words
from analyzer.reporter.inside import layers

INDEX: Final = "index.jsonl"

# A body of a few bytes may stand for any number of others.
MOST_RATIO: Final = 100
LEAST_LIMIT: Final = 16 << 20  # bytes that every body may have, whatever its ratio

_MOST_OPEN: Final = 64  # files at a time
_MOST_NAME: Final = 60  # characters of a target in a file's name
_PIECE: Final = 1 << 16
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


class Entry(msgspec.Struct):
    """A line of the index. Sizes in bytes."""

    capture: str
    connection: int
    exchange: int  # counts those of the connection, from 1
    stream: int | None  # of HTTP/2
    side: model.Side  # who sent it
    file: str
    url: str | None
    method: str | None
    status: int | None
    media_type: str | None
    content_encoding: str | None
    decoded: bool  # the file is what it was before `content_encoding`
    decoding: str | None  # why it was not, or not to its end
    bytes: int  # of the file
    body_bytes: int  # of the content that was sent
    body_bytes_lost: int  # of these, not in the capture
    first_packet: int
    last_packet: int
    whole: bool
    cut: str | None  # why it is not: what ended it, or why bytes are missing


class _Body:
    """What is there of a message's body: its bytes up to the first that is missing."""

    __slots__ = ("holed", "message", "path", "size")

    def __init__(self, message: Any, path: Path):
        self.message = message  # kept, so that no other object gets its id
        self.path = path
        self.size = 0
        self.holed = False


class Spool:
    """Writes bodies to files in a folder as they come: `dissector.content.Sink`."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._bodies: dict[int, _Body] = {}
        self._open: collections.OrderedDict[int, BinaryIO] = collections.OrderedDict()
        self._count = 0

    def body(self, message: Any, data: bytes | memoryview) -> None:
        found = self._of(message)
        if found.holed or not len(data):
            return
        self._file(id(message), found).write(data)
        found.size += len(data)

    def gap(self, message: Any) -> None:
        self._of(message).holed = True

    def take(self, message: Any) -> _Body | None:
        """The body of a message that is over, if it had one."""
        found = self._bodies.pop(id(message), None)
        if found is not None:
            self._shut(id(message))
        return found

    def close(self) -> None:
        for key in list(self._open):
            self._shut(key)

    def _of(self, message: Any) -> _Body:
        found = self._bodies.get(id(message))
        if found is None:
            self._count += 1
            found = self._bodies[id(message)] = _Body(message, self._folder / str(self._count))
        return found

    def _file(self, key: int, body: _Body) -> BinaryIO:
        file = self._open.get(key)
        if file is None:
            if len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            file = self._open[key] = open(body.path, "ab")  # noqa: SIM115
        self._open.move_to_end(key)
        return file

    def _shut(self, key: int) -> None:
        if (file := self._open.pop(key, None)) is not None:
            file.close()


class Extraction:
    """One run of the command."""

    def __init__(
        self,
        captures: tuple[str, ...],
        output: str,
        chosen: Chosen,
        *,
        decode: bool,
        force: bool,
        keys: tuple[str, ...],
        merge: bool,
        quiet: bool,
    ):
        if merge and len(captures) < 2:
            raise UsageError("--merge makes one capture out of several: name two files or more")
        if not merge and len(captures) > 1:
            raise UsageError("extract reads one capture: add --merge if all of these are one")
        for path in captures:
            if path != "-" and os.path.isdir(path):
                raise UsageError(f"{path} is a folder: name a capture in it")
        self._source: str | tuple[str, ...] = captures if merge else captures[0]
        self._live = any(map(is_live, captures))
        self._folder, self._chosen = Path(output), chosen
        self._decode, self._force, self._keys, self._quiet = decode, force, keys, quiet
        self._written = self._parts = self._connections = self._encrypted = 0
        self._encoder = msgspec.json.Encoder()

    def run(self) -> None:
        if not self._force and os.path.lexists(self._folder / INDEX):
            raise UsageError(f"{self._folder / INDEX} is there already: choose another folder, or --force replaces it")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            held = Path(tempfile.mkdtemp(prefix=".extract-", dir=self._folder))
        except OSError as error:
            raise UsageError(f"cannot write to {self._folder}: {error.strerror}: choose another place") from error
        try:
            self._extract(held)
        except OSError as error:
            raise UsageError(f"cannot write to {self._folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(held, ignore_errors=True)
        if not self._quiet:
            parts = f", {self._parts} of them not whole" if self._parts else ""
            of = words.plural(self._connections, "connection")
            bodies = "1 body" if self._written == 1 else f"{words.count(self._written)} bodies"
            say(f"{self._folder}: {bodies} of {of}{parts}; {INDEX} lists them")
            if self._encrypted:
                hidden = words.plural(self._encrypted, "connection")
                say(f"not decrypted: {hidden}; --keys takes the key log of the client or of the server")

    def _extract(self, held: Path) -> None:
        spool = Spool(held)
        options = pipeline.Options(keys=self._keys, headers=True, secrets=True, bodies=spool)
        analysis = pipeline.analyze(self._source, options)
        progress = Progress(wanted=not self._quiet)
        found = 0
        with contextlib.closing(analysis), progress.of(analysis, analysis.name), open(held / INDEX, "wb") as index:
            for connection, content in analysis.with_contents():
                wanted = self._chosen(connection)
                found += wanted
                self._encrypted += wanted and _encrypted(connection)
                if content is None or content.layer is None:
                    continue
                before = self._written
                for entry in self._of(connection, content.layer, spool, wanted=wanted):
                    index.write(self._encoder.encode(entry) + b"\n")
                self._connections += self._written > before
        spool.close()
        for warning in analysis.warnings:
            say(f"{analysis.name}: warning: {warning.message}")
        if not self._chosen.all:
            self._chosen.check(found)
        self._place(held / INDEX, INDEX)

    def _of(self, connection: model.Connection, layer: Any, spool: Spool, *, wanted: bool) -> Iterator[Entry]:
        """The bodies of a connection, in the order of its exchanges; those that are not wanted go."""
        number = 0
        secured = False
        for one in layers(layer):
            secured |= getattr(one, "opener", None) is not None
            for exchange in getattr(one, "exchanges", ()):
                number += 1
                for side, message in (("client", exchange.request), ("server", exchange.response)):
                    body = None if message is None else spool.take(message)
                    if body is None:
                        continue
                    if wanted and body.size:
                        yield self._entry(connection, number, exchange, side, message, body, secured=secured)
                    with contextlib.suppress(FileNotFoundError):
                        body.path.unlink()

    def _entry(
        self,
        connection: model.Connection,
        number: int,
        exchange: Any,
        side: Any,
        message: Any,
        body: _Body,
        *,
        secured: bool,
    ) -> Entry:
        request = exchange.request
        fields = {name.lower(): value for name, value in reversed(message.fields)}
        coding = fields.get("content-encoding")
        whole = bool(message.complete) and not body.holed and body.size == message.body_bytes
        path, done, why = body.path, False, None
        if self._decode and coding:
            path, done, why, ended = self._decoded(body, coding)
            whole = whole and ended
        stream = getattr(exchange, "stream", None)
        kind = "request" if side == "client" else "response"
        name = _file_name(connection.id, number, kind, request.target if request is not None else None)
        name += "" if whole else ".part"
        size = path.stat().st_size
        self._place(path, name)
        self._written += 1
        self._parts += not whole
        media = fields.get("content-type")
        return Entry(
            capture=connection.capture,
            connection=connection.id,
            exchange=number,
            stream=stream,
            side=side,
            file=name,
            url=None if request is None else _url(request, secured=secured),
            method=None if request is None else request.method,
            status=None if side == "client" else message.status,
            media_type=media.partition(";")[0].strip().lower() if media else None,
            content_encoding=coding,
            decoded=done,
            decoding=why,
            bytes=size,
            body_bytes=message.body_bytes,
            body_bytes_lost=message.body_lost,
            first_packet=message.packet,
            last_packet=message.last_packet,
            whole=whole,
            cut=None if whole else message.cut or why or "bytes are missing",
        )

    def _decoded(self, body: _Body, coding: str) -> tuple[Path, bool, str | None, bool]:
        """The decoded body; whether it is that, why it is not or ends early, and whether it goes to its end."""
        codings = [word for part in coding.lower().split(",") if (word := part.strip())]
        path = body.path.with_suffix(".decoded")
        most = max(LEAST_LIMIT, MOST_RATIO * body.size)
        written = 0
        why = None
        with open(body.path, "rb") as source, open(path, "wb") as target:
            try:
                for piece in decoded(iter(lambda: source.read(_PIECE), b""), codings):
                    if written + len(piece) > most:
                        target.write(piece[: most - written])
                        written = most
                        why = f"stopped after {most} bytes, which are {MOST_RATIO} times as many as were sent, or more"
                        break
                    target.write(piece)
                    written += len(piece)
            except CannotDecode as problem:
                why = str(problem)
        if why is not None and not written:
            path.unlink()
            return body.path, False, why, True  # what was sent is whole
        return path, True, why, why is None

    def _place(self, path: Path, name: str) -> None:
        """Gives a file its name. One that is there, also as a link, is replaced only with --force."""
        target = self._folder / name
        if self._force:
            os.replace(path, target)
            return
        try:
            os.link(path, target, follow_symlinks=False)
            path.unlink()
        except OSError:  # it is there, or the file system knows no links
            if os.path.lexists(target):
                raise UsageError(f"{target} is there already: choose another folder, or --force replaces it") from None
            os.rename(path, target)


def _file_name(connection: int, exchange: int, kind: str, target: str | None) -> str:
    """`c3-e1-response-index.html`: of the target what is left when nothing can be but a name."""
    path = (target or "").partition("?")[0].partition("#")[0].rstrip("/")
    last = _UNSAFE.sub("_", path.rpartition("/")[2]).strip("._-")
    if len(last) > _MOST_NAME:
        stem, dot, suffix = last.rpartition(".")
        last = f"{stem[: _MOST_NAME - 9]}.{suffix}" if dot and stem and len(suffix) <= 8 else last[:_MOST_NAME]
    return f"c{connection}-e{exchange}-{kind}" + (f"-{last}" if last else "")


def _url(request: Any, *, secured: bool) -> str | None:
    """RFC 9110 §7.1."""
    target = request.target
    if target is None or "://" in target.partition("?")[0]:
        return None if target is None else str(target)
    scheme = getattr(request, "scheme", None) or ("https" if secured else "http")
    return f"{scheme}://{request.authority or ''}{target if target != '*' else ''}"


def _encrypted(connection: model.Connection) -> bool:
    """Whether there may be bodies that nobody here can read."""
    return any(not tls.decrypted and tls.application_bytes != model.PerSide() for tls in words.secured(connection))
