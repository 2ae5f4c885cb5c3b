"""Finds the next frame by its content, where the framing was lost or the capture began in the middle of a connection.

Nothing marks where a frame begins (RFC 9113 §4.1). What is believed is a chain of `CHAIN` frames, each of a known type
with the flags, the length and the stream it may have, each where the one before it says that it begins, and on streams
that are close together.
"""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.resync import Piece, Searched

HEADER: Final = 9  # bytes of a frame header, RFC 9113 §4.1
CHAIN: Final = 3

_SIZE = rb"[\x00-\xff]{2}"
_STREAM = rb"(?!\x00{4})[\x00-\x7f][\x00-\xff]{3}"  # the reserved bit is not set
_ZERO = rb"\x00{4}"
# Behind a header's first byte, which is 0: nobody is known to send frames of 64 KiB. Said once, the search is quick.
_BY_TYPE: Final = (
    # DATA that is empty says something only at the end of a stream: zeros are no frames.
    rb"(?:(?!\x00{2})" + _SIZE + rb"\x00[\x00\x01\x08\x09]|\x00{3}\x01)" + _STREAM,
    rb"(?!\x00{2})" + _SIZE + rb"\x01[\x00\x01\x04\x05\x08\x09\x0c\x0d\x20\x21\x24\x25\x28\x29\x2c\x2d]" + _STREAM,
    rb"\x00\x05\x02\x00" + _STREAM,
    rb"\x00\x04\x03\x00" + _STREAM,
    rb"(?:[\x00-\xff]{2}\x04\x00|\x00{2}\x04\x01)" + _ZERO,
    rb"(?!\x00[\x00-\x03])" + _SIZE + rb"\x05[\x00\x04\x08\x0c]" + _STREAM,
    rb"\x00\x08\x06[\x00\x01]" + _ZERO,
    rb"(?!\x00[\x00-\x07])" + _SIZE + rb"\x07\x00" + _ZERO,
    rb"\x00\x04\x08\x00[\x00-\x7f][\x00-\xff]{3}",
    _SIZE + rb"\x09[\x00\x04]" + _STREAM,
    rb"\x00[\x00-\xff]\x0a\x00[\x00-\x7f][\x00-\xff]{3}",
    _SIZE + rb"\x0c\x00" + _ZERO,
    rb"(?!\x00[\x00-\x03])\x00[\x00-\xff]\x10\x00" + _ZERO,
)
# A whole header. None begins with five zeros, which is said at once: files may have megabytes of them.
PLAUSIBLE: Final = re.compile(rb"\x00(?!\x00{4})(?:" + rb"|".join(_BY_TYPE) + rb")")
_SETTINGS, _CONTINUATION = 4, 9
_WITH_BLOCK: Final = (1, 5, 9)  # HEADERS, PUSH_PROMISE, CONTINUATION
_END_HEADERS: Final = 4
_REACH: Final = 1 << 16  # by how much the streams of a chain may differ: those in use are close together


def length_of(data: bytes | bytearray | memoryview, at: int) -> int:
    """Bytes of payload, as the header that begins there says."""
    return data[at] << 16 | data[at + 1] << 8 | data[at + 2]


def chained(data: bytes | bytearray, at: int, count: int, *, ends: bool = False) -> bool | None:
    """Whether a chain of `count` headers begins there; None: there are too few bytes to tell. `ends`: these are all the
    bytes there are, so a chain may be shorter, if its last frame ends where they do."""
    size = len(data)
    block = 0  # stream of a field block that has not ended: only CONTINUATION may follow (RFC 9113 §6.10)
    first = 0
    for index in range(count):
        if PLAUSIBLE.match(data, at) is None:
            return None if size - at < HEADER and not ends else False
        length, kind = length_of(data, at), data[at + 3]
        stream = int.from_bytes(data[at + 5 : at + HEADER], "big")
        if kind == _SETTINGS and length % 6:
            return False
        if index and (stream if kind == _CONTINUATION else 0) != block:
            return False
        if stream:
            first = first or stream
            if abs(stream - first) > _REACH:
                return False
        opens = kind in _WITH_BLOCK and not data[at + 4] & _END_HEADERS
        block = stream if opens else 0
        at += HEADER + length
        if ends and at == size:
            return True
    return True


class Resync(Searched):
    """Takes the bytes of one side until frames begin in them. What it finds does not depend on how they were cut."""

    __slots__ = ()

    def feed(self, piece: bytes, at_ns: int, packet: int) -> list[Piece] | None:
        """The bytes from the start of a frame on, if there is one."""
        self._add(piece, at_ns, packet)
        return self._search(ends=False)

    def end(self) -> list[Piece] | None:
        """No more bytes will come: the same, with less to go by."""
        return self._search(ends=True)

    def _search(self, *, ends: bool) -> list[Piece] | None:
        buffer = self._buffer
        begin = 0
        while True:
            found = PLAUSIBLE.search(buffer, begin)
            if found is None:
                if not ends:
                    # The last bytes may be the beginning of a header.
                    self._drop(max(begin, len(buffer) - HEADER + 1))
                return None
            begin = found.start()
            answer = chained(buffer, begin, CHAIN, ends=ends)
            if answer is not False:
                self._drop(begin)
                return self._found() if answer else None
            begin += 1
