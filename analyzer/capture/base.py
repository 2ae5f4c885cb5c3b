"""What a capture is to the stages after it, whatever its file format."""

from __future__ import annotations

import abc
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self

import msgspec
import numpy as np

from analyzer.capture.frames import Frames
from analyzer.capture.interfaces import Interface
from analyzer.capture.window import IdleError, Window

# One packet with its headers must fit; anything longer is damage, or not network traffic.
MAX_RECORD_BYTES = 16 << 20

# Rows of a chunk at most: more bring no speed, and the columns of this many stay in the processor's cache.
MAX_ROWS = 8192
# The columns cannot be longer than a chunk of the shortest records could fill.
MIN_RECORD_BYTES = 16

MAX_WARNINGS = 100

TLS_KEY_LOG = 0x544C534B  # a kind of secrets

# How long a pipe may be quiet before the stages after it hear of it, so that they can report what has ended.
IDLE_SECONDS = 1.0


class Damage(msgspec.Struct, frozen=True):
    """Something in the file that could not be read; the message names the place, too."""

    offset: int  # bytes from the beginning of the file
    message: str

    def __str__(self) -> str:
        return self.message


class Secrets(msgspec.Struct, frozen=True):
    """A Decryption Secrets Block; `kind` may be `TLS_KEY_LOG` (draft-ietf-opsawg-pcapng §4.7)."""

    kind: int
    data: bytes


class DamagedError(Exception):
    """Raised inside this package where reading cannot go on; becomes a `Damage`, or an InputError while opening."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.damage = Damage(offset, message)


class Columns:
    """The reused columns of `Frames`, shape (rows,): memoryviews for the scanner, arrays for the stages after it."""

    def __init__(self, rows: int) -> None:
        self.arrays = [np.zeros(rows, np.int64) for _ in range(4)] + [np.zeros(rows, np.int32) for _ in range(2)]
        self.offset, self.captured, self.original, self.time_ns, self.link_type, self.interface = (
            array.data for array in self.arrays
        )


class Capture(abc.ABC):
    """Iterates over the `Frames` of one capture; a context manager that closes the files it opened.

    The frames of a chunk are valid until the next chunk is asked for. A chunk without frames says that a pipe has been
    quiet for `idle_seconds`. A damaged file ends the iteration after
    everything before the damage was delivered; `warnings` then says where and what.
    """

    format: ClassVar[str]  # "pcap" or "pcapng", "merged" where several were merged

    def __init__(self, name: str, size: int | None) -> None:
        self.name = name  # as a person would call it, for messages
        self.size = size  # bytes; None if that cannot be known before the end
        self.interfaces: list[Interface] = []  # grows while reading; counts are set when the file tells them
        self.warnings: list[Damage] = []
        self.secrets: list[Secrets] = []
        self.packets = 0  # delivered so far
        self.idle_seconds = IDLE_SECONDS  # how long a pipe may be quiet before a chunk without frames

    @property
    @abc.abstractmethod
    def position(self) -> int:
        """Bytes read so far, of `size`: of compressed captures, compressed ones."""

    def __iter__(self) -> Self:
        return self

    @abc.abstractmethod
    def __next__(self) -> Frames: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @abc.abstractmethod
    def close(self) -> None:
        """Ends the iteration and closes the files, unless the caller had opened them."""


class FileCapture(Capture):
    """A capture that is one file, whatever its format."""

    def __init__(self, name: str, window: Window, size: int | None, close: Callable[[], None]) -> None:
        super().__init__(name, size)
        self._numbered = 0  # numbers given away so far: Wireshark numbers some blocks that are no packets
        self._window = window
        self._columns = Columns(max(1, min(MAX_ROWS, len(window.view) // MIN_RECORD_BYTES)))
        self._close = close
        self._ended = False

    @property
    def position(self) -> int:
        return self._window.taken

    def __next__(self) -> Frames:
        if self._ended:
            raise StopIteration
        self._window.idle_after = self.idle_seconds
        try:
            count = self._scan()
        except IdleError:
            return self._frames(0)
        except DamagedError as error:
            # The reason for stopping is told, however many lesser warnings there are.
            self.warnings.append(error.damage)
            count = 0
        if count == 0:
            self._ended = True
            raise StopIteration
        frames = self._frames(count)
        self._numbered += count
        self.packets += count
        return frames

    def _frames(self, count: int) -> Frames:
        columns = (array[:count] for array in self._columns.arrays)
        return Frames(self._window.view, self._numbered + 1, count, *columns)

    def close(self) -> None:
        self._ended = True
        self._close()

    @abc.abstractmethod
    def _scan(self) -> int:
        """Fills the columns with the next packets and says how many; 0 at the end. Raises DamagedError."""

    def _warn(self, offset: int, message: str) -> None:
        """A fault that reading survives. Only the first MAX_WARNINGS are kept."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(Damage(offset, message))

    def _cut(self, what: str, offset: int, wanted: int) -> DamagedError:
        """The source ended inside `what`, which began at `offset` and has `wanted` bytes."""
        window = self._window
        there = window.position - offset
        if window.failure is not None:
            return DamagedError(offset, f"{what} at byte offset {offset} could not be read: {window.failure}")
        return DamagedError(
            offset, f"{what} at byte offset {offset} is cut off: {there} of its {wanted} bytes are there"
        )

    def _end(self) -> int:
        """The source ended between two records: fine, unless reading failed there."""
        window = self._window
        if window.failure is not None:
            offset = window.position
            raise DamagedError(offset, f"reading failed at byte offset {offset}: {window.failure}")
        return 0
