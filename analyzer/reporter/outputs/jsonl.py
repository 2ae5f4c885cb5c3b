"""One JSON object per connection and line, exactly `model.Connection`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from analyzer import model

_BATCH_BYTES = 1 << 16


class JsonLines:
    """Writes connections as JSON Lines to `write`, in batches unless `live`."""

    def __init__(self, write: Callable[[bytes], object], live: bool = False):
        self._write = write
        self._batch = 0 if live else _BATCH_BYTES
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()

    def add(self, connection: model.Connection) -> None:
        buffer, before = self._buffer, len(self._buffer)
        try:
            self._encoder.encode_into(connection, buffer, -1)
        except UnicodeEncodeError:  # JSON is Unicode; a file name may not be
            del buffer[before:]
            name = connection.capture.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            self._encoder.encode_into(msgspec.structs.replace(connection, capture=name), buffer, -1)
        buffer += b"\n"
        if len(buffer) >= self._batch:
            self.flush()

    def flush(self) -> None:
        if self._buffer:
            self._write(bytes(self._buffer))
            self._buffer.clear()

    def finish(self) -> None:
        self.flush()
