"""Content codings undone (RFC 9110 §8.4), piece by piece and no further than asked for."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

_PIECE: Final = 1 << 16  # bytes that a decoder gives at once
_LARGEST_WINDOW: Final = 27  # log2 of the bytes that zstd may set aside for its window; RFC 9659 asks for 23

Pieces = Iterator[bytes]


class CannotDecode(Exception):
    """The body is damaged, or nothing here can do it. What came before is right."""


def decoded(pieces: Iterable[bytes], codings: list[str]) -> Pieces:
    """The content before these codings were applied, in that order. Raises CannotDecode, also if the end is missing."""
    found = iter(pieces)
    for coding in reversed(codings):
        decoder = _DECODERS.get(coding)
        if decoder is None:
            raise CannotDecode(f"the coding {coding} is not known here")
        found = decoder(found)
    return found


def _gzip(pieces: Pieces) -> Pieces:
    """RFC 1952; there may be several members (§2.2)."""
    decoder: Any = None
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if decoder is None or decoder.eof:
                    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
                yield decoder.decompress(rest, _PIECE)
                rest = decoder.unconsumed_tail or decoder.unused_data
        yield from _rest(decoder)
    except zlib.error as error:
        raise CannotDecode(str(error)) from error


def _deflate(pieces: Pieces) -> Pieces:
    """RFC 9110 §8.4.1.2: the format of zlib; some send the bare one."""
    decoder: Any = None
    begin = b""
    try:
        for piece in pieces:
            rest = begin + piece
            if decoder is None:
                begin = rest
                if len(begin) < 2:  # which format it is they tell together
                    continue
                zlib_format = begin[0] & 15 == 8 and int.from_bytes(begin[:2], "big") % 31 == 0
                decoder = zlib.decompressobj(zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS)
                begin = b""
            while rest and not decoder.eof:
                yield decoder.decompress(rest, _PIECE)
                rest = decoder.unconsumed_tail
        if begin:
            raise CannotDecode("its end is missing")
        yield from _rest(decoder)
    except zlib.error as error:
        raise CannotDecode(str(error)) from error


def _rest(decoder: Any) -> Pieces:
    """What a decoder of zlib still holds back."""
    while decoder is not None and not decoder.eof and (more := decoder.decompress(b"", _PIECE)):
        yield more
    if decoder is not None and not decoder.eof:
        raise CannotDecode("its end is missing")


def _zstd(pieces: Pieces) -> Pieces:
    """RFC 8878."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    options = {int(zstd.DecompressionParameter.window_log_max): _LARGEST_WINDOW}
    decoder: Any = None
    try:
        for piece in pieces:
            rest = piece
            while rest or (decoder is not None and not decoder.eof and not decoder.needs_input):
                if decoder is None or decoder.eof:
                    decoder = zstd.ZstdDecompressor(options=options)
                yield decoder.decompress(rest, _PIECE)
                rest = decoder.unused_data if decoder.eof else b""
    except zstd.ZstdError as error:
        raise CannotDecode(str(error)) from error
    if decoder is not None and not decoder.eof:
        raise CannotDecode("its end is missing")


def _brotli(pieces: Pieces) -> Pieces:
    """RFC 7932."""
    import brotli

    decoder = brotli.Decompressor()
    try:
        for piece in pieces:
            yield decoder.process(piece, output_buffer_limit=_PIECE)
            while not decoder.is_finished() and not decoder.can_accept_more_data():
                yield decoder.process(b"", output_buffer_limit=_PIECE)
    except brotli.error as error:
        raise CannotDecode(str(error)) from error
    if not decoder.is_finished():
        raise CannotDecode("its end is missing")


def _as_it_is(pieces: Pieces) -> Pieces:
    return pieces


_DECODERS: Final[dict[str, Callable[[Pieces], Pieces]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
    "identity": _as_it_is,
}
