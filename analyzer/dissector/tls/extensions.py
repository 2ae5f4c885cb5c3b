# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Extensions of hello messages and certificates. RFC 8446 §4.2; RFC 6066 for the older ones.

Pure-Python mode, types in `extensions.pxd`.
"""

from __future__ import annotations

import struct
from typing import Final

import cython

COMPILED = cython.compiled

SERVER_NAME: Final = 0
MAX_FRAGMENT_LENGTH: Final = 1
STATUS_REQUEST: Final = 5
SUPPORTED_GROUPS: Final = 10
EC_POINT_FORMATS: Final = 11
SIGNATURE_ALGORITHMS: Final = 13
HEARTBEAT: Final = 15
ALPN: Final = 16
STATUS_REQUEST_V2: Final = 17
SIGNED_CERTIFICATE_TIMESTAMP: Final = 18
CLIENT_CERTIFICATE_TYPE: Final = 19
SERVER_CERTIFICATE_TYPE: Final = 20
ENCRYPT_THEN_MAC: Final = 22
EXTENDED_MASTER_SECRET: Final = 23
COMPRESS_CERTIFICATE: Final = 27
RECORD_SIZE_LIMIT: Final = 28
SESSION_TICKET: Final = 35
KEY_SHARE_DRAFT: Final = 40
PRE_SHARED_KEY: Final = 41
EARLY_DATA: Final = 42
SUPPORTED_VERSIONS: Final = 43
COOKIE: Final = 44
PSK_KEY_EXCHANGE_MODES: Final = 45
POST_HANDSHAKE_AUTH: Final = 49
SIGNATURE_ALGORITHMS_CERT: Final = 50
KEY_SHARE: Final = 51
NEXT_PROTOCOL: Final = 13172
ENCRYPTED_CLIENT_HELLO: Final = 65037
ENCRYPTED_SERVER_NAME: Final = 65486
RENEGOTIATION_INFO: Final = 65281

Extensions = dict[int, bytes]


class Malformed(Exception):
    """A message that contradicts its own lengths. Caught where messages are parsed; nothing else sees it."""


@cython.final
@cython.cclass
class Reader:
    """Reads a message from its beginning; `left`: its bytes to come. Lengths are big endian, RFC 8446 §3.3."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.left = len(data)

    @cython.ccall
    def take(self, count: cython.longlong) -> bytes:
        at: cython.Py_ssize_t = self._at
        self._pass(count)
        return self._data[at : self._at]

    @cython.ccall
    def number(self, size: cython.int) -> cython.longlong:
        """Of up to four bytes."""
        octets: cython.p_uchar = self._data
        at: cython.Py_ssize_t = self._at
        found: cython.longlong = 0
        self._pass(size)
        while at < self._at:
            found = found << 8 | octets[at]
            at += 1
        return found

    @cython.ccall
    def vector(self, size: cython.int) -> bytes:
        """Bytes after their length, which takes `size` bytes. RFC 8446 §3.4."""
        return self.take(self.number(size))

    @cython.cfunc
    def _pass(self, count: cython.longlong) -> cython.void:
        if count > self.left:
            raise Malformed(f"{count} bytes are said to follow, {self.left} do")
        self._at += count
        self.left -= count


@cython.ccall
def numbers(data: bytes, size: cython.int = 2) -> tuple:
    """A list of numbers of two bytes, or one."""
    if len(data) % size:
        raise Malformed(f"{len(data)} bytes are no list of numbers of {size} bytes")
    return tuple(data) if size == 1 else struct.unpack(f">{len(data) // 2}H", data)


@cython.ccall
def items(data: bytes, size: cython.int) -> list:
    """A list of vectors."""
    found: list = []
    reader: Reader = Reader(data)
    while reader.left:
        found.append(reader.vector(size))
    return found


@cython.ccall
def parse(data: bytes) -> tuple:
    """Bodies by type (the first where a type is repeated), types in order, and what is wrong. RFC 8446 §4.2.

    `data` is what comes behind the length of all extensions.
    """
    octets: cython.p_uchar = data
    at: cython.Py_ssize_t = 0
    end: cython.Py_ssize_t
    size: cython.Py_ssize_t = len(data)
    kind: cython.int
    found: dict = {}
    types: list = []
    fault: str = None
    while at < size:
        if at + 4 > size:
            return found, tuple(types), "extensions end inside a header (RFC 8446 §4.2)"
        kind = octets[at] << 8 | octets[at + 1]
        end = at + 4 + (octets[at + 2] << 8 | octets[at + 3])
        if end > size:
            return found, tuple(types), "an extension is longer than its message (RFC 8446 §4.2)"
        number: object = kind
        if number in found:
            fault = f"extension {kind} is there twice (RFC 8446 §4.2)"
        else:
            found[number] = data[at + 4 : end]
        types.append(number)
        at = end
    return found, tuple(types), fault


# Values that mean nothing and keep implementations used to that: 0x0A0A, 0x1A1A, … 0xFAFA. RFC 8701 §2.
GREASE: Final = frozenset(range(0x0A0A, 0x10000, 0x1010))


@cython.ccall
def server_name(body: bytes) -> str | None:
    """RFC 6066 §3: of a list with one name, in practice."""
    reader: Reader = Reader(Reader(body).vector(2))
    while reader.left:
        kind = reader.number(1)
        value: bytes = reader.vector(2)
        if kind == 0:
            return value.decode("ascii", "backslashreplace")
    return None


@cython.ccall
def protocols(body: bytes) -> tuple:
    """RFC 7301 §3.1."""
    return tuple(items(Reader(body).vector(2), 1))


@cython.ccall
def key_shares(body: bytes) -> tuple:
    """Groups for which a ClientHello has a key share. RFC 8446 §4.2.8."""
    reader: Reader = Reader(Reader(body).vector(2))
    found: list = []
    while reader.left:
        found.append(reader.number(2))
        reader.vector(2)
    return tuple(found)
