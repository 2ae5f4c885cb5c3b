"""Header fields of one side out of its blocks (RFC 7541), as far as they can be known.

The dynamic table depends on every block before. After a loss, or when the capture began in the middle, entries made
from then on are known: they are counted from the newest (RFC 7541 §2.3.3). What refers to an older one is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import hpack
from hpack.hpack import decode_integer
from hpack.table import HeaderTable

MOST_BLOCK: Final = 262_144  # bytes of a block that are read
MOST_FIELDS: Final = 1 << 20  # size of all fields of a block, RFC 9113 §6.5.2: 32 bytes more each than it has
MOST_TABLE: Final = 1 << 20  # size of a dynamic table that is followed, RFC 7541 §4.1
DEFAULT_TABLE: Final = 4096  # RFC 9113 §6.5.2
LINE_BYTES: Final = 4  # ": " and CRLF, which a field has in HTTP/1.1
_PIECE: Final = 4096  # a longer block is decoded in pieces, since hpack copies what follows each field
_MOST_TEXTS: Final = 2 * MOST_TABLE  # bytes of values that are kept as text, so that one in the table is one text

_UNKNOWN: Final = b"\0unknown"  # compared by identity

Name = bytes | None
Value = bytes | None


class Block(NamedTuple):
    """A field section. A name or value of None depends on what is not known."""

    fields: list[tuple[Name, Value]]
    size: int  # bytes of the fields known, as lines of HTTP/1.1: "name: value" and CRLF
    unknown: int = 0  # fields that are not known, or not entirely
    error: tuple[str, str] | None = None  # why there are no fields: a code of RFC 9113 §7, and in words


class _Table(HeaderTable):
    """`complete`: all entries since the connection began are known."""

    complete = True

    def get_by_index(self, index: int) -> tuple[bytes, bytes]:
        known = self.STATIC_TABLE_LENGTH + len(self.dynamic_entries)
        if index > known and not self.complete:
            return _UNKNOWN, _UNKNOWN
        return super().get_by_index(index)


class HeaderDecoder:
    """What one side sends. `allowed`: size of the dynamic table that its peer accepts, by the settings that are in
    force or on their way."""

    __slots__ = ("_decoder", "_table", "_texts", "_texts_bytes", "allowed")

    def __init__(self, *, known: bool = True):
        self.allowed = DEFAULT_TABLE
        self._texts: dict[bytes, str] = {}
        self._texts_bytes = 0
        self._decoder = hpack.Decoder(max_header_list_size=MOST_FIELDS)
        self._decoder.max_allowed_table_size = MOST_TABLE
        self._begin(known=known)

    def _begin(self, *, known: bool) -> None:
        self._table = table = _Table()
        self._decoder.header_table = table
        if not known:
            table.complete = False
            table.maxsize = MOST_TABLE  # how large it is is not known either

    @property
    def known(self) -> bool:
        """Whether the whole dynamic table is known."""
        return self._table.complete

    def forget(self) -> None:
        """A block, or nobody knows how many, was missed."""
        self._begin(known=False)

    def decode(self, block: bytes) -> Block:
        """After an error nothing is known of the table."""
        try:
            fields, unknown, size = self._decode(block)
        except hpack.OversizedHeaderListError:
            self.forget()
            message = f"a block of {len(block)} bytes has more than {MOST_FIELDS} bytes of fields"
            return Block([], 0, 0, ("ENHANCE_YOUR_CALM", f"{message}: not read (RFC 7541 §7.3)"))
        except hpack.InvalidTableSizeError:
            self.forget()
            message = f"a dynamic table of more than {MOST_TABLE} bytes: not followed (RFC 7541 §7.3)"
            return Block([], 0, 0, ("COMPRESSION_ERROR", message))
        except hpack.HPACKError as error:
            self.forget()
            return Block([], 0, 0, ("COMPRESSION_ERROR", f"{_why(error)} (RFC 9113 §4.3)"))
        if self._table.complete and self._table.maxsize > self.allowed:
            message = f"a dynamic table of {self._table.maxsize} bytes, {self.allowed} are allowed (RFC 7541 §6.3)"
            self.allowed = self._table.maxsize  # said once
            return Block(fields, size, unknown, ("COMPRESSION_ERROR", message))
        return Block(fields, size, unknown)

    def _decode(self, block: bytes) -> tuple[list[tuple[Name, Value]], int, int]:
        decoder = self._decoder
        if len(block) <= _PIECE:
            found: list[Any] = list(decoder.decode(block, raw=True))
        else:
            found = []
            total = 0
            for piece in _pieces(block):
                fields = list(decoder.decode(piece, raw=True))
                total += sum(32 + len(name) + len(value) for name, value in fields)
                if total > MOST_FIELDS:
                    raise hpack.OversizedHeaderListError
                found += fields
        if self._table.complete:
            return found, 0, sum([len(name) + len(value) for name, value in found]) + LINE_BYTES * len(found)
        return _known(found)

    def text(self, value: bytes) -> str:
        """A name or a value as text. The same bytes give the same object: a block may refer to a long value that is in
        the table with one byte, as often as it likes."""
        text = self._texts.get(value)
        if text is None:
            if self._texts_bytes > _MOST_TEXTS:
                self._texts.clear()
                self._texts_bytes = 0
            text = self._texts[value] = value.decode("utf-8", "backslashreplace")
            self._texts_bytes += len(value)
        return text


def _known(found: list[tuple[bytes, bytes]]) -> tuple[list[tuple[Name, Value]], int, int]:
    fields: list[tuple[Name, Value]] = []
    unknown = size = 0
    for name, value in found:
        if name is _UNKNOWN:
            fields.append((None, None if value is _UNKNOWN else value))
            unknown += 1
        else:
            fields.append((name, value))
            size += len(name) + len(value) + LINE_BYTES
    return fields, unknown, size


def _pieces(block: bytes) -> Iterator[bytes]:
    """A block cut between fields, RFC 7541 §6."""
    view = memoryview(block)
    begin = at = 0
    seen = False  # a field
    while at < len(block):
        first = block[at]
        if first & 0xE0 == 0x20:
            if seen:
                raise hpack.HPACKDecodingError("Table size update not at the start of the block")
            at += decode_integer(view[at : at + 16], 5)[1]
            continue
        seen = True
        prefix = 7 if first & 0x80 else 6 if first & 0x40 else 4
        index, length = decode_integer(view[at : at + 16], prefix)
        at += length
        if not first & 0x80:
            for _ in range(1 if index else 2):
                count, length = decode_integer(view[at : at + 16], 7)
                at += length + count
        if at - begin >= _PIECE:
            yield block[begin:at]
            begin = at
    if begin < len(block):
        yield block[begin:]


def _why(error: hpack.HPACKError) -> str:
    """What hpack says, without the bytes."""
    if isinstance(error, hpack.InvalidTableIndexError):
        return f"{str(error)[:60].lower()}"
    return str(error).partition(" from ")[0].partition(":")[0][:100].lower() or "the block cannot be decoded"
