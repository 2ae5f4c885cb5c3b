"""Who wants the bodies of HTTP messages, not only their sizes."""

from __future__ import annotations

from typing import Any, Protocol


class Sink(Protocol):
    """Gets the content of messages as it is read, in order: without the framing of chunks or frames, and before
    content codings are undone (RFC 9110 §8.4). `message`: as its dissector has it, `http1.exchanges.Message` or
    `http2.exchanges.Message`; always the same object."""

    def body(self, message: Any, data: bytes | memoryview) -> None:
        """The next bytes. Valid until the call returns."""

    def gap(self, message: Any) -> None:
        """Here bytes are missing: they are not in the capture."""
