"""What the commands that read captures have in common: which files, which keys, and what Ctrl-C does meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import click

from analyzer.commands.values import Keys
from analyzer.errors import InputError, UsageError

_MIN_WIDTH = 40
_SECONDS_TO_END = 1  # how long a pipe has to end by itself after Ctrl-C

keys_option = click.option(
    "--keys",
    multiple=True,
    type=Keys(),
    metavar="FILE",
    help="Decrypt TLS: a key log (NSS format) or a server's RSA key in PEM (repeatable). The file that the variable "
    "SSLKEYLOGFILE names, and secrets inside a pcapng file, are used without asking.",
)
authorities_option = click.option(
    "--ca",
    "authorities",
    metavar="FILE",
    type=click.Path(exists=True),
    help="Trust the certificates in FILE, PEM or a folder of them, in place of the usual authorities (certifi).",
)

flows_option = click.option(
    "--flows",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Flow pages of your own, besides the built-in ones (repeatable).",
)
color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)
width_option = click.option(
    "--width", type=click.IntRange(min=_MIN_WIDTH), metavar="N", help="Columns to print in.  [default: the terminal's]"
)
capture_filter_option = click.option(
    "-f",
    "--capture-filter",
    metavar="PCAP-FILTER",
    help="Only packets that match, in tcpdump's syntax: 'port 443 and not host 10.0.0.1'.",
)


def captures_in(given: Sequence[str], command: str, cannot_read: Callable[[InputError], None]) -> list[str]:
    """The files to read: folders are searched. What else cannot be read is found out when it is its turn."""
    found: list[str] = []
    for path in given:
        if path == "-" and sys.stdin.isatty():
            raise UsageError(
                f"standard input is a terminal: pipe a capture into it: tcpdump -U -w - | analyzer {command} -"
            )
        if path != "-" and os.path.isdir(path):
            from analyzer.capture.source import find_captures

            try:
                found.extend(map(str, find_captures([path])))
            except InputError as error:
                cannot_read(error)
        else:
            found.append(path)
    return found


def key_files(given: tuple[str, ...]) -> tuple[str, ...]:
    """The key files asked for, and the one that programs on this machine write theirs to, if there is one."""
    logged = os.environ.get("SSLKEYLOGFILE")
    return (*given, logged) if logged and os.path.isfile(logged) else given


def refuse_to_overwrite(output: str | None, captures: list[str]) -> None:
    """`-o` must not name a capture that is about to be read."""
    if output is None:
        return
    for path in captures:
        with contextlib.suppress(OSError):
            if path != "-" and os.path.samefile(output, path) and os.path.isfile(output):
                raise UsageError(f"-o {output} would overwrite the capture itself: choose another name")


def is_live(path: str) -> bool:
    """Whether packets may still be on their way: a pipe, not a file."""
    with contextlib.suppress(OSError, ValueError):
        mode = (os.fstat(sys.stdin.fileno()) if path == "-" else os.stat(path)).st_mode
        return not stat.S_ISREG(mode)
    return False


@contextlib.contextmanager
def ends_on_interrupt(path: str, interrupted: Callable[[], None]) -> Iterator[None]:
    """While a pipe is read, Ctrl-C also reaches the program that fills it. The pipe then ends by itself, and the
    connections still open can be reported; only if it does not end, the reading is broken off."""
    if not is_live(path):
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def begin_to_stop(signum: int, frame: FrameType | None) -> None:
        interrupted()
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(_SECONDS_TO_END)

    try:
        before = signal.signal(signal.SIGINT, begin_to_stop)
    except ValueError:  # not in the main thread: nothing to handle
        yield
        return
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGINT, before)
