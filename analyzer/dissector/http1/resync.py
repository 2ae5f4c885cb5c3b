"""Finds the next message by its content, where the framing was lost: after a gap, in garbage, or in the middle of a
body because the capture began there.

What it finds does not depend on how the bytes were cut into segments. A line that looks like the start of a message
and stands in a body is taken for one; nothing in HTTP/1 would tell.
"""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.http1.odd import KNOWN_METHODS, TOKEN

_LONGEST_TARGET: Final = 8192
_LONGEST_METHOD: Final = 32
_LONGEST_REASON: Final = 1000
_REACH: Final = _LONGEST_TARGET + _LONGEST_METHOD + 64  # bytes before the version that a request line may need
_TRIM: Final = 32_768  # the buffer is cut when it is longer, so that single bytes do not move it every time

_VERSION: Final = b"HTTP/1."
_REQUEST_END = re.compile(rb" HTTP/1\.[01]\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9](?: [^\r\n\0]{0,%d})?\r?\n" % _LONGEST_REASON)
_LAST_TOKEN = re.compile(TOKEN + rb"{1,%d}\Z" % _LONGEST_METHOD)
_LONGEST_KNOWN: Final = max(map(len, KNOWN_METHODS))


class Resync:
    """Takes the bytes of one side until a message begins in them."""

    __slots__ = ("_buffer", "_fresh", "_requests", "_searched", "dropped")

    def __init__(self, *, requests: bool):
        """`requests`: look for request lines, else for status lines."""
        self._requests = requests
        self._buffer = bytearray()
        self._searched = 0
        self._fresh = True  # a line begins at the buffer's start
        self.dropped = 0  # bytes that went by

    @property
    def held(self) -> int:
        return len(self._buffer)

    def feed(self, piece: bytes) -> bytes | None:
        """The bytes from the start of a message on, if there is one."""
        buffer = self._buffer
        buffer += piece
        while True:
            at = buffer.find(_VERSION, self._searched)
            if at < 0:
                self._searched = max(self._searched, len(buffer) - len(_VERSION) + 1)
                break
            begin = self._request_around(at) if self._requests else self._response_at(at)
            if begin is None:  # its line is not complete yet
                self._searched = at
                break
            if begin >= 0:
                found = bytes(buffer[begin:])
                self.dropped += begin
                buffer.clear()
                return found
            self._searched = at + 1
        if len(buffer) > _TRIM:
            self._trim()
        return None

    def restart(self) -> None:
        """What comes next does not follow what came before."""
        self.dropped += len(self._buffer)
        self._buffer.clear()
        self._searched = 0
        self._fresh = True

    def _trim(self) -> None:
        keep = min(self._searched, len(self._buffer)) - _REACH
        if keep > 0:
            self._fresh = self._buffer[keep - 1] == 10
            self.dropped += keep
            self._searched -= keep
            del self._buffer[:keep]

    def _response_at(self, at: int) -> int | None:
        """Where the status line begins; -1: it is none; None: not yet known."""
        if _STATUS_LINE.match(self._buffer, at):
            return at
        longest = at + _LONGEST_REASON + 16
        return None if self._buffer.find(b"\n", at, longest) < 0 and len(self._buffer) < longest else -1

    def _request_around(self, version_at: int) -> int | None:
        """Where the request line with this version begins; -1: it is none; None: not yet known."""
        buffer = self._buffer
        if version_at == 0 or not _REQUEST_END.match(buffer, version_at - 1):
            return None if len(buffer) < version_at + 10 and buffer.find(b"\n", version_at) < 0 else -1
        lowest = max(0, version_at - 1 - _LONGEST_TARGET - _LONGEST_METHOD)
        line = buffer.rfind(b"\n", lowest, version_at) + 1
        whole = lowest == 0 and self._fresh
        before_target = buffer.rfind(b" ", max(line, lowest), version_at - 1)
        if before_target < 0 or before_target + 1 == version_at - 1:
            return -1
        start = max(line, lowest)
        token = _LAST_TOKEN.search(buffer[max(start, before_target - _LONGEST_METHOD) : before_target])
        if token is None:
            return -1
        begin = before_target - len(token[0])
        if begin == start and line > 0:
            return begin
        # In the middle of a line the last bytes of a body may stand before the method.
        for length in range(min(len(token[0]), _LONGEST_KNOWN), 2, -1):
            if token[0][-length:] in KNOWN_METHODS:
                return before_target - length
        return begin if begin == start and whole else -1
