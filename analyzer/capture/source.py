"""Opening captures: files, pipes, standard input and folders, recognised by what they contain."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from analyzer.capture import compressed
from analyzer.capture.base import TLS_KEY_LOG, Capture, Damage, DamagedError, Secrets
from analyzer.capture.frames import CHUNK_BYTES
from analyzer.capture.interfaces import Interface
from analyzer.capture.pcap import VARIANTS, PcapCapture
from analyzer.capture.pcapng import SECTION_HEADER_BYTES, PcapngCapture
from analyzer.capture.window import Readable, Window
from analyzer.errors import InputError

__all__ = ["TLS_KEY_LOG", "Capture", "Damage", "Interface", "Secrets", "find_captures", "open_bytes", "open_capture"]

STANDARD_INPUT = "-"

MAGIC_BYTES = 4
HEADER_BYTES = 24  # no format begins with a shorter header
TELLING_BYTES = 64  # enough to tell text from other things
SNIFFED_BYTES = 4096  # read at a time of a file that is perhaps no capture
FORMATS: dict[bytes, type[PcapCapture] | type[PcapngCapture]] = {
    **dict.fromkeys(VARIANTS, PcapCapture),
    SECTION_HEADER_BYTES: PcapngCapture,
}

ZIP = b"PK\x03\x04"


def open_capture(path: str | os.PathLike[str] | Readable, *, chunk_bytes: int = CHUNK_BYTES) -> Capture:
    """The capture at `path`: a file, a named pipe, "-" for standard input, or a binary file object.

    Reads the beginning, and so waits for it on a pipe. A chunk is what one read of at most `chunk_bytes`
    brings; the frames do not depend on it. Raises InputError where there is no capture to read. The caller
    closes a file object that it opened.
    """
    file, name, close = _open(path)
    try:
        window = _unpacked(Window(file, chunk_bytes), chunk_bytes)
        if not window.need(MAGIC_BYTES):
            _refuse_short(name, window, file)
        magic = bytes(window.view[:MAGIC_BYTES])
        if magic not in FORMATS:
            window.need(TELLING_BYTES)
            _refuse(name, bytes(window.view[: min(TELLING_BYTES, window.end)]))
        if not window.need(HEADER_BYTES):
            _refuse_short(name, window, file)
        try:
            return FORMATS[magic](name, window, _size(file), close)
        except DamagedError as error:
            if window.failure is not None:
                _refuse_short(name, window, file)
            raise InputError(f"{name}: {error}. Nothing can be read: copy or record it again.") from None
    except BaseException:
        close()
        raise


@contextlib.contextmanager
def open_bytes(path: str | os.PathLike[str] | Readable, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Window]:
    """What is in the file, unpacked if it is compressed, for those who read it as bytes. Ends where damage begins."""
    file, _, close = _open(path)
    try:
        yield _unpacked(Window(file, chunk_bytes), chunk_bytes)
    finally:
        close()


def _unpacked(window: Window, chunk_bytes: int) -> Window:
    """A window on what is in an archive, if the file is one; else the same one."""
    if not window.need(compressed.MAGIC_BYTES) or not compressed.codec_of(bytes(window.view[: compressed.MAGIC_BYTES])):
        return window
    return compressed.Unpacked(compressed.Archive(window), chunk_bytes)


def _open(path: str | os.PathLike[str] | Readable) -> tuple[Readable, str, Callable[[], None]]:
    """The file, its name for messages, and what closes it."""

    def leave_open() -> None:
        """The file belongs to the caller."""

    if path == STANDARD_INPUT:
        return _standard_input(), "standard input", leave_open
    if not isinstance(path, str | os.PathLike):
        label = getattr(path, "name", None)
        return path, _printable(label) if isinstance(label, str) else "capture", leave_open
    text = os.fspath(path)
    name = _printable(text)
    try:
        # Unbuffered: the window is the buffer.
        file = open(text, "rb", buffering=0)  # noqa: SIM115
    except FileNotFoundError:
        raise InputError(f"{name}: no such file. Check the spelling and the folder you are in.") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder. Name a capture file in it.") from None
    except PermissionError:
        import shlex

        advice = f"run as its owner, or `sudo chmod a+r {shlex.quote(name)}`"
        raise InputError(f"{name}: no permission to read it: {advice}.") from None
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be opened: {reason}. Check the path.") from None
    return file, name, file.close


def _standard_input() -> Readable:
    if sys.stdin is None or sys.stdin.closed:
        raise InputError("standard input: is closed. Pipe a capture into it, or name a file.")
    if sys.stdin.isatty():
        raise InputError("standard input: is a terminal. Pipe a capture into it: `tcpdump -U -w - | analyzer read -`.")
    # Unbuffered, like the files opened here.
    raw: Readable = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return raw


def _size(file: Readable) -> int | None:
    """Length in bytes of a regular file, also where it is standard input; None of anything else."""
    fileno = getattr(file, "fileno", None)
    if fileno is None:
        return None
    try:
        status = os.fstat(fileno())
    except (OSError, ValueError):  # io.BytesIO has a fileno that raises
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _printable(name: str) -> str:
    """A message is one line, whatever somebody called a file."""
    return name if name.isprintable() else ascii(name)


def _refuse_short(name: str, window: Window, file: Readable) -> NoReturn:
    """There are not even the bytes of a file header."""
    if window.failure is not None:
        copy = "" if isinstance(window, compressed.Unpacked) else " it to another disk"
        raise InputError(f"{name}: cannot be read: {window.failure}. Copy{copy} or record it again.")
    advice = "Record it again" if _size(file) is not None else "Check the program that writes it"
    if window.position == 0:
        raise InputError(f"{name}: is empty. {advice}.")
    raise InputError(f"{name}: is too short for a capture, {window.position} bytes. {advice}.")


def _refuse(name: str, beginning: bytes) -> NoReturn:
    """The file begins like no capture: says what it is instead, as far as its beginning tells."""
    import shlex

    quoted = shlex.quote(name)
    if codec := compressed.codec_of(beginning):
        raise InputError(f"{name}: is compressed twice, and inside with {codec.name}. Unpack it once.")
    if beginning.startswith(ZIP):
        raise InputError(f"{name}: is a zip archive. Unpack it: `unzip -p {quoted} | analyzer read -`.")
    if _is_text(beginning):
        raise InputError(f"{name}: is text, not a capture. Save packets as pcap or pcapng: `tcpdump -w capture.pcap`.")
    raise InputError(
        f"{name}: is neither pcap nor pcapng. If Wireshark opens it, convert it: `editcap {quoted} capture.pcapng`."
    )


def _is_text(beginning: bytes) -> bool:
    try:
        # Incremental: the last character may be cut off.
        text = codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)


def find_captures(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The files to read: those named, and of each folder all captures in it and below, in sorted order.

    What a folder holds is recognised by content; links to folders are not followed. "-" and names of files,
    also of missing ones, pass. Raises InputError for a folder without captures.
    """
    found: list[str] = []
    for path in [os.fspath(path) for path in paths]:
        if path != STANDARD_INPUT and os.path.isdir(path):
            found += _captures_below(path)
        else:
            found.append(path)
    return found


