"""Compressed certificates: RFC 8879 §4."""

from __future__ import annotations

import sys
import zlib
from typing import Final

from analyzer.dissector.registries import name
from analyzer.dissector.tls.extensions import Malformed, Reader

ZLIB, BROTLI, ZSTD = 1, 2, 3
MOST_INFLATED: Final = 1 << 20  # bytes of a Certificate message that are unpacked


def decompress(body: bytes) -> tuple[bytes | None, str | None]:
    """The Certificate message in a CompressedCertificate, or why there is none. It is unpacked as far as it says."""
    reader = Reader(body)
    try:
        algorithm, length, packed = reader.number(2), reader.number(3), reader.vector(3)
    except Malformed as problem:
        return None, f"CompressedCertificate: {problem} (RFC 8879 §4)"
    if length > MOST_INFLATED:
        return None, f"a compressed certificate of {length} bytes is not unpacked (RFC 8879 §4)"
    try:
        plain = _unpack(algorithm, packed, length)
    except Malformed as problem:
        return None, f"a compressed certificate cannot be unpacked: {problem} (RFC 8879 §4)"
    if plain is None:
        return None, f"certificates compressed with {name('certificate-compression', algorithm)} are not read"
    if len(plain) != length:
        return None, f"a compressed certificate has {len(plain)} bytes or more, not {length} (RFC 8879 §4)"
    return plain, None


def _unpack(algorithm: int, packed: bytes, length: int) -> bytes | None:
    """At most one byte more than `length`; None: nobody knows the algorithm. Raises Malformed."""
    if algorithm == ZLIB:
        try:
            return zlib.decompressobj().decompress(packed, length + 1)
        except zlib.error as problem:
            raise Malformed(str(problem)) from problem
    if algorithm == ZSTD:
        return _unzstd(packed, length)
    return _unbrotli(packed, length) if algorithm == BROTLI else None


def _unzstd(packed: bytes, length: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    # It would else set memory aside for whatever the sender asks.
    options = {int(zstd.DecompressionParameter.window_log_max): MOST_INFLATED.bit_length() - 1}
    try:
        unpacked: bytes = zstd.ZstdDecompressor(options=options).decompress(packed, length + 1)
    except zstd.ZstdError as problem:
        raise Malformed(str(problem)) from problem
    return unpacked


def _unbrotli(packed: bytes, length: int) -> bytes:
    import brotli

    try:
        unpacked: bytes = brotli.Decompressor().process(packed, output_buffer_limit=length + 1)
    except brotli.error as problem:
        raise Malformed(str(problem)) from problem
    return unpacked
