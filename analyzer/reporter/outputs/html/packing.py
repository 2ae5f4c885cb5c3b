"""How data stands in the page: JSON, compressed and written in base64, in blocks of which each can be read by itself.

A block is text without any character that HTML or a script could act on, whatever it holds. The page unpacks a block
when something of it is to be shown.
"""

from __future__ import annotations

import base64
import tempfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_BLOCK_BYTES = 1 << 20  # of JSON; one that is larger holds a single item
_IN_MEMORY = 1 << 24
_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 6


def packed(data: bytes) -> str:
    """gzip (RFC 1952) in base64 (RFC 4648 §4). Equal data give equal text: there is no time in it."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return base64.b64encode(compressor.compress(data) + compressor.flush()).decode("ascii")


class Place(NamedTuple):
    """Where an item stands; -1, -1: nowhere."""

    block: int
    item: int


NOWHERE = Place(-1, -1)


class Blocks:
    """Items, each a JSON text, in blocks that are JSON arrays. At most `most` bytes of packed text are kept, the rest
    is left out."""

    def __init__(self, most: int):
        self._most = most
        self._items: list[bytes] = []
        self._bytes = 0
        self._ends: list[int] = []  # of the blocks, in the file
        # Closed with the object; a report is often larger than the memory it should take.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115

    def add(self, item: bytes) -> Place:
        """Where the item stands from now on."""
        if self.full:
            return NOWHERE
        if self._items and self._bytes + len(item) > _BLOCK_BYTES:
            self._flush()
        self._items.append(item)
        self._bytes += len(item)
        return Place(len(self._ends), len(self._items) - 1)

    @property
    def full(self) -> bool:
        return bool(self._ends) and self._ends[-1] >= self._most

    def _flush(self) -> None:
        if self._items:
            self._file.write(packed(b"[" + b",".join(self._items) + b"]").encode("ascii"))
            self._ends.append(self._file.tell())
            self._items, self._bytes = [], 0

    def texts(self) -> Iterator[str]:
        """All blocks, in order."""
        self._flush()
        self._file.seek(0)
        begin = 0
        for end in self._ends:
            yield self._file.read(end - begin).decode("ascii")
            begin = end
