# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What the TLS dissector finds: the steps the flow pages are matched against, alerts, and the handshakes behind.

Pure-Python mode, types in `steps.pxd`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

import cython
import msgspec

from analyzer.dissector.registries import name
from analyzer.dissector.tls.ciphers import suite
from analyzer.dissector.tls.hellos import TLS_1_3
from analyzer.model import Side

if cython.compiled:
    from cython.cimports.analyzer.dissector.tls.hellos import normal, version_name
else:
    from analyzer.dissector.tls.hellos import normal, version_name

COMPILED = cython.compiled

CLIENT: Final = 0
SERVER: Final = 1
SIDE_NAMES: Final[tuple[Side, Side]] = ("client", "server")

Seen = Literal["observed", "inferred", "hidden"]

_KEY_EXCHANGE: Final = re.compile(r"(?:TLS|SSL|TLCP)_(.+?)(?:_EXPORT(?:1024)?|_FIPS)?_WITH_")
# Beginnings of what stands before WITH, the longer ones first.
_KEY_EXCHANGES: Final = (
    ("DH_anon", "anon"), ("ECDH_anon", "anon"), ("ECDHE_PSK", "ecdhe_psk"), ("DHE_PSK", "dhe_psk"),
    ("PSK_DHE", "dhe_psk"), ("RSA_PSK", "rsa_psk"), ("PSK", "psk"), ("ECDHE", "ecdhe"), ("ECDH", "ecdh"),
    ("DHE", "dhe"), ("DH", "dh"), ("RSA", "rsa"), ("SRP", "srp"), ("GOST", "gost"), ("KRB5", "krb5"),
    ("ECCPWD", "eccpwd"), ("ECJPAKE", "ecjpake"),
)  # fmt: skip


class TlsEvent(msgspec.Struct, frozen=True, gc=False):
    """A step; what the fields mean is said where the names are, in the package."""

    side: Side
    step: str
    packet: int  # that completed it
    at_ns: int  # as fed
    seen: Seen = "observed"
    length: int = 0
    version: str | None = None
    cipher_suite: str | None = None
    key_exchange: str | None = None
    session_id: bool = False
    ticket: bool = False
    psk: bool = False
    early_data: bool = False
    sni: str | None = None
    alpn: str | None = None
    level: str | None = None
    description: str | None = None


class Alert(msgspec.Struct, frozen=True, gc=False):
    """RFC 8446 §6. Encrypted ones that could not be opened have neither level nor description."""

    side: Side
    level: str | None  # "warning", "fatal"
    description: str | None  # IANA's name
    packet: int
    encrypted: bool = False  # it was sent under encryption, opened or not


@cython.no_gc
@cython.final
@cython.cclass
class Handshake:
    """One negotiation: from a ClientHello on. A connection has several if it is negotiated anew."""

    def __init__(self) -> None:
        self.client_hello = None
        self.retry = None
        self.server_hello = None
        self.version = None  # negotiated; a draft of TLS 1.3 is TLS 1.3
        self.version_text = None
        self.tls13 = False
        self.cipher_suite = None
        self.suite_name = None
        self.key_exchange = None
        self.group = None  # of the key exchange
        self.alpn = None  # what the server chose
        self.early_accepted = None
        self.raw_public_key = [False, False]
        self.finished = [None, None]  # packet of each side's Finished, read or inferred
        self.over = False  # both sides have finished, as far as can be told
        self.data_seen = [False, False]
        self.early_seen = False
        self.transcript = []  # None: not complete
        self.transcript_bytes = 0
        self.mac_length = -1  # of a suite that authenticates and does not encrypt, up to TLS 1.2; -1: it encrypts
        # Bytes of records that hold nothing but a Finished or an alert of TLS 1.3: RFC 8446 §4.4.4, §5.2, §6.
        self.finished_length = 0
        self.alert_length = 0

    @cython.cfunc
    def speaks(self, version: cython.int) -> cython.void:
        """This version was negotiated."""
        self.version = normal(version)
        self.version_text = version_name(version)
        self.tls13 = self.version == TLS_1_3

    @cython.cfunc
    def negotiated(self, hello) -> cython.void:
        """Take in a ServerHello that is no HelloRetryRequest."""
        self.server_hello = hello
        self.speaks(hello.version)
        self.cipher_suite = hello.cipher_suite
        self.suite_name, self.key_exchange, self.mac_length, digest, tag = _said_of(hello.cipher_suite)
        self.alpn = hello.alpn
        self.raw_public_key = [hello.client_raw_public_key, hello.raw_public_key]
        if self.tls13:
            self.mac_length = -1
            self.finished_length = 4 + digest + 1 + tag
            self.alert_length = 2 + 1 + tag
            self.group = hello.group
            # RFC 8446 §2: with a key share it is (EC)DHE, with a pre-shared key or without.
            self.key_exchange = "psk" if hello.group is None else "dhe" if 0x100 <= hello.group <= 0x1FF else "ecdhe"

    @property
    def resumed(self) -> bool:
        """TLS 1.3 only: the server selected a pre-shared key."""
        return self.server_hello is not None and self.server_hello.psk is not None


@lru_cache(maxsize=1024)
def _said_of(code: int) -> tuple[str, str | None, int, int, int]:
    """Of a cipher suite: name, key exchange up to TLS 1.2, `Handshake.mac_length`, bytes of the hash and of the tag."""
    called = name("cipher-suites", code)
    found = suite(code)
    plain = found is not None and found.cipher.mode == "null"
    return (
        called,
        key_exchange(called),
        found.mac_length if plain else -1,
        48 if called.endswith("SHA384") else 32,
        8 if "_CCM_8" in called else 16,
    )


def key_exchange(suite_name: str) -> str | None:
    """What a cipher suite of TLS 1.2 or before says of its key exchange: "rsa", "ecdhe", …"""
    found = _KEY_EXCHANGE.match(suite_name)
    if found is None:
        return None
    return next((called for begin, called in _KEY_EXCHANGES if found[1].startswith(begin)), None)
