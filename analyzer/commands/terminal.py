"""Where output goes: standard output or a file written whole, its width and colours, and the progress bar."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

import click

from analyzer.errors import UsageError
from analyzer.reporter import words
from analyzer.reporter.escape import escape

_WIDTH_ELSEWHERE = 120  # in files and logs, where no terminal says
_BAR_AFTER_SECONDS = 0.5
_BAR_EVERY_SECONDS = 0.1
_BAR_FROM_BYTES = 2_000_000
_CLEAR_LINE = "\r\x1b[2K\x1b[?25h"  # and the cursor back, which click hides beside its bar


def say(message: str) -> None:
    """One line on standard error, as every message of this program looks."""
    click.echo(f"analyzer: {escape(message)}", err=True)


def width_of(stream: TextIO) -> int:
    """Columns for the table. In `… | head` or `… | less` another standard stream still knows the terminal."""
    if columns := os.environ.get("COLUMNS", ""):
        with contextlib.suppress(ValueError):
            return max(1, int(columns))
    for candidate in (stream, sys.stderr, sys.stdin):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            return os.get_terminal_size(candidate.fileno()).columns or _WIDTH_ELSEWHERE
    return _WIDTH_ELSEWHERE


class Output:
    """A stream for text and bytes. `terminal`: somebody watches. `guard` is entered around every write."""

    def __init__(self, stream: BinaryIO, *, encoding: str, width: int, terminal: bool):
        self._stream, self._encoding = stream, encoding
        self.width, self.terminal = width, terminal
        self._unicode = encoding.lower().replace("-", "").startswith("utf")
        self.flush_always = terminal
        self.guard: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext

    def bytes(self, data: bytes) -> None:
        with self.guard():
            self._stream.write(data)
            if self.flush_always:
                self._stream.flush()

    def text(self, text: str) -> None:
        if not self._unicode:
            text = text.translate(words.ASCII)
        self.bytes(text.encode(self._encoding, "replace"))

    def flush(self) -> None:
        self._stream.flush()

    def colour(self, when: str) -> bool:
        """Whether to colour, after `--color` and https://no-color.org."""
        if when != "auto":
            return when == "always"
        return self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def open_output(path: str | None) -> Iterator[Output]:
    """Standard output, or a file that appears under its name only when the block ends without an exception."""
    if path is None:
        stream = sys.stdout
        terminal = stream.isatty()
        output = Output(stream.buffer, encoding=stream.encoding or "utf-8", width=width_of(stream), terminal=terminal)
        yield output
        output.flush()
        return
    with whole_file(path) as binary:
        yield Output(binary, encoding="utf-8", width=_WIDTH_ELSEWHERE, terminal=False)


@contextlib.contextmanager
def whole_file(path: str) -> Iterator[BinaryIO]:
    """A file that appears under its name only when the block ends without an exception."""
    import tempfile  # takes longer than a small capture, and most runs print

    target = Path(os.path.realpath(path))  # a link stays a link
    try:
        if target.exists() and not target.is_file():  # a device or a named pipe cannot be replaced
            with target.open("wb") as direct:
                yield direct
            return
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write {path}: {reason}: choose another place with -o") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _mode(target: Path) -> int:
    """The permissions the file has, or would have got from open(): mkstemp's are private."""
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(target.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


class Measurable(Protocol):
    """What a progress bar needs to know of an analysis."""

    @property
    def position(self) -> int: ...  # bytes read

    @property
    def size(self) -> int | None: ...  # bytes in all; None on a pipe


class Progress:
    """A bar on standard error while a large file is read. It is drawn by a thread of its own: the main one is
    inside the analysis, and says nothing for as long as no connection ends.

    Whatever else is printed meanwhile is printed inside `hidden()`.
    """

    def __init__(self, wanted: bool):
        self._wanted = wanted and sys.stderr.isatty()
        self._lock = threading.RLock()
        self._drawn = False

    @contextlib.contextmanager
    def of(self, analysis: Measurable, label: str) -> Iterator[None]:
        size = analysis.size
        if not self._wanted or size is None or size < _BAR_FROM_BYTES:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._draw, args=(analysis, size, label, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with self.hidden():
                pass

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        with self._lock:
            if self._drawn:
                click.echo(_CLEAR_LINE, err=True, nl=False)
                self._drawn = False
            yield

    def _draw(self, analysis: Measurable, size: int, label: str, done: threading.Event) -> None:
        if done.wait(_BAR_AFTER_SECONDS):
            return
        template = "%(label)s  [%(bar)s]  %(info)s"
        name = words.shorten(escape(label), 30)
        bar = click.progressbar(length=size, label=name, file=sys.stderr, bar_template=template, width=30)
        last = 0
        while not done.wait(_BAR_EVERY_SECONDS):
            with self._lock:
                position = min(analysis.position, size)
                bar.update(position - last)
                last = position
                self._drawn = True
