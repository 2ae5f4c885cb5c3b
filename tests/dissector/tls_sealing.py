"""Protects records as the RFCs say, apart from the code under test: only the derivation of keys is shared."""

from __future__ import annotations

import hashlib
import hmac
import struct

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, IDEA, SEED, Camellia, TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from analyzer.dissector.tls.decrypt import Opener
from analyzer.dissector.tls.key_schedule import key_block, next_traffic_secret, traffic_keys
from analyzer.dissector.tls.secrets import Secrets

CLIENT_RANDOM, SERVER_RANDOM, MASTER = b"c" * 32, b"s" * 32, b"m" * 48
SUITES = {  # code: block cipher or None, key, IV, MAC, hash of the PRF
    0x0001: (None, 0, 0, "md5", "sha256"),
    0x0004: (ARC4, 16, 0, "md5", "sha256"),
    0x0005: (ARC4, 16, 0, "sha1", "sha256"),
    0x0007: (IDEA, 16, 8, "sha1", "sha256"),
    0x0009: (lambda key: TripleDES(key * 3), 8, 8, "sha1", "sha256"),
    0x000A: (TripleDES, 24, 8, "sha1", "sha256"),
    0x002F: (algorithms.AES, 16, 16, "sha1", "sha256"),
    0x003D: (algorithms.AES, 32, 16, "sha256", "sha256"),
    0xC024: (algorithms.AES, 32, 16, "sha384", "sha384"),
    0x0041: (Camellia, 16, 16, "sha1", "sha256"),
    0x0096: (SEED, 16, 16, "sha1", "sha256"),
    0x009C: (AESGCM, 16, 4, None, "sha256"),
    0xC0A0: (lambda key: AESCCM(key, tag_length=8), 16, 4, None, "sha256"),
    0xCCA8: (ChaCha20Poly1305, 32, 12, None, "sha256"),
}
HASH_13 = {0x1301: "sha256", 0x1302: "sha384", 0x1303: "sha256", 0x1304: "sha256", 0x1305: "sha256"}
AEAD_13 = {
    0x1301: (AESGCM, 16),
    0x1302: (AESGCM, 32),
    0x1303: (ChaCha20Poly1305, 32),
    0x1304: (AESCCM, 16),
    0x1305: (lambda key: AESCCM(key, tag_length=8), 16),
}


