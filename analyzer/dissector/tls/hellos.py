# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Hello messages: what their bytes say. RFC 8446 §4.1, RFC 5246 §7.4.1; in SSL 2.0's form RFC 5246 §E.2.

Each `parse_…` takes a message without its header of four bytes and returns what it found and what is wrong with it.
Nothing is raised; what cannot be read at all is None. Pure-Python mode, types in `hellos.pxd`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

import cython
import msgspec

from analyzer.dissector.tls import extensions as ext
from analyzer.dissector.tls.extensions import Malformed

if cython.compiled:
    from cython.cimports.analyzer.dissector.tls.extensions import Reader, numbers, parse
else:
    from analyzer.dissector.tls.extensions import Reader, numbers, parse

COMPILED = cython.compiled

TLS_1_3: Final = 0x0304
TLS_1_2: Final = 0x0303
SSL_2: Final = 0x0002
_TLS_1_3 = cython.declare(cython.int, TLS_1_3)
# RFC 8446 §4.1.3: SHA-256 of "HelloRetryRequest".
_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_VERSIONS: Final = {
    2: "SSL 2.0",
    0x300: "SSL 3.0",
    0x301: "TLS 1.0",
    0x302: "TLS 1.1",
    0x303: "TLS 1.2",
    0x304: "TLS 1.3",
}

_MOST_REMEMBERED: Final = 256  # bodies of each kind of list, and bytes, characters or numbers in each

NO_PROTOCOLS: Final[tuple[bytes, ...]] = ()
NO_NUMBERS: Final[tuple[int, ...]] = ()

T = TypeVar("T")
Body = TypeVar("Body", bytes, str, tuple[int, ...])
Found = tuple[T | None, list[str]]


@cython.ccall
def normal(version: cython.int) -> cython.int:
    """TLS 1.3's number for its drafts (0x7f12 is draft 18; 0xfb17 Facebook's draft 23), else the number itself."""
    return _TLS_1_3 if version >> 8 in (0x7F, 0xFB, 0x7E) else version


@cython.ccall
def version_name(version: cython.int) -> str:
    """ "TLS 1.2"; drafts of TLS 1.3 are "TLS 1.3"; what has no name is "0x1234"."""
    return _VERSIONS.get(normal(version)) or f"0x{version:04x}"


