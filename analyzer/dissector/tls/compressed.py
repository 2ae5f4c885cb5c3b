"""Compressed certificates: RFC 8879 §4."""

from __future__ import annotations

import importlib
import zlib
from typing import Any, Final

from analyzer.dissector.registries import name
from analyzer.dissector.tls.extensions import Malformed, Reader

ZLIB, BROTLI, ZSTD = 1, 2, 3
MOST_INFLATED: Final = 1 << 20  # bytes of a Certificate message that are unpacked


def decompress(body: bytes) -> tuple[bytes | None, str | None]:
    """The Certificate message in a CompressedCertificate, or why there is none.

    brotli and zstd are unpacked where a module for them is installed; nothing is unpacked further than it says it goes.
    """
    reader = Reader(body)
    try:
        algorithm, length, packed = reader.number(2), reader.number(3), reader.vector(3)
    except Malformed as problem:
        return None, f"CompressedCertificate: {problem} (RFC 8879 §4)"
    if length > MOST_INFLATED:
        return None, f"a compressed certificate of {length} bytes is not unpacked (RFC 8879 §4)"
    try:
        plain = _unpack(algorithm, packed, length)
    except Exception as problem:  # noqa: BLE001  each module raises its own
        return None, f"a compressed certificate cannot be unpacked: {problem} (RFC 8879 §4)"
    if plain is None:
        return None, f"certificates compressed with {name('certificate-compression', algorithm)} are not read"
    if len(plain) != length:
        return None, f"a compressed certificate has {len(plain)} bytes or more, not {length} (RFC 8879 §4)"
    return plain, None


def _unpack(algorithm: int, packed: bytes, length: int) -> bytes | None:
    """At most one byte more than `length`; None: there is nothing installed that can."""
    if algorithm == ZLIB:
        return zlib.decompressobj().decompress(packed, length + 1)
    if algorithm == BROTLI and (brotli := _installed("brotli")) is not None:
        try:
            unpacked: bytes = brotli.Decompressor().process(packed, output_buffer_limit=length + 1)
        except TypeError:  # before 1.2 it cannot be told to stop
            return None
        return unpacked
    if algorithm == ZSTD:
        if (standard := _installed("compression.zstd")) is not None:
            inflated: bytes = standard.ZstdDecompressor().decompress(packed, length + 1)
            return inflated
        if (zstandard := _installed("zstandard")) is not None:
            expanded: bytes = zstandard.ZstdDecompressor().stream_reader(packed).read(length + 1)
            return expanded
    return None


def _installed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        return None
