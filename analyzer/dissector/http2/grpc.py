"""gRPC in the bodies of a stream: messages are counted by their prefix, and not looked at.

gRPC over HTTP/2: Length-Prefixed-Message → Compressed-Flag (one byte) Message-Length (four bytes) Message.
"""

from __future__ import annotations

from typing import Final

from analyzer.dissector.layer import EVERYTHING

CONTENT_TYPE: Final = b"application/grpc"
PREFIX: Final = 5  # bytes


class Messages:
    """One side of one stream. `broken`: why no more messages can be counted."""

    __slots__ = ("_prefix", "_remaining", "broken", "count")

    def __init__(self) -> None:
        self.count = 0  # complete ones
        self.broken: str | None = None
        self._prefix = bytearray()
        self._remaining = 0  # bytes of the message

    @property
    def inside(self) -> bool:
        return self.broken is None and bool(self._remaining or self._prefix)

    def unread(self) -> int:
        """How many bytes need not be looked at."""
        return EVERYTHING if self.broken else self._remaining

    def feed(self, data: bytes | memoryview) -> None:
        at, size = 0, len(data)
        while at < size and self.broken is None:
            if self._remaining:
                count = min(self._remaining, size - at)
                self._take(count)
                at += count
                continue
            need = PREFIX - len(self._prefix)
            self._prefix += data[at : at + need]
            at += need
            if len(self._prefix) == PREFIX:
                self._begin()

    def _begin(self) -> None:
        if self._prefix[0] > 1:
            self.broken = "a compressed flag that is neither 0 nor 1"
            return
        self._remaining = int.from_bytes(self._prefix[1:], "big")
        self._prefix.clear()
        if not self._remaining:
            self.count += 1

    def _take(self, count: int) -> None:
        self._remaining -= count
        if not self._remaining:
            self.count += 1

    def skip(self, length: int, *, lost: bool) -> None:
        """Bytes that were not looked at. A prefix among them cannot be made up for."""
        if self.broken is None and length <= self._remaining:
            self._take(length)
        elif length and self.broken is None:
            self.broken = "bytes are missing" if lost else "bytes were not looked at"


def is_grpc(content_type: bytes | None) -> bool:
    """ "application/grpc", or with "+proto" or the like behind it; "application/grpc-web" is something else."""
    if content_type is None or not content_type.startswith(CONTENT_TYPE):
        return False
    return content_type[len(CONTENT_TYPE) :][:1] in (b"", b"+", b";")