class Sealer:
    """The client's records of one connection, SSL 3.0 to TLS 1.2."""

    def __init__(self, version: int, code: int, *, encrypt_then_mac: bool = False, first_nonce: int = 0):
        algorithm, key_length, iv_length, self.mac, prf = SUITES[code]
        self.version, self.code, self.encrypt_then_mac = version, code, encrypt_then_mac
        mac_length = hashlib.new(self.mac).digest_size if self.mac else 0
        block = key_block(version, prf, MASTER, CLIENT_RANDOM, SERVER_RANDOM, 2 * (mac_length + key_length + iv_length))
        key = block[2 * mac_length : 2 * mac_length + key_length]
        self.iv = block[2 * (mac_length + key_length) : 2 * (mac_length + key_length) + iv_length]
        self.mac_key = block[:mac_length]
        self.cipher = algorithm(key) if algorithm else None
        self.stream = Cipher(self.cipher, None).encryptor() if algorithm is ARC4 else None
        self.sequence, self.first_nonce = 0, first_nonce

    @property
    def chained(self) -> bool:
        """The IV is the end of the record before."""
        return self.mac is not None and len(self.iv) > 0 and self.version < 0x0302

    def opener(self, **options) -> Opener:
        secrets = Secrets()
        secrets.add_keylog(f"CLIENT_RANDOM {CLIENT_RANDOM.hex()} {MASTER.hex()}")
        opener = Opener(secrets)
        opener.begin(
            client_random=CLIENT_RANDOM,
            server_random=SERVER_RANDOM,
            version=self.version,
            cipher_suite=self.code,
            encrypt_then_mac=self.encrypt_then_mac,
            **options,
        )
        opener.change_cipher(0)
        return opener

    def _tag(self, kind: int, data: bytes) -> bytes:
        if self.mac is None:
            return b""
        if self.version > 0x0300:
            head = struct.pack(">QBHH", self.sequence, kind, self.version, len(data))
            return hmac.new(self.mac_key, head + data, self.mac).digest()
        pad = {"md5": 48, "sha1": 40}[self.mac]
        head = struct.pack(">QBH", self.sequence, kind, len(data))
        inner = hashlib.new(self.mac, self.mac_key + b"\x36" * pad + head + data).digest()
        return hashlib.new(self.mac, self.mac_key + b"\x5c" * pad + inner).digest()

    def seal(self, data: bytes, kind: int = 23) -> bytes:
        sealed = self._seal(data, kind)
        self.sequence += 1
        return sealed

    def _seal(self, data: bytes, kind: int) -> bytes:
        if self.cipher is None:
            return data + self._tag(kind, data)
        if self.stream is not None:
            return self.stream.update(data + self._tag(kind, data))
        head = struct.pack(">QBHH", self.sequence, kind, self.version, len(data))
        if isinstance(self.cipher, ChaCha20Poly1305):
            nonce = int.from_bytes(self.iv, "big") ^ self.sequence
            return self.cipher.encrypt(nonce.to_bytes(12, "big"), data, head)
        if self.mac is None:
            explicit = struct.pack(">Q", self.first_nonce + self.sequence)
            return explicit + self.cipher.encrypt(self.iv + explicit, data, head)
        plain = data if self.encrypt_then_mac else data + self._tag(kind, data)
        size = len(self.iv)
        padding = size - len(plain) % size
        plain += bytes([padding - 1]) * padding
        iv = self.iv if self.chained else bytes(range(self.sequence & 15, (self.sequence & 15) + size))
        sealed = Cipher(self.cipher, modes.CBC(iv)).encryptor().update(plain)
        if self.chained:
            self.iv = sealed[-size:]
        else:
            sealed = iv + sealed
        return sealed + self._tag(kind, sealed) if self.encrypt_then_mac else sealed


class Sealer13:
    """The client's records of one connection, TLS 1.3."""

    chained, version = False, 0x0303  # of the record header

    def __init__(self, code: int):
        self.code, self.hashed = code, HASH_13[code]
        size = hashlib.new(self.hashed).digest_size
        self.handshake_secret, self.secret = b"h" * size, b"a" * size
        self.use(self.secret)

    def use(self, secret: bytes) -> None:
        self.secret, self.sequence = secret, 0
        algorithm, length = AEAD_13[self.code]
        key, self.iv = traffic_keys(self.hashed, secret, length)
        self.cipher = algorithm(key)

    def update(self) -> None:
        self.use(next_traffic_secret(self.hashed, self.secret))

    def keylog(self) -> str:
        random = CLIENT_RANDOM.hex()
        application = b"a" * len(self.secret)
        return (
            f"CLIENT_HANDSHAKE_TRAFFIC_SECRET {random} {self.handshake_secret.hex()}\n"
            f"CLIENT_TRAFFIC_SECRET_0 {random} {application.hex()}\n"
        )

    def opener(self, secrets: Secrets | None = None) -> Opener:
        if secrets is None:
            secrets = Secrets()
            secrets.add_keylog(self.keylog())
        opener = Opener(secrets)
        opener.begin(client_random=CLIENT_RANDOM, server_random=SERVER_RANDOM, version=0x0304, cipher_suite=self.code)
        opener.handshake(0)
        opener.application(0)
        return opener

    def seal(self, data: bytes, kind: int = 23, padding: int = 0) -> bytes:
        inner = data + bytes([kind]) + bytes(padding)
        length = len(inner) + (8 if self.code == 0x1305 else 16)
        nonce = (int.from_bytes(self.iv, "big") ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return self.cipher.encrypt(nonce, inner, struct.pack(">BHH", 23, 0x0303, length))
