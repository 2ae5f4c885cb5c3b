"""The other handshake messages: what their bytes say. RFC 8446 §4, RFC 5246 §7.4.

Each `parse_…` takes a message without its header of four bytes and returns what it found and what is wrong with it.
Nothing is raised; what cannot be read at all is None.
"""

from __future__ import annotations

import msgspec

from analyzer.dissector.tls import extensions as ext
from analyzer.dissector.tls.extensions import Malformed, Reader, numbers
from analyzer.dissector.tls.hellos import (
    NO_NUMBERS,
    NO_PROTOCOLS,
    TLS_1_2,
    TLS_1_3,
    Found,
    block,
    extension,
    listed,
    number,
)

(HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, END_OF_EARLY_DATA, HELLO_RETRY_REQUEST,
 ENCRYPTED_EXTENSIONS, CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE, CERTIFICATE_VERIFY,
 CLIENT_KEY_EXCHANGE, FINISHED, CERTIFICATE_STATUS, KEY_UPDATE, COMPRESSED_CERTIFICATE, NEXT_PROTOCOL) = (
    0, 1, 2, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 22, 24, 25, 67)  # fmt: skip


class EncryptedExtensions(msgspec.Struct, frozen=True, gc=False):
    """RFC 8446 §4.3.1."""

    extensions: tuple[int, ...] = ()
    protocol: bytes | None = None
    early_data: bool = False
    raw_public_key: bool = False
    client_raw_public_key: bool = False
    record_size_limit: int | None = None


class Certificate(msgspec.Struct, frozen=True, gc=False):
    """RFC 8446 §4.4.2, RFC 5246 §7.4.2. DER, the sender's own first."""

    certificates: list[bytes]
    context: bytes = b""  # TLS 1.3: which request it answers
    stapled: bool = False  # TLS 1.3: with an OCSP response


class ServerKeyExchange(msgspec.Struct, frozen=True, gc=False):
    """RFC 5246 §7.4.3, RFC 8422 §5.4."""

    group: int | None = None
    dh_bits: int | None = None  # of the prime
    signature_scheme: int | None = None  # TLS 1.2


class CertificateRequest(msgspec.Struct, frozen=True, gc=False):
    """RFC 5246 §7.4.4, RFC 8446 §4.3.2."""

    types: tuple[int, ...] = ()
    signature_schemes: tuple[int, ...] = ()
    authorities: int = 0


class NewSessionTicket(msgspec.Struct, frozen=True, gc=False):
    """RFC 5077 §3.3, RFC 8446 §4.6.1."""

    lifetime: int  # seconds
    ticket: bytes
    nonce: bytes = b""
    early_data: int | None = None  # most bytes of 0-RTT data


def parse_encrypted_extensions(body: bytes) -> Found[EncryptedExtensions]:
    reader = Reader(body)
    faults: list[str] = []
    try:
        found, types = block(reader, faults)
    except Malformed as problem:
        return None, [f"EncryptedExtensions: {problem} (RFC 8446 §4.3.1)"]
    chosen = extension(found, ext.ALPN, ext.protocols, NO_PROTOCOLS, faults)
    return EncryptedExtensions(
        types, chosen[0] if chosen else None, ext.EARLY_DATA in found,
        found.get(ext.SERVER_CERTIFICATE_TYPE) == b"\x02", found.get(ext.CLIENT_CERTIFICATE_TYPE) == b"\x02",
        extension(found, ext.RECORD_SIZE_LIMIT, number(2), None, faults),
    ), faults  # fmt: skip


def parse_certificate(body: bytes, *, tls13: bool, raw_public_key: bool = False) -> Found[Certificate]:
    """`raw_public_key`: what it carries is no certificate, so the list is empty."""
    reader = Reader(body)
    faults: list[str] = []
    try:
        if not tls13:
            if raw_public_key:
                return Certificate([]), faults  # RFC 7250 §3
            chain = [der for der in ext.items(reader.vector(3), 3) if der]
            if reader.left:
                faults.append(f"{reader.left} bytes follow the certificates (RFC 5246 §7.4.2)")
            return Certificate(chain), faults
        context, entries = reader.vector(1), Reader(reader.vector(3))
        chain, stapled = [], False
        while entries.left:
            chain.append(entries.vector(3))
            found, _, fault = ext.parse(entries.vector(2))
            stapled = stapled or ext.STATUS_REQUEST in found
            if fault:
                faults.append(fault)
    except Malformed as problem:
        section = "RFC 8446 §4.4.2" if tls13 else "RFC 5246 §7.4.2"
        return None, [f"Certificate: {problem} ({section})"]
    return Certificate([] if raw_public_key else chain, context, stapled), faults


def parse_server_key_exchange(body: bytes, suite_name: str, version: int) -> Found[ServerKeyExchange]:
    """RFC 8422 §5.4, RFC 5246 §7.4.3; RFC 4279 §2 and RFC 5489 §2 for a hint before it. Others are not read."""
    reader = Reader(body)
    group = bits = scheme = None
    kind = suite_name.partition("_")[2].partition("_WITH_")[0]
    try:
        if "PSK" in kind:
            reader.vector(2)
        if kind.startswith(("ECDHE", "ECDH_anon")):
            if reader.number(1) != 3:  # explicit curves are not in use
                return ServerKeyExchange(), []
            group = reader.number(2)
            reader.vector(1)
        elif kind.startswith(("DHE", "DH_anon", "PSK_DHE")):
            bits = int.from_bytes(reader.vector(2), "big").bit_length()
            reader.vector(2)
            reader.vector(2)
        if version == TLS_1_2 and kind.startswith(("ECDHE_RSA", "ECDHE_ECDSA", "DHE_RSA", "DHE_DSS")):
            scheme = reader.number(2)
            reader.vector(2)
    except Malformed as problem:
        return None, [f"ServerKeyExchange: {problem} (RFC 5246 §7.4.3)"]
    return ServerKeyExchange(group, bits, scheme), []


def parse_certificate_request(body: bytes, version: int) -> Found[CertificateRequest]:
    reader = Reader(body)
    faults: list[str] = []
    try:
        if version == TLS_1_3:
            reader.vector(1)
            found, _ = block(reader, faults)
            schemes = extension(found, ext.SIGNATURE_ALGORITHMS, listed(2), NO_NUMBERS, faults)
            return CertificateRequest((), schemes), faults
        types = tuple(reader.vector(1))
        schemes = numbers(reader.vector(2)) if version == TLS_1_2 else NO_NUMBERS
        return CertificateRequest(types, schemes, len(ext.items(reader.vector(2), 2))), faults
    except Malformed as problem:
        return None, [f"CertificateRequest: {problem} (RFC 5246 §7.4.4, RFC 8446 §4.3.2)"]


def parse_new_session_ticket(body: bytes, *, tls13: bool) -> Found[NewSessionTicket]:
    reader = Reader(body)
    faults: list[str] = []
    try:
        lifetime = reader.number(4)
        if not tls13:
            return NewSessionTicket(lifetime, reader.vector(2)), faults
        reader.take(4)  # ticket_age_add
        nonce, ticket = reader.vector(1), reader.vector(2)
        found, _ = block(reader, faults)
        return NewSessionTicket(
            lifetime, ticket, nonce, extension(found, ext.EARLY_DATA, number(4), None, faults)
        ), faults
    except Malformed as problem:
        return None, [f"NewSessionTicket: {problem} (RFC 5077 §3.3, RFC 8446 §4.6.1)"]
