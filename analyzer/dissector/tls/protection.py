"""How records are protected, one class a way: what opens them, given keys of one direction.

`open` says which number a record turned out to have, and what is in it. It is right by proof, MAC or tag, and takes any
bytes. It knows the place of a record from a `Position`, which it leaves as it is.

This module needs the cryptography package to be loaded at all, so it is imported where there are keys.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, aead, algorithms, modes

from analyzer.dissector.tls.ciphers import Suite
from analyzer.dissector.tls.key_schedule import SSL_3_0, TLS_1_1, TLS_1_3, traffic_keys
from analyzer.dissector.tls.positions import HEADER, TAIL, Position

try:
    from cryptography.hazmat.decrepit.ciphers import algorithms as decrepit
except ImportError:  # before version 43 all were in one place
    decrepit = algorithms  # type: ignore[misc]

MOST_PLAIN: Final = 16_384  # bytes, RFC 8446 §5.1
MOST_ADDED: Final = 2048  # RFC 5246 §6.2.3; the compression of old may add 1024 of these
MOST_ADDED_1_3: Final = 256  # RFC 8446 §5.2
APPLICATION_DATA: Final = 23
KEYSTREAM_WORK: Final = 256 << 20  # bytes of keystream made for one record, at most
STREAM_TRY_COST: Final = 8  # how much dearer than others a try is where the place in a keystream is searched for
KEYSTREAM_HELD: Final = 16 << 20  # bytes of keystream held at once, while the place in it is searched for

Bytes = bytes | memoryview


class Opened(NamedTuple):
    sequence: int  # the number of the record
    content_type: int
    plaintext: bytes


class Protection:
    """The ways differ in `_attempt`, which tries one number, and in `_prepare`, which does once what all tries need."""

    longest = MOST_PLAIN + MOST_ADDED

    def open(self, position: Position, content_type: int, version: int, fragment: Bytes) -> Opened | None:
        if not 0 < len(fragment) <= self.longest:
            return None
        data = self._prepare(position, fragment)
        if data is None:
            return None
        if not position.slack:
            plain = self._attempt(position.sequence, content_type, version, data)
            return None if plain is None else Opened(position.sequence, content_type, plain)
        for sequence in self._numbers(position, fragment):
            plain = self._attempt(sequence, content_type, version, data)
            if plain is not None:
                return Opened(sequence, content_type, plain)
        return None

    def _numbers(self, position: Position, fragment: Bytes) -> Iterable[int]:
        return position.tries(len(fragment))

    def _prepare(self, position: Position, fragment: Bytes) -> Any:
        return fragment

    def _attempt(self, sequence: int, content_type: int, version: int, data: Any) -> bytes | None:
        raise NotImplementedError


class ExplicitNonce(Protection):
    """AES-GCM and AES-CCM of TLS 1.2: half of the nonce is sent with the record. RFC 5288 §3, RFC 6655 §3."""

    def __init__(self, cipher: aead.AESGCM | aead.AESCCM, salt: bytes, tag_length: int):
        self._decrypt = cipher.decrypt
        self._salt = salt
        self._least = 8 + tag_length
        self._ahead: int | None = None  # by how much the nonce sent is above the number: nearly always the same

    def _numbers(self, position: Position, fragment: Bytes) -> Iterable[int]:
        if self._ahead is not None:
            likely = int.from_bytes(fragment[:8], "big") - self._ahead
            if position.sequence <= likely < 1 << 64:
                yield likely
        yield from position.tries(len(fragment))

    def _attempt(self, sequence: int, content_type: int, version: int, data: Any) -> bytes | None:
        length = len(data) - self._least
        if length < 0:
            return None
        head = (sequence << 40 | content_type << 32 | version << 16 | length).to_bytes(13, "big")
        explicit = bytes(data[:8])
        try:
            plain = self._decrypt(self._salt + explicit, memoryview(data)[8:], head)
        except InvalidTag:
            return None
        self._ahead = int.from_bytes(explicit, "big") - sequence
        return plain


class ImplicitNonce(Protection):
    """ChaCha20-Poly1305 of TLS 1.2: the nonce is made from the number. RFC 7905 §2."""

    def __init__(self, cipher: aead.ChaCha20Poly1305, iv: bytes):
        self._decrypt = cipher.decrypt
        self._iv = int.from_bytes(iv, "big")

    def _attempt(self, sequence: int, content_type: int, version: int, data: Any) -> bytes | None:
        length = len(data) - 16
        if length < 0:
            return None
        head = (sequence << 40 | content_type << 32 | version << 16 | length).to_bytes(13, "big")
        try:
            return self._decrypt((self._iv ^ sequence).to_bytes(12, "big"), data, head)
        except InvalidTag:
            return None


class Tls13(Protection):
    """All of TLS 1.3: the content type is inside, before zeros that pad. RFC 8446 §5.2 to §5.4."""

    longest = MOST_PLAIN + MOST_ADDED_1_3

    def __init__(self, cipher: Any, iv: bytes, tag_length: int, *, bare: bool):
        self._decrypt = cipher.decrypt
        self._iv = int.from_bytes(iv, "big")
        self._least = tag_length + 1
        self._bare = bare  # the header is not authenticated: drafts before 25

    def open(self, position: Position, content_type: int, version: int, fragment: Bytes) -> Opened | None:
        length = len(fragment)
        if content_type != APPLICATION_DATA or not self._least <= length <= self.longest:
            return None
        head = None if self._bare else (content_type << 32 | version << 16 | length).to_bytes(5, "big")
        numbers = position.tries(length) if position.slack else (position.sequence,)
        for sequence in numbers:
            try:
                plain = self._decrypt((self._iv ^ sequence).to_bytes(12, "big"), fragment, head)
            except InvalidTag:
                continue
            if not plain[-1]:
                plain = plain.rstrip(b"\0")
            # RFC 8446 §5.4: nothing but zeros is an error of the peer; there is no content type then.
            return Opened(sequence, plain[-1], plain[:-1]) if plain else None
        return None


class Mac:
    """RFC 5246 §6.2.3.1, and RFC 6101 §5.2.3.1 for SSL 3.0."""

    def __init__(self, version: int, hashed: str, key: bytes, length: int):
        self.length = length
        self._hashed = hashed
        self._key = key
        self._ssl3 = version <= SSL_3_0

    def fits(self, mac: Bytes, sequence: int, content_type: int, version: int, data: Bytes) -> bool:
        if not self._ssl3:
            head = (sequence << 40 | content_type << 32 | version << 16 | len(data)).to_bytes(13, "big")
            return hmac.digest(self._key, head + data, self._hashed) == mac
        head = (sequence << 24 | content_type << 16 | len(data)).to_bytes(11, "big")
        pad = 48 if self._hashed == "md5" else 40
        inner = hashlib.new(self._hashed, self._key + b"\x36" * pad + head + data, usedforsecurity=False).digest()
        outer = hashlib.new(self._hashed, self._key + b"\x5c" * pad + inner, usedforsecurity=False).digest()
        return outer == mac

    def strip(self, data: bytes, sequence: int, content_type: int, version: int) -> bytes | None:
        """The data before its MAC; None if that does not fit."""
        end = len(data) - self.length
        if end < 0:
            return None
        content = data[:end]
        return content if self.fits(data[end:], sequence, content_type, version, content) else None


class Null(Protection):
    """Only a MAC. RFC 5246 §6.2.3.1."""

    def __init__(self, mac: Mac):
        self._mac = mac

    def _attempt(self, sequence: int, content_type: int, version: int, data: Any) -> bytes | None:
        return self._mac.strip(bytes(data), sequence, content_type, version)


class Stream(Protection):
    """RC4: one keystream for all records of a direction. RFC 5246 §6.2.3.1."""

    def __init__(self, mac: Mac, key: bytes):
        self._mac = mac
        self._algorithm = decrepit.ARC4(key)
        self._restart()

    def _restart(self) -> None:
        self._context: CipherContext = Cipher(self._algorithm, None).decryptor()
        self._at = 0  # bytes of keystream that are used up

    def _seek(self, to: int) -> bool:
        """Moves to a place in the keystream; False: too far."""
        if to < self._at:
            self._restart()
        if to - self._at > KEYSTREAM_WORK:
            return False
        while self._at < to:
            step = min(to - self._at, 65_536)
            self._context.update(bytes(step))
            self._at += step
        return True

    def _take(self, data: bytes) -> bytes:
        self._at += len(data)
        return self._context.update(data)

    def open(self, position: Position, content_type: int, version: int, fragment: Bytes) -> Opened | None:
        stream = position.stream
        if stream is None or not self._mac.length <= len(fragment) <= self.longest or not self._seek(stream):
            return None
        data = bytes(fragment)
        if not position.slack:
            plain = self._mac.strip(self._take(data), position.sequence, content_type, version)
            return None if plain is None else Opened(position.sequence, content_type, plain)
        if position.hidden > KEYSTREAM_HELD:
            return None
        keystream = self._take(bytes(position.hidden + len(data)))
        masked = int.from_bytes(data, "big")
        fewest = position.hidden // (HEADER + self.longest)  # records among the bytes that were lost
        most = fewest + len(position.tries(STREAM_TRY_COST * len(data)))
        for between in range(fewest, min(most, position.slack + 1)):
            # Each header among these bytes is five bytes that took no keystream.
            start, sequence = position.hidden - HEADER * between, position.sequence + between
            if start < 0:
                break
            key = int.from_bytes(keystream[start : start + len(data)], "big")
            plain = self._mac.strip((masked ^ key).to_bytes(len(data), "big"), sequence, content_type, version)
            if plain is not None:
                return Opened(sequence, content_type, plain)
        return None


class Cbc(Protection):
    """A block cipher, the MAC inside. RFC 5246 §6.2.3.2; RFC 2246 §6.2.3.2 without an IV in the record."""

    def __init__(self, mac: Mac, cipher: Any, iv: bytes, version: int):
        self._mac = mac
        Cipher(cipher, modes.CBC(iv)).decryptor()  # raises UnsupportedAlgorithm here, or nowhere
        self._cipher = cipher
        self._iv = iv
        self._block = len(iv)
        self._behind = 0  # bytes of a record behind its last block
        self._explicit = version >= TLS_1_1
        self._ssl3 = version <= SSL_3_0

    def _decrypt(self, position: Position, data: bytes) -> bytes | None:
        """Without padding."""
        block = self._block
        if self._explicit:
            iv, data = data[:block], data[block:]
        elif position.tail is None:
            return None  # the block before, which is the IV, was lost
        else:
            end = len(position.tail) - self._behind
            iv = position.tail[max(end - block, 0) : max(end, 0)] if position.tail else self._iv
        if not data or len(data) % block or len(iv) != block:
            return None
        plain = Cipher(self._cipher, modes.CBC(iv)).decryptor().update(data)
        padding = plain[-1] + 1
        if padding > len(plain):
            return None
        if self._ssl3:  # RFC 6101 §5.2.3.2: of any bytes, and not longer than needed
            fits = padding <= block
        else:
            fits = plain.endswith(bytes([plain[-1]]) * padding)
        return plain[:-padding] if fits else None

    def _prepare(self, position: Position, fragment: Bytes) -> bytes | None:
        return self._decrypt(position, bytes(fragment))

    def _attempt(self, sequence: int, content_type: int, version: int, data: Any) -> bytes | None:
        return self._mac.strip(data, sequence, content_type, version)


class CbcThenMac(Cbc):
    """A block cipher, the MAC outside: encrypt_then_mac. RFC 7366 §3."""

    def __init__(self, mac: Mac, cipher: Any, iv: bytes, version: int):
        super().__init__(mac, cipher, iv, version)
        self._behind = mac.length
        self._authentic = b""  # `tail` of the last record whose MAC was right; b"": before the first

    def open(self, position: Position, content_type: int, version: int, fragment: Bytes) -> Opened | None:
        if not self._mac.length < len(fragment) <= self.longest:
            return None
        data = bytes(fragment)
        for sequence in position.tries(len(data)):
            sealed = self._mac.strip(data, sequence, content_type, version)
            if sealed is not None:
                # An IV that is not in the record is not in its MAC: the record it comes from has to be proven as well.
                sure = self._explicit or position.tail == self._authentic
                self._authentic = data[-TAIL:]
                plain = self._decrypt(position, sealed) if sure else None
                return None if plain is None else Opened(sequence, content_type, plain)
        return None


def of_block(suite: Suite, version: int, *, encrypt_then_mac: bool, keys: bytes, side: int) -> Protection | None:
    """For SSL 3.0 to TLS 1.2, from the key block (`block_length` bytes). Side: 0 client, 1 server. RFC 5246 §6.3.

    None: this build of the cryptography package lacks the cipher.
    """
    sizes = suite.mac_length, suite.cipher.key_length, suite.cipher.iv_length
    at, parts = 0, []
    for size in sizes:  # the client's and the server's in turn
        parts.append(keys[at + side * size : at + (side + 1) * size])
        at += 2 * size
    try:
        return _of_parts(suite, version, *parts, encrypt_then_mac=encrypt_then_mac)
    except UnsupportedAlgorithm:
        return None


def _of_parts(
    suite: Suite, version: int, mac_key: bytes, key: bytes, iv: bytes, *, encrypt_then_mac: bool
) -> Protection | None:
    cipher = suite.cipher
    if cipher.mode == "gcm":
        return ExplicitNonce(aead.AESGCM(key), iv, cipher.tag_length)
    if cipher.mode == "ccm":
        return ExplicitNonce(aead.AESCCM(key, tag_length=cipher.tag_length), iv, cipher.tag_length)
    if cipher.mode == "chacha20":
        return ImplicitNonce(aead.ChaCha20Poly1305(key), iv)
    mac = Mac(version, suite.mac or suite.hash, mac_key, suite.mac_length)
    if cipher.mode == "null":
        return Null(mac)
    if cipher.mode == "stream":
        return Stream(mac, key)
    algorithm = getattr(decrepit, cipher.algorithm, None) or getattr(algorithms, cipher.algorithm, None)
    if algorithm is None:
        return None
    if cipher.algorithm == "TripleDES" and len(key) == 8:
        key *= 3  # DES is what three equal keys make of it
    kind = CbcThenMac if encrypt_then_mac else Cbc
    return kind(mac, algorithm(key), iv, version)


def block_length(suite: Suite) -> int:
    """Bytes of the key block that both sides need. RFC 5246 §6.3."""
    return 2 * (suite.mac_length + suite.cipher.key_length + suite.cipher.iv_length)


def of_secret(suite: Suite, version: int, secret: bytes) -> Protection:
    """For TLS 1.3, from a traffic secret. RFC 8446 §7.3. `version`: 0x0304, or a draft's."""
    cipher = suite.cipher
    key, iv = traffic_keys(suite.hash, secret, cipher.key_length)
    made: Any
    if cipher.mode == "gcm":
        made = aead.AESGCM(key)
    elif cipher.mode == "ccm":
        made = aead.AESCCM(key, tag_length=cipher.tag_length)
    else:
        made = aead.ChaCha20Poly1305(key)
    return Tls13(made, iv, cipher.tag_length, bare=version != TLS_1_3 and version & 0xFF < 25)
