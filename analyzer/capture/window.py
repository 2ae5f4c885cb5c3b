"""The part of a source that is in memory: one kept buffer that slides over a file or a pipe."""

from __future__ import annotations

import io
import os
import select
import stat
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from analyzer.errors import UsageError


class Readable(Protocol):
    """The least a file object must offer; `readinto1` or `readinto` are used where it has them."""

    def read(self, size: int, /) -> bytes: ...


def _reading(file: Readable) -> Callable[[memoryview], int | None]:
    """The method of `file` that fills a buffer with what one read delivers, without waiting until it is full."""
    if isinstance(file, io.TextIOBase):
        raise UsageError("a capture is read as bytes: open the file with mode 'rb'")
    # A raw file's readinto is one read; a buffered one's would wait for a full buffer, so readinto1 comes first.
    for name in ("readinto1", "readinto"):
        if (method := getattr(file, name, None)) is not None:
            return cast(Callable[[memoryview], int | None], method)
    read = cast(Callable[[int], bytes | None], getattr(file, "read1", file.read))

    def read_into(room: memoryview) -> int | None:
        data = read(len(room))
        if data is None:
            return None
        room[: len(data)] = data
        return len(data)

    return read_into


class IdleError(Exception):
    """Raised where `Window.need` would wait on for a pipe that is quiet; nothing is lost, just ask again."""


class Window:
    """`view[start:end]` are the bytes that were read and not yet consumed; the consumer advances `start`.

    The buffer has `chunk_bytes`, and grows when asked for more bytes at once than that; the caller limits
    what it asks for. Growing allocates a new buffer, so views of the old one stay intact. An error while
    reading ends the source like its end does; `failure` tells it.
    """

    def __init__(self, file: Readable, chunk_bytes: int) -> None:
        if chunk_bytes < 1:
            raise UsageError(f"a chunk of {chunk_bytes} bytes is impossible: use 1 or more")
        self._file: Any = file
        self._chunk_bytes = chunk_bytes
        self._read_into = _reading(file)
        self._base = 0  # offset in the source of view[0]
        self.view = memoryview(bytearray(chunk_bytes))
        self.start = self.end = 0
        self.failure: str | None = None
        self.idle_after: float | None = None  # seconds; None to wait for ever
        # What Python buffers itself cannot be asked whether there is something to read.
        self._pollable = isinstance(file, io.FileIO) and not stat.S_ISREG(os.fstat(file.fileno()).st_mode)

    @property
    def offset(self) -> int:
        """Byte offset in the source of `view[start]`."""
        return self._base + self.start

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._base + self.end

    @property
    def taken(self) -> int:
        """The same, as the file counts: compressed bytes, where it is compressed."""
        return self.position

    @property
    def held(self) -> int:
        return self.end - self.start

    def unpack(self, layout: str, at: int = 0) -> tuple[Any, ...]:
        """Fields at `start + at`, which must be held."""
        return struct.unpack_from(layout, self.view, self.start + at)

    def read(self, size: int) -> bytes:
        """Consumes `size` bytes, fewer only at the end."""
        self.need(size, patient=True)
        data = bytes(self.view[self.start : min(self.start + size, self.end)])
        self.start += len(data)
        return data

    def need(self, count: int, patient: bool = False) -> bool:
        """Reads until `count` bytes are held; false if the source ends before. Never waits for more than that.

        Raises IdleError if a pipe is quiet for `idle_after` seconds, unless `patient`.
        """
        while self.end - self.start < count:
            if not patient and self.idle_after is not None and self.quiet(self.idle_after):
                raise IdleError
            if not self._read(count):
                return False
        return True

    def quiet(self, seconds: float) -> bool:
        """Whether the file is a pipe into which nobody writes for so long."""
        return self._pollable and not select.select([self._file], [], [], seconds)[0]

    def skip(self, count: int) -> bool:
        """Consumes `count` bytes, however many, without holding them; false if the source ends before."""
        while count > self.held:
            count -= self.held
            self.start = self.end
            if not self._read(1):
                return False
        self.start += count
        return True

    def _read(self, wanted: int) -> bool:
        """One read, after making room so that `wanted` bytes from `start` on fit; false at the end."""
        self._make_room(wanted)
        # Also where the buffer has grown, a chunk is what fits into the processor's cache.
        room = self.view[self.end : self.end + self._chunk_bytes]
        try:
            while (got := self._read_into(room)) is None:  # somebody made the pipe non-blocking, and it is empty
                select.select([self._file], [], [])
        except OSError as error:
            self.failure = error.strerror or str(error) or type(error).__name__
            got = 0
        self.end += got
        return got > 0

    def _make_room(self, wanted: int) -> None:
        held = self.held
        view = self.view
        if wanted > len(view):
            view = memoryview(bytearray(wanted))
        elif self.start < held and self.start + wanted <= len(view):
            # Moving now would cost more than was consumed since the last move: slow pipes would move a large
            # record over and over.
            return
        view[:held] = self.view[self.start : self.end]
        self._base += self.start
        self.view = view
        self.start, self.end = 0, held
