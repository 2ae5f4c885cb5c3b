# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Header fields of one side out of its blocks (RFC 7541), as far as they can be known.

The dynamic table depends on every block before. After a loss, or when the capture began in the middle, entries made
from then on are known: they are counted from the newest (RFC 7541 §2.3.3). What refers to an older one is unknown.
Pure-Python mode, types in `header_blocks.pxd`. The static table and the code of Huffman are those of hpack.
"""

from __future__ import annotations

import cython
from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE
from hpack.table import HeaderTable

COMPILED = cython.compiled

MOST_BLOCK = 262_144  # bytes of a block that are read
MOST_FIELDS = 1 << 20  # size of all fields of a block, RFC 9113 §6.5.2: 32 bytes more each than it has
MOST_TABLE = 1 << 20  # size of a dynamic table that is followed, RFC 7541 §4.1
DEFAULT_TABLE = 4096  # RFC 9113 §6.5.2
LINE_BYTES = 4  # ": " and CRLF, which a field has in HTTP/1.1
_MOST_TEXTS = 2 * MOST_TABLE  # bytes of values that are kept as text, so that one in the table is one text

_ENTRY = cython.declare(cython.longlong, 32)  # what a field counts beside its bytes, RFC 7541 §4.1
_LONGEST = cython.declare(cython.int, 5)  # bytes of an integer behind its first one: enough for 32 bits
_UNKNOWN = cython.declare(bytes, b"\0unknown")  # compared by identity
_NOT_KNOWN = cython.declare(tuple, (_UNKNOWN, _UNKNOWN))
_STATIC = cython.declare(list, list(HeaderTable.STATIC_TABLE))
# By state and four bits: the next state, what that means, and the byte.
_NEXT = cython.declare(bytes, bytes([state for state, _, _ in HUFFMAN_TABLE]))
_MEANS = cython.declare(bytes, bytes([flags for _, flags, _ in HUFFMAN_TABLE]))
_BYTE = cython.declare(bytes, bytes([byte for _, _, byte in HUFFMAN_TABLE]))
_FAIL = cython.declare(cython.int, HUFFMAN_FAIL)
_EMIT = cython.declare(cython.int, HUFFMAN_EMIT_SYMBOL)
_COMPLETE = cython.declare(cython.int, HUFFMAN_COMPLETE)


class _Unreadable(Exception):
    """A code of RFC 9113 §7, and in words."""


@cython.no_gc
@cython.final
@cython.cclass
class Block:
    """A field section. `fields`: name and value; one of None depends on what is not known. `size`: bytes of the fields
    known, as lines of HTTP/1.1: "name: value" and CRLF. `unknown`: fields that are not known, or not entirely.
    `error`: why there are no fields: a code of RFC 9113 §7, and in words."""

    def __init__(self, fields, size, unknown=0, error=None):
        self.fields = fields
        self.size = size
        self.unknown = unknown
        self.error = error


@cython.no_gc
@cython.final
@cython.cclass
class HeaderDecoder:
    """What one side sends. `allowed`: size of the dynamic table that its peer accepts, by the settings that are in
    force or on their way. `known`: whether the whole dynamic table is known."""

    def __init__(self, known=True):
        self.allowed = DEFAULT_TABLE
        self._texts = None
        self._texts_bytes = 0
        self._begin(known)

    @cython.cfunc
    def _begin(self, known: cython.bint) -> cython.void:
        self.known = known
        self._table = None
        self._first = 0
        self._table_size = 0
        self._largest = DEFAULT_TABLE if known else MOST_TABLE  # how large it is is not known either

    @cython.ccall
    def forget(self) -> cython.void:
        """A block, or nobody knows how many, was missed."""
        self._begin(False)

    @cython.ccall
    def decode(self, block: bytes) -> Block:
        """After an error nothing is known of the table."""
        found: Block = Block([], 0)
        try:
            self._decode(block, found)
        except _Unreadable as error:
            self.forget()
            return Block([], 0, 0, error.args)
        if self.known and self._largest > self.allowed:
            message = f"a dynamic table of {self._largest} bytes, {self.allowed} are allowed (RFC 7541 §6.3)"
            self.allowed = self._largest  # said once
            found.error = ("COMPRESSION_ERROR", message)
        return found

    @cython.cfunc
    def _decode(self, block: bytes, found: Block) -> cython.void:
        """RFC 7541 §6."""
        fields: list = found.fields
        size: cython.Py_ssize_t = len(block)
        count: cython.longlong = 0
        total: cython.longlong = 0
        unknown: cython.longlong = 0
        most: cython.longlong = MOST_FIELDS
        first: cython.uchar
        index: cython.longlong
        name: bytes
        value: bytes
        entry: tuple
        self._at = 0
        while self._at < size:
            first = block[self._at]
            if first & 0x80:
                entry = self._entry(self._integer(block, 0x7F))
                name = entry[0]
                value = entry[1]
            elif first & 0xE0 == 0x20:
                if count:
                    raise _malformed("table size update not at the start of the block")
                index = self._integer(block, 0x1F)
                if index > MOST_TABLE:
                    message = f"a dynamic table of more than {MOST_TABLE} bytes: not followed (RFC 7541 §7.3)"
                    raise _Unreadable("COMPRESSION_ERROR", message)
                self._resize(index)
                continue
            else:
                index = self._integer(block, 0x3F if first & 0x40 else 0x0F)
                if index:
                    entry = self._entry(index)
                    name = entry[0]
                else:
                    name = self._string(block)
                value = self._string(block)
                entry = (name, value)
                if first & 0x40:
                    self._add(entry)
            count += 1
            total += len(name) + len(value)
            if total + _ENTRY * count > most:
                message = f"a block of {size} bytes has more than {MOST_FIELDS} bytes of fields"
                raise _Unreadable("ENHANCE_YOUR_CALM", f"{message}: not read (RFC 7541 §7.3)")
            if name is _UNKNOWN:
                unknown += 1
                found.size -= len(name) + len(value) + LINE_BYTES
                entry = (None, None if value is _UNKNOWN else value)
            fields.append(entry)
        found.size += total + LINE_BYTES * count
        found.unknown = unknown

    @cython.cfunc
    def _integer(self, block: bytes, mask: cython.longlong) -> cython.longlong:
        """§5.1. `mask`: the bits of the first byte that belong to it."""
        at: cython.Py_ssize_t = self._at
        size: cython.Py_ssize_t = len(block)
        number: cython.longlong
        byte: cython.longlong
        shift: cython.int = 0
        if at >= size:
            raise _malformed("unable to decode hpack integer representation")
        number = block[at] & mask
        at += 1
        if number == mask:
            while True:
                if at >= size:
                    raise _malformed("unable to decode hpack integer representation")
                byte = block[at]
                at += 1
                number += (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
                if shift >= 7 * _LONGEST:
                    raise _malformed("variable integer representation is too long")
        self._at = at
        return number

    @cython.cfunc
    def _string(self, block: bytes) -> bytes:
        """§5.2."""
        at: cython.Py_ssize_t = self._at
        coded: cython.bint = at < len(block) and block[at] & 0x80 != 0
        length: cython.longlong = self._integer(block, 0x7F)
        at = self._at
        if length > len(block) - at:
            raise _malformed("truncated header block")
        self._at = at + length
        return _huffman(block, at, self._at) if coded else block[at : self._at]

    # The dynamic table

    @cython.cfunc
    def _entry(self, index: cython.longlong) -> tuple:
        """§2.3.3. The newest entry is the last one of `_table`; those before `_first` were evicted."""
        known: cython.longlong = len(_STATIC)
        if 0 < index <= known:
            return _STATIC[index - 1]
        if index and self._table is not None and index - known <= len(self._table) - self._first:
            return self._table[len(self._table) - (index - known)]
        if index and not self.known:
            return _NOT_KNOWN
        raise _malformed(f"invalid table index {index}")

    @cython.cfunc
    def _add(self, entry: tuple) -> cython.void:
        """§4.4."""
        size: cython.longlong = _ENTRY + len(cython.cast(bytes, entry[0])) + len(cython.cast(bytes, entry[1]))
        if size > self._largest:
            self._table = None
            self._first = 0
            self._table_size = 0
            return
        if self._table is None:
            self._table = []
        self._table.append(entry)
        self._table_size += size
        self._evict()

    @cython.cfunc
    def _resize(self, largest: cython.longlong) -> cython.void:
        """§4.3."""
        self._largest = largest
        self._evict()

    @cython.cfunc
    def _evict(self) -> cython.void:
        table: list = self._table
        entry: tuple
        if table is None:
            return
        while self._table_size > self._largest:
            entry = table[self._first]
            self._table_size -= _ENTRY + len(cython.cast(bytes, entry[0])) + len(cython.cast(bytes, entry[1]))
            table[self._first] = None
            self._first += 1
        if self._first > 64 and 2 * self._first > len(table):
            del table[: self._first]
            self._first = 0

    # Texts

    @cython.cfunc
    def known_text(self, value: bytes | None) -> str | None:
        """As `text`; None if it is not known."""
        return self.text(value) if value is not None else None

    @cython.ccall
    def text(self, value: bytes) -> str:
        """A name or a value as text. The same bytes give the same object: a block may refer to a long value that is in
        the table with one byte, as often as it likes."""
        if self._texts is None:
            self._texts = {}
        text: str = self._texts.get(value)
        if text is None:
            if self._texts_bytes > _MOST_TEXTS:
                self._texts.clear()
                self._texts_bytes = 0
            text = value.decode("utf-8", "backslashreplace")
            self._texts[value] = text
            self._texts_bytes += len(value)
        return text


def _malformed(why):
    return _Unreadable("COMPRESSION_ERROR", f"{why} (RFC 9113 §4.3)")


@cython.cfunc
def _huffman(block: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> bytes:
    """§5.2, Appendix B."""
    out: bytearray = bytearray(2 * (end - at))  # the shortest codes have five bits
    count: cython.Py_ssize_t = 0
    state: cython.int = 0
    means: cython.int = _COMPLETE
    byte: cython.int
    index: cython.int
    bits: cython.int
    while at < end:
        byte = block[at]
        at += 1
        for bits in (byte >> 4, byte & 0x0F):
            index = state * 16 + bits
            state = _NEXT[index]
            means = _MEANS[index]
            if means & _FAIL:
                raise _malformed("invalid huffman string")
            if means & _EMIT:
                out[count] = _BYTE[index]
                count += 1
    if not means & _COMPLETE:
        raise _malformed("incomplete huffman string")
    if cython.compiled:
        return cython.cast(cython.p_char, out)[:count]
    return bytes(out[:count])
