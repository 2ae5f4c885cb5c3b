"""One JSON object per connection and line, exactly `model.Connection`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from analyzer import model
from analyzer.reporter.templates import encode_line

_BATCH_BYTES = 1 << 16


class JsonLines:
    """Writes connections as JSON Lines to `write`, in batches unless `live`."""

    def __init__(self, write: Callable[[bytes], object], live: bool = False):
        self._write = write
        self._batch = 0 if live else _BATCH_BYTES
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()

    def add(self, connection: model.Connection) -> None:
        self.add_lines(encode_line(self._encoder, connection))

    def add_lines(self, lines: bytes) -> None:
        """Lines that are encoded already."""
        if len(lines) >= self._batch:
            self.flush()
            self._write(lines)
            return
        self._buffer += lines
        if len(self._buffer) >= self._batch:
            self.flush()

    def flush(self) -> None:
        if self._buffer:
            self._write(bytes(self._buffer))
            self._buffer.clear()

    def finish(self) -> None:
        self.flush()