def captures_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The captures that lie in a folder itself, in sorted order. Raises InputError if it cannot be read."""
    captures = []
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as error:
        raise InputError(f"{_printable(os.fspath(folder))}: cannot be read: {error.strerror}") from None
    for path in entries:
        with contextlib.suppress(OSError, InputError):
            if is_capture(str(path)):
                captures.append(path)
    return captures


def is_capture(path: str) -> bool:
    """Whether a file begins as a capture does, compressed or not. Raises OSError and InputError."""
    # A pipe would block, and devices are not for us; what a link points to counts.
    if not stat.S_ISREG(os.stat(path).st_mode):
        return False
    with open_bytes(path, chunk_bytes=SNIFFED_BYTES) as window:
        return window.read(MAGIC_BYTES) in FORMATS


def _captures_below(folder: str) -> list[str]:
    captures: list[str] = []
    unreadable: list[str] = []
    for parent, _, names in os.walk(folder, onerror=lambda error: unreadable.append(str(error.filename))):
        for path in (os.path.join(parent, name) for name in names):
            try:
                if is_capture(path):
                    captures.append(path)
            except (OSError, InputError):
                unreadable.append(path)
    if captures:
        return sorted(captures)
    name = _printable(folder)
    if unreadable:
        raise InputError(
            f"{name}: no captures found, but {len(unreadable)} entries could not be read, "
            f"for example {_printable(min(unreadable))}. Check the permissions."
        )
    raise InputError(f"{name}: is a folder without pcap or pcapng files. Name another one.")
