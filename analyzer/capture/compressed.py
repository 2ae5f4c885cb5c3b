"""Captures inside an archive of gzip, xz, bzip2, zstd or lz4: unpacked while they are read, in bounded memory.

An archive is a sequence of members, such as `cat a.gz b.gz` makes; each is recognised by how it begins.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

from analyzer.capture.window import Window

MAGIC_BYTES = 4  # tell the formats apart

# What one call of a decoder is given and gives at most: it bounds the memory that a bomb can take, and what is lost
# where a decoder finds damage, since it then keeps what it had unpacked.
_PIECE_BYTES = 1 << 16
# A new member is fed little at first: thousands of tiny ones would otherwise be copied over and over.
_FIRST_PIECE_BYTES = 512
# A dictionary that the archive may ask for. `xz -9` needs 65 MiB, `zstd --ultra -22` 128 MiB.
MAX_DICTIONARY_BYTES = 128 << 20


class Decoder(Protocol):
    """The interface that Python's standard library gives decompressors."""

    @property
    def eof(self) -> bool: ...  # the member is over
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...  # what followed the member

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Inflate:
    """zlib's decompressor with that interface."""

    def __init__(self) -> None:
        import zlib

        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: gzip, with its header and check (RFC 1952)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


# The libraries are loaded when the first archive of their kind is met.


def _gzip() -> tuple[Decoder, type[Exception]]:
    import zlib

    return _Inflate(), zlib.error


def _xz() -> tuple[Decoder, type[Exception]]:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DICTIONARY_BYTES + (8 << 20)), lzma.LZMAError


def _bzip2() -> tuple[Decoder, type[Exception]]:
    import bz2

    return bz2.BZ2Decompressor(), OSError


def _zstd() -> tuple[Decoder, type[Exception]]:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    options = {int(zstd.DecompressionParameter.window_log_max): MAX_DICTIONARY_BYTES.bit_length() - 1}
    return zstd.ZstdDecompressor(options=options), zstd.ZstdError


def _lz4() -> tuple[Decoder, type[Exception]]:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor(), RuntimeError


class Codec(NamedTuple):
    """`start` makes a decoder for one member, and tells what it raises where the data is damaged."""

    name: str
    start: Callable[[], tuple[Decoder, type[Exception]]]


_CODECS = {
    b"\x1f\x8b\x08": Codec("gzip", _gzip),  # RFC 1952 §2.3.1: deflate is the only method there is
    b"\x28\xb5\x2f\xfd": Codec("zstd", _zstd),  # RFC 8878 §3.1.1
    b"\xfd7zX": Codec("xz", _xz),  # The .xz File Format §2.1.1.1
    b"BZh": Codec("bzip2", _bzip2),
    b"\x04\x22\x4d\x18": Codec("lz4", _lz4),  # LZ4 Frame Format, "Magic Number"
}


def codec_of(beginning: bytes) -> Codec | None:
    """What the data is compressed with, told by its first MAGIC_BYTES; None if with nothing known."""
    for magic, codec in _CODECS.items():
        if beginning.startswith(magic):
            return codec
    # RFC 8878 §3.1.2: a skippable frame, which lz4 has, too. Archives may begin with one; zstd's library skips it.
    if beginning[1:4] == b"\x2a\x4d\x18" and beginning[0] >> 4 == 5:
        return _CODECS[b"\x28\xb5\x2f\xfd"]
    return None


