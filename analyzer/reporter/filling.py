# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Text with holes, and what is written into them. Pure-Python mode, types in `filling.pxd`.

A template is learnt from text in which placeholders stand for what differs: numbers, or strings between quotes, that
begin like no number that is reported. It is kept as pieces of text, each with the code of the hole behind it.
"""

from __future__ import annotations

import re

import cython
import msgspec
import numpy as np

from analyzer.dissector.pools import doubled

if cython.compiled:
    from cython.cimports.libc.string import memcpy

COMPILED = cython.compiled

# A placeholder is a number that no packet number, count or time reaches; its last four digits say what it stands for.
PLACEHOLDER = 9_000_000_000_000_000_000
_PLACEHOLDERS = re.compile(rb"900000000000000(\d{4})")


@cython.cclass
class Filler:
    """The templates, and the output. `parts`: end of a piece of `text`, and the hole behind it, -1 after the last."""

    def __init__(self):
        self.out = memoryview(np.zeros(1 << 17, np.uint8))
        self.at = 0
        self.text = memoryview(np.zeros(1 << 14, np.uint8))  # the templates' text, one after the other
        self.text_length = 0
        self.parts = memoryview(np.zeros(1 << 10, np.int64))
        self.part_count = 0
        self.encoder = msgspec.json.Encoder()

    @cython.cfunc
    def _learn(self, text: bytes) -> cython.longlong:
        """A new template: the place of its first part, and in the lower half that of its text."""
        first: cython.longlong = self.part_count
        start: cython.longlong = self.text_length
        at: cython.longlong = start
        k: cython.Py_ssize_t
        pieces: list = _PLACEHOLDERS.split(text)
        while at + len(text) > self.text.shape[0]:
            self.text = memoryview(doubled(self.text))
        while first + len(pieces) + 1 > self.parts.shape[0]:
            self.parts = memoryview(doubled(self.parts))
        for k in range(0, len(pieces), 2):
            piece = pieces[k]
            np.asarray(self.text)[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
            at += len(piece)
            self.parts[self.part_count] = at
            self.parts[self.part_count + 1] = int(pieces[k + 1]) if k + 1 < len(pieces) else -1
            self.part_count += 2
        self.text_length = at
        return first << 32 | start

    @cython.cfunc
    def _room(self, count: cython.Py_ssize_t) -> cython.int:
        """Make room for so many bytes, and for what some numbers can need."""
        while self.at + count + 64 > self.out.shape[0]:
            self.out = memoryview(doubled(self.out))

    @cython.cfunc
    def _copy(self, begin: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.int:
        """Writes a piece of the templates' text."""
        count: cython.Py_ssize_t = stop - begin
        self._room(count)
        if count <= 0:
            return 0
        if begin < 0 or stop > self.text.shape[0]:
            raise IndexError(stop)
        if cython.compiled:
            memcpy(cython.address(self.out[self.at]), cython.address(self.text[begin]), count)
        else:
            self.out[self.at : self.at + count] = self.text[begin:stop]
        self.at += count
        return 0

    # `_copy` has made room for a number behind the text: so nothing is raised, and nobody needs to look for it.

    @cython.cfunc
    @cython.exceptval(check=False)
    def _number(self, value: cython.longlong) -> cython.void:
        rest: cython.ulonglong
        pair: cython.uint
        count: cython.Py_ssize_t = 1
        at: cython.Py_ssize_t
        if value < 0:
            self.out[self.at] = 45  # -
            self.at += 1
            value = -value
        rest = value
        while rest >= 100:
            rest //= 100
            count += 2
        if rest >= 10:
            count += 1
        rest = value
        at = self.at + count
        self.at = at
        while rest >= 100:
            pair = rest % 100
            rest //= 100
            at -= 2
            self.out[at] = 48 + pair // 10
            self.out[at + 1] = 48 + pair % 10
        if rest >= 10:
            self.out[at - 1] = 48 + rest % 10
            rest //= 10
            at -= 1
        self.out[at - 1] = 48 + rest

    @cython.cfunc
    def _put(self, text: bytes) -> cython.int:
        count: cython.Py_ssize_t = len(text)
        self._room(count)
        if cython.compiled:
            memcpy(cython.address(self.out[self.at]), cython.cast(cython.p_char, text), count)
        else:
            self.out[self.at : self.at + count] = text
        self.at += count

    @cython.cfunc
    def _quoted(self, text: str) -> cython.int:
        """What stands between the quotes of a JSON string (RFC 8259 §7)."""
        data: bytes = text.encode()
        begin: cython.Py_ssize_t = self.at
        k: cython.Py_ssize_t
        byte: cython.uchar
        self._room(len(data))
        for k in range(len(data)):
            byte = data[k]
            if byte < 32 or byte > 126 or byte == 34 or byte == 92:  # quotation mark, backslash
                self.at = begin
                data = self.encoder.encode(text)
                self._put(data[1 : len(data) - 1])
                return 0
            self.out[self.at] = byte
            self.at += 1
        return 0
