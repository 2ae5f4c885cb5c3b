"""Saving what is seen: one pcapng file, or a ring of them of which the oldest goes when there are too many.

Every chunk is written as it comes, in one piece and without a buffer of Python's, so that a process that is killed
leaves a file that can be read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from analyzer.capture.frames import Frames
from analyzer.capture.interfaces import Interface
from analyzer.capture.writing import PcapngWriter
from analyzer.errors import LiveError


@dataclasses.dataclass(frozen=True)
class Ring:
    """At most `files` files, each begun anew after about `size` bytes."""

    files: int
    size: int


class Recorder:
    """Writes a capture to `path`, or with `ring` to files named after it, a number and the time in between.

    Raises LiveError if the first one cannot be made. `failure` is what went wrong later; nothing is written then.
    """

    def __init__(self, path: str, ring: Ring | None = None):
        self.path = Path(path)
        self.failure: str | None = None
        self.packets = 0
        self._ring = ring
        self._made: deque[Path] = deque()
        self._count = 0
        self._file = -1
        try:
            self._begin()
        except OSError as error:
            raise LiveError(f"cannot write {path}: {error.strerror or error}: choose another place with -w") from None

    def write(self, frames: Frames, interfaces: Sequence[Interface]) -> None:
        """A chunk, whose packets are from these interfaces."""
        if self.failure is not None:
            return
        try:
            if self._ring is not None and self._written >= self._ring.size:
                self._begin()
            self._describe(interfaces)
            self._writer.frames(frames)
            self.packets += frames.count
        except OSError as error:
            self.failure = error.strerror or str(error)

    def finish(self, interfaces: Sequence[Interface]) -> None:
        """No more packets come; the counts of the interfaces are final."""
        if self._file < 0:
            return
        if self.failure is None:
            try:
                self._describe(interfaces)
                for number, one in enumerate(interfaces):
                    if one.dropped is not None:
                        self._writer.statistics(number, time.time_ns(), one.received or 0, one.dropped)
            except OSError as error:
                self.failure = error.strerror or str(error)
        os.close(self._file)
        self._file = -1

    def _begin(self) -> None:
        path = self.path
        if self._ring is not None:
            self._count += 1
            stamp = time.strftime("%Y%m%d%H%M%S")
            path = path.with_name(f"{path.stem}_{self._count:05}_{stamp}{path.suffix}")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._written, self._described = file, 0, 0
        self._made.append(path)
        if self._ring is not None and len(self._made) > self._ring.files:
            with contextlib.suppress(OSError):
                self._made.popleft().unlink()
        self._writer = PcapngWriter(self._write)

    def _describe(self, interfaces: Sequence[Interface]) -> None:
        for one in interfaces[self._described :]:
            self._writer.interface(one.link_type, one.snaplen, one.name)
        self._described = len(interfaces)

    def _write(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while len(left):
            left = left[os.write(self._file, left) :]
        self._written += len(data)
