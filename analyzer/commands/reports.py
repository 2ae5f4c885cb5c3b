"""Reports that were written before: JSON Lines, as `analyzer read --format jsonl` prints them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, cast

import msgspec

from analyzer import model
from analyzer.errors import InputError, UsageError

MOST_LINE = 64 << 20  # bytes of one connection


class _Line(msgspec.Struct):
    type: str


@contextlib.contextmanager
def open_either(path: str, command: str) -> Iterator[tuple[str | BinaryIO, bool]]:
    """A file object and True for a report, what `pipeline.analyze` takes and False for anything else.

    A report begins with a brace, and no capture does. Pipes are looked at without losing what was read.
    """
    if path == "-":
        if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
            raise UsageError(f"standard input is no pipe: analyzer read --format jsonl … | analyzer {command} - …")
        file = cast(BinaryIO, sys.stdin.buffer)
        yield file, _is_report(file)
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb"))
        except OSError:
            yield path, False  # whoever reads captures says what is wrong
            return
        if _is_report(file):
            yield file, True
        else:
            yield path if os.path.isfile(path) else file, False


def _is_report(file: BinaryIO) -> bool:
    with contextlib.suppress(OSError):
        return bool(file.peek(1)[:1] == b"{")  # type: ignore[attr-defined]  # of the buffered readers that these are
    return False


def read_report(file: BinaryIO, name: str) -> Iterator[model.Connection]:
    """The connections of a report; what else it holds is passed over. Raises InputError for what is none."""
    decoder = msgspec.json.Decoder(model.Connection)
    number = 0
    while line := file.readline(MOST_LINE):
        number += 1
        if not line.strip():
            continue
        try:
            if msgspec.json.decode(line, type=_Line).type == "connection":
                yield decoder.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            reason = "a line of 64 MiB or more" if len(line) == MOST_LINE else str(error)
            raise InputError(
                f"{name}:{number}: is not what `analyzer read --format jsonl` of this version prints: {reason}"
            ) from None