class Archive:
    """A file object that unpacks what `raw` holds and reads, beginning at its `start`.

    Where the archive is cut off or damaged, `readinto` delivers what could be unpacked, then raises an OSError that
    says what happened. Of a damaged member the last 64 KiB may be missing, unless it is shorter than that.
    """

    def __init__(self, raw: Window):
        self.raw = raw
        self._codec = Codec("", _gzip)
        self._decoder: Decoder | None = None  # None between members
        self._error: type[Exception] = OSError
        self._output = memoryview(b"")
        self._full = False  # the decoder gave as much as it may: there is perhaps more
        # The decoder has had `_fed` bytes from `raw.start` on. While `_whole`, they are all of the member so far, so
        # that it can be unpacked once more, bytewise, up to the byte that is wrong.
        self._fed, self._whole = 0, True
        self._piece = _FIRST_PIECE_BYTES
        self._made = 0  # bytes unpacked of the member
        self._again = 0  # of these, still to be unpacked once more
        self._failure: OSError | None = None

    @property
    def position(self) -> int:
        """Bytes of the archive read so far."""
        return self.raw.position

    @property
    def pending(self) -> bool:
        """Whether there may be something to deliver without reading."""
        waiting = self._decoder is not None and (self._full or not self._decoder.needs_input)
        return bool(self._output) or waiting or self.raw.held > self._fed

    def read(self, size: int) -> bytes:
        room = bytearray(size)
        return bytes(room[: self.readinto(memoryview(room))])

    def readinto(self, room: memoryview) -> int:
        """Fills `room` with what can be had in one read of the archive; 0 at its end."""
        filled = 0
        while filled < len(room):
            if not self._output:
                if filled and not self.pending:
                    break
                try:
                    if self._failure is not None or not self._unpack():
                        break
                except OSError as error:
                    self._failure = error
                    break
            took = min(len(self._output), len(room) - filled)
            room[filled : filled + took] = self._output[:took]
            self._output = self._output[took:]
            filled += took
        # Trouble is told after everything that comes before it.
        if self._failure is not None and not filled:
            raise self._failure
        return filled

    def _unpack(self) -> bool:
        """One call of a decoder; false at the end. Raises OSError."""
        raw = self.raw
        if self._decoder is None and not self._begin():
            return False
        decoder = cast(Decoder, self._decoder)
        data = b""
        if not self._full and decoder.needs_input:
            if not raw.need(self._fed + 1, patient=True):
                raise self._trouble(f"is cut off after {raw.position:,} bytes")
            at = raw.start + self._fed
            data = bytes(raw.view[at : min(at + self._piece, raw.end)])
        try:
            output = decoder.decompress(data, _PIECE_BYTES)
        except self._error as error:
            if not self._whole or self._piece == 1:
                at = raw.offset + self._fed + len(data)
                raise self._trouble(f"is damaged at or before byte {at:,}: {error}") from None
            self._decoder, self._error = self._codec.start()
            self._fed, self._piece, self._full, self._again = 0, 1, False, self._made
            return True
        self._fed += len(data)
        self._full = len(output) == _PIECE_BYTES
        self._output = memoryview(output)[self._again :]
        self._again -= len(output) - len(self._output)
        self._made += len(self._output)
        if decoder.eof:
            self._consume()
            raw.start -= len(decoder.unused_data or b"")
            self._decoder = None
        elif self._piece > 1:
            self._piece = min(2 * self._piece, _PIECE_BYTES)
            if self._fed > _PIECE_BYTES or not self._whole:
                self._whole = False
                self._consume()
        return True

    def _consume(self) -> None:
        self.raw.start += self._fed
        self._fed = 0

    def _begin(self) -> bool:
        """Starts the next member, if there is one. Zeros between members and after them are padding."""
        raw = self.raw
        while raw.need(1, patient=True) and not raw.view[raw.start]:
            zeros = bytes(raw.view[raw.start : raw.end])
            raw.start += len(zeros) - len(zeros.lstrip(b"\0"))
        if not raw.need(MAGIC_BYTES, patient=True) and raw.held == 0:
            if raw.failure is not None:
                raise OSError(raw.failure)
            return False
        codec = codec_of(bytes(raw.view[raw.start : min(raw.start + MAGIC_BYTES, raw.end)]))
        if codec is None:
            raise OSError(f"the {self._codec.name} data around it ends at byte {raw.offset:,}, but the file does not")
        self._codec = codec
        self._decoder, self._error = codec.start()
        self._whole, self._piece, self._full = True, _FIRST_PIECE_BYTES, False
        self._made = self._again = 0
        return True

    def _trouble(self, what: str) -> OSError:
        """`what` is wrong with the archive, unless the disk is."""
        return OSError(self.raw.failure or f"the {self._codec.name} data around it {what}")


class Unpacked(Window):
    """What is in memory of an archive's content. Offsets are those of the content."""

    def __init__(self, archive: Archive, chunk_bytes: int):
        super().__init__(archive, chunk_bytes)
        self._archive = archive

    @property
    def taken(self) -> int:
        return self._archive.position

    def quiet(self, seconds: float) -> bool:
        return not self._archive.pending and self._archive.raw.quiet(seconds)