class ClientHello(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """RFC 8446 §4.1.2. Lists are in the order sent, GREASE included; None and empty: not there."""

    version: int  # legacy_version, or the only one before TLS 1.3
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    cipher_kinds: tuple[int, ...] = ()  # of three bytes, in SSL 2.0's form only
    ssl2_form: bool = False
    compression_methods: tuple[int, ...] = ()
    extensions: tuple[int, ...] = ()  # types
    server_name: str | None = None
    protocols: tuple[bytes, ...] = ()  # ALPN
    versions: tuple[int, ...] = ()  # supported_versions
    groups: tuple[int, ...] = ()
    point_formats: tuple[int, ...] = ()
    signature_schemes: tuple[int, ...] = ()
    certificate_signature_schemes: tuple[int, ...] = ()
    key_shares: tuple[int, ...] = ()  # groups
    ticket: bytes | None = None  # b"": the client would take one
    psk_identities: tuple[bytes, ...] = ()
    psk_modes: tuple[int, ...] = ()  # 0: psk_ke, 1: psk_dhe_ke
    early_data: bool = False
    record_size_limit: int | None = None  # bytes
    max_fragment_length: int | None = None  # bytes
    compress_certificate: tuple[int, ...] = ()
    encrypted_client_hello: bool = False  # real or GREASE: nobody can tell

    @property
    def alpn(self) -> list[str]:
        return [protocol.decode("utf-8", "backslashreplace") for protocol in self.protocols]

    @property
    def highest_version(self) -> int:
        """The highest version offered, GREASE left out; a draft counts as TLS 1.3."""
        offered = [version for version in self.versions if version not in ext.GREASE]
        return max(map(normal, offered)) if offered else normal(self.version)

    @property
    def grease(self) -> bool:
        return not ext.GREASE.isdisjoint((*self.cipher_suites, *self.extensions, *self.groups, *self.versions))


class ServerHello(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """RFC 8446 §4.1.3. Also a HelloRetryRequest."""

    legacy_version: int
    version: int  # the one that counts: of supported_versions, if that is there
    random: bytes
    session_id: bytes
    cipher_suite: int
    retry: bool = False  # a HelloRetryRequest
    compression_method: int = 0
    extensions: tuple[int, ...] = ()
    protocol: bytes | None = None  # ALPN
    group: int | None = None  # of the key share, or the one asked for
    psk: int | None = None  # which identity was selected
    extended_master_secret: bool = False
    encrypt_then_mac: bool = False
    ticket: bool = False  # a NewSessionTicket will follow, RFC 5077 §3.2
    raw_public_key: bool = False  # instead of certificates, RFC 7250 §3
    client_raw_public_key: bool = False
    next_protocols: bool = False
    record_size_limit: int | None = None

    @property
    def alpn(self) -> str | None:
        return None if self.protocol is None else self.protocol.decode("utf-8", "backslashreplace")

    @property
    def tls13(self) -> bool:
        return normal(self.version) == TLS_1_3

    @property
    def downgrade(self) -> bool:
        """The server could speak a higher version, and was made to speak this one. RFC 8446 §4.1.3."""
        return not self.tls13 and self.random[24:] in (b"DOWNGRD\0", b"DOWNGRD\1")


@cython.ccall
def extension(found: dict, kind, read, default, faults: list):
    """What `read` makes of the body of an extension, if it is there."""
    body = found.get(kind)
    if body is None:
        return default
    try:
        return read(body)
    except Malformed as problem:
        faults.append(f"extension {kind}: {problem} (RFC 8446 §4.2)")
        return default


@cython.ccall
def block(reader: Reader, faults: list) -> tuple:
    """Extensions by type and their types in order, at the end of a message; they may be missing altogether (RFC 5246
    §7.4.1.2)."""
    length: cython.longlong
    if not reader.left:
        return {}, ()
    length = reader.number(2)
    if length > reader.left:
        faults.append("extensions are longer than their message (RFC 8446 §4.2)")
        length = reader.left
    found, types, fault = parse(reader.take(length))
    if fault is not None:
        faults.append(fault)
    if reader.left:
        faults.append(f"{reader.left} bytes follow the extensions (RFC 8446 §4.2)")
    return found, types


def remembered(read: Callable[[Body], T]) -> Callable[[Body], T]:
    """The same, for bodies that are few: a program sends the same lists in each of its hellos."""
    known = lru_cache(_MOST_REMEMBERED)(read)
    return lambda body: known(body) if len(body) <= _MOST_REMEMBERED else read(body)


def listed(size: int, item: int = 2) -> Callable[[bytes], tuple[int, ...]]:
    return remembered(lambda body: numbers(Reader(body).vector(size), item))


def number(size: int) -> Callable[[bytes], int | None]:
    return lambda body: Reader(body).number(size)


_suites: Final = remembered(ext.numbers)
_protocols: Final = remembered(ext.protocols)
_bytes_in_1: Final = listed(1, 1)
_numbers_in_1: Final = listed(1)
_numbers_in_2: Final = listed(2)
_byte: Final = number(1)
_number: Final = number(2)


@cython.ccall
def parse_client_hello(body: bytes) -> tuple:
    reader: Reader = Reader(body)
    faults: list = []
    found: dict
    types: tuple
    try:
        version, random = reader.number(2), reader.take(32)
        session_id = reader.vector(1)
        cipher_suites = _suites(reader.vector(2))
        compression = tuple(reader.vector(1))
    except Malformed as problem:
        return None, [f"ClientHello: {problem} (RFC 8446 §4.1.2)"]
    if len(session_id) > 32:
        faults.append(f"a session id of {len(session_id)} bytes (RFC 5246 §7.4.1.2)")
    try:
        found, types = block(reader, faults)
    except Malformed as problem:
        found, types = {}, ()
        faults.append(f"ClientHello: {problem} (RFC 8446 §4.2)")
    fragment = extension(found, ext.MAX_FRAGMENT_LENGTH, _byte, None, faults)
    hello = ClientHello(
        version=version, random=random, session_id=session_id, cipher_suites=cipher_suites,
        compression_methods=compression, extensions=types,
        server_name=extension(found, ext.SERVER_NAME, ext.server_name, None, faults),
        protocols=extension(found, ext.ALPN, _protocols, (), faults),
        versions=extension(found, ext.SUPPORTED_VERSIONS, _numbers_in_1, (), faults),
        groups=extension(found, ext.SUPPORTED_GROUPS, _numbers_in_2, (), faults),
        point_formats=extension(found, ext.EC_POINT_FORMATS, _bytes_in_1, (), faults),
        signature_schemes=extension(found, ext.SIGNATURE_ALGORITHMS, _numbers_in_2, (), faults),
        certificate_signature_schemes=extension(found, ext.SIGNATURE_ALGORITHMS_CERT, _numbers_in_2, (), faults),
        key_shares=extension(found, ext.KEY_SHARE, ext.key_shares, (), faults)
        or extension(found, ext.KEY_SHARE_DRAFT, ext.key_shares, (), faults),
        ticket=found.get(ext.SESSION_TICKET),
        psk_identities=extension(found, ext.PRE_SHARED_KEY, _identities, (), faults),
        psk_modes=extension(found, ext.PSK_KEY_EXCHANGE_MODES, _bytes_in_1, (), faults),
        early_data=ext.EARLY_DATA in found,
        record_size_limit=extension(found, ext.RECORD_SIZE_LIMIT, _number, None, faults),
        max_fragment_length=256 << fragment if fragment in (1, 2, 3, 4) else None,  # RFC 6066 §4
        compress_certificate=extension(found, ext.COMPRESS_CERTIFICATE, _numbers_in_1, (), faults),
        encrypted_client_hello=ext.ENCRYPTED_CLIENT_HELLO in found or ext.ENCRYPTED_SERVER_NAME in found,
    )  # fmt: skip
    return hello, faults


@cython.ccall
def _identities(body: bytes) -> tuple:
    """RFC 8446 §4.2.11"""
    reader: Reader = Reader(Reader(body).vector(2))
    found: list = []
    while reader.left:
        found.append(reader.vector(2))
        reader.take(4)
    return tuple(found)


def parse_ssl2_client_hello(fragment: bytes) -> Found[ClientHello]:
    """RFC 5246 §E.2. `fragment`: the whole record behind its length."""
    reader: Reader = Reader(fragment)
    try:
        reader.take(1)
        version = reader.number(2)
        kinds, session, challenge = reader.number(2), reader.number(2), reader.number(2)
        if kinds % 3:
            raise Malformed(f"{kinds} bytes are no list of cipher kinds")
        specs, session_id, random = reader.take(kinds), reader.take(session), reader.take(challenge)
    except Malformed as problem:
        return None, [f"ClientHello in SSL 2.0's form: {problem} (RFC 5246 §E.2)"]
    offered = tuple(int.from_bytes(specs[at : at + 3], "big") for at in range(0, len(specs), 3))
    return ClientHello(
        version=version, random=random.rjust(32, b"\0"), session_id=session_id, ssl2_form=True, cipher_kinds=offered,
        cipher_suites=tuple(kind for kind in offered if kind < 0x10000),
    ), []  # fmt: skip


@cython.ccall
def parse_server_hello(body: bytes) -> tuple:
    reader: Reader = Reader(body)
    faults: list = []
    found: dict
    types: tuple
    try:
        legacy, random = reader.number(2), reader.take(32)
        # Drafts of TLS 1.3 before the 22nd had neither session id nor compression method; since, this is 0x0303.
        short = legacy >> 8 == 0x7F or legacy == TLS_1_3
        session_id = b"" if short else reader.vector(1)
        cipher_suite = reader.number(2)
        compression = 0 if short else reader.number(1)
        found, types = block(reader, faults)
    except Malformed as problem:
        return None, [f"ServerHello: {problem} (RFC 8446 §4.1.3)"]
    version = extension(found, ext.SUPPORTED_VERSIONS, _number, None, faults)
    share = ext.KEY_SHARE if ext.KEY_SHARE in found else ext.KEY_SHARE_DRAFT
    chosen = extension(found, ext.ALPN, _protocols, NO_PROTOCOLS, faults)
    hello = ServerHello(
        legacy_version=legacy, version=legacy if version is None else version, random=random, session_id=session_id,
        cipher_suite=cipher_suite, retry=random == _RETRY, compression_method=compression, extensions=types,
        protocol=chosen[0] if chosen else None,
        group=extension(found, share, _number, None, faults),
        psk=extension(found, ext.PRE_SHARED_KEY, _number, None, faults),
        extended_master_secret=ext.EXTENDED_MASTER_SECRET in found,
        encrypt_then_mac=ext.ENCRYPT_THEN_MAC in found,
        ticket=ext.SESSION_TICKET in found,
        raw_public_key=found.get(ext.SERVER_CERTIFICATE_TYPE) == b"\x02",
        client_raw_public_key=found.get(ext.CLIENT_CERTIFICATE_TYPE) == b"\x02",
        next_protocols=ext.NEXT_PROTOCOL in found,
        record_size_limit=extension(found, ext.RECORD_SIZE_LIMIT, _number, None, faults),
    )  # fmt: skip
    return hello, faults


def parse_hello_retry_request(body: bytes) -> Found[ServerHello]:
    """The message of its own that drafts of TLS 1.3 had before the 22nd."""
    reader: Reader = Reader(body)
    faults: list = []
    found: dict
    types: tuple
    try:
        version = reader.number(2)
        # From draft 19 on with the cipher suite.
        cipher_suite = reader.number(2) if version & 0xFF >= 19 else 0
        found, types = block(reader, faults)
    except Malformed as problem:
        return None, [f"HelloRetryRequest: {problem} (RFC 8446 §4.1.4)"]
    return ServerHello(
        legacy_version=version, version=version, random=b"", session_id=b"", cipher_suite=cipher_suite, retry=True,
        extensions=types, group=extension(found, ext.KEY_SHARE_DRAFT, _number, None, faults),
    ), faults  # fmt: skip


def ssl2_certificate(fragment: bytes) -> bytes | None:
    """The certificate in a SERVER-HELLO of SSL 2.0 (draft-hickman-netscape-ssl §2.6)."""
    reader: Reader = Reader(fragment)
    try:
        reader.take(5)
        length = reader.number(2)
        reader.take(4)
        return reader.take(length)
    except Malformed:
        return None
