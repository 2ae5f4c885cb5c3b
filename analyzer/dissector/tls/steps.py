"""What the TLS dissector finds: the steps the flow pages are matched against, alerts, and the handshakes behind."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from analyzer.dissector.registries import name
from analyzer.dissector.tls.ciphers import suite
from analyzer.dissector.tls.hellos import TLS_1_3, ClientHello, ServerHello, normal, version_name
from analyzer.model import Side

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


class Handshake:
    """One negotiation: from a ClientHello on. A connection has several if it is negotiated anew."""

    __slots__ = (
        "alpn", "cipher_suite", "client_hello", "data_seen", "early_accepted", "early_seen", "finished", "group",
        "key_exchange", "over", "raw_public_key", "retry", "server_hello", "suite_name", "transcript",
        "transcript_bytes", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.client_hello: ClientHello | None = None
        self.retry: ServerHello | None = None
        self.server_hello: ServerHello | None = None
        self.version: int | None = None  # negotiated; a draft of TLS 1.3 is TLS 1.3
        self.cipher_suite: int | None = None
        self.suite_name: str | None = None
        self.key_exchange: str | None = None
        self.group: int | None = None  # of the key exchange
        self.alpn: str | None = None  # what the server chose
        self.early_accepted: bool | None = None
        self.raw_public_key = [False, False]
        self.finished: list[int | None] = [None, None]  # packet of each side's Finished, read or inferred
        self.over = False  # both sides have finished, as far as can be told
        self.data_seen = [False, False]
        self.early_seen = False
        self.transcript: list[bytes] | None = []  # None: not complete
        self.transcript_bytes = 0

    @property
    def tls13(self) -> bool:
        return self.version == TLS_1_3

    @property
    def version_text(self) -> str | None:
        return None if self.version is None else version_name(self.version)

    def negotiated(self, hello: ServerHello) -> None:
        """Take in a ServerHello that is no HelloRetryRequest."""
        self.server_hello = hello
        self.version = normal(hello.version)
        self.cipher_suite = hello.cipher_suite
        self.suite_name = name("cipher-suites", hello.cipher_suite)
        self.alpn = hello.alpn
        self.raw_public_key = [hello.client_raw_public_key, hello.raw_public_key]
        if self.tls13:
            self.group = hello.group
            # RFC 8446 §2: with a key share it is (EC)DHE, with a pre-shared key or without.
            self.key_exchange = "psk" if hello.group is None else "dhe" if 0x100 <= hello.group <= 0x1FF else "ecdhe"
        else:
            self.key_exchange = key_exchange(self.suite_name)

    @property
    def resumed(self) -> bool:
        """TLS 1.3 only: the server selected a pre-shared key."""
        return self.server_hello is not None and self.server_hello.psk is not None

    @property
    def finished_length(self) -> int:
        """Bytes of a record that holds nothing but a Finished of TLS 1.3: RFC 8446 §4.4.4, §5.2."""
        return 4 + (48 if (self.suite_name or "").endswith("SHA384") else 32) + 1 + self.tag_length

    @property
    def alert_length(self) -> int:
        """Bytes of a record that holds an alert of TLS 1.3: RFC 8446 §5.2, §6."""
        return 2 + 1 + self.tag_length

    @property
    def tag_length(self) -> int:
        return 8 if "_CCM_8" in (self.suite_name or "") else 16

    @property
    def mac_length(self) -> int | None:
        """Of records under a suite that authenticates and does not encrypt, up to TLS 1.2; None: it encrypts."""
        if self.tls13 or self.cipher_suite is None:
            return None
        found = suite(self.cipher_suite)
        return found.mac_length if found is not None and found.cipher.mode == "null" else None


def key_exchange(suite_name: str) -> str | None:
    """What a cipher suite of TLS 1.2 or before says of its key exchange: "rsa", "ecdhe", …"""
    found = _KEY_EXCHANGE.match(suite_name)
    if found is None:
        return None
    return next((called for begin, called in _KEY_EXCHANGES if found[1].startswith(begin)), None)
