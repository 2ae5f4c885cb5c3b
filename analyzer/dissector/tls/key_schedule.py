"""From a secret to keys: SSL 3.0 (RFC 6101), TLS 1.0 to 1.2 (RFC 2246, 4346, 5246, 7627) and TLS 1.3 (RFC 8446 §7).

Versions are as on the wire: 0x0300 is SSL 3.0, 0x0304 is TLS 1.3. Hashes are named as hashlib names them.
Everything here takes bytes of any length and raises nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

SSL_3_0: Final = 0x0300
TLS_1_0: Final = 0x0301
TLS_1_1: Final = 0x0302
TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304
MASTER_LENGTH: Final = 48  # bytes, RFC 5246 §8.1


def _p_hash(hashed: str, secret: bytes, seed: bytes, length: int) -> bytes:
    """P_hash of RFC 5246 §5."""
    found, a = b"", seed
    while len(found) < length:
        a = hmac.digest(secret, a, hashed)
        found += hmac.digest(secret, a + seed, hashed)
    return found[:length]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _ssl3(secret: bytes, seed: bytes, length: int) -> bytes:
    """RFC 6101 §6.1 and §6.2.2: MD5 of the secret and SHA-1 of a growing salt: A, BB, CCC, …"""
    found, letter = b"", 0
    while len(found) < length:
        salt = bytes([0x41 + letter]) * (letter + 1)
        inner = hashlib.sha1(salt + secret + seed, usedforsecurity=False).digest()
        found += hashlib.md5(secret + inner, usedforsecurity=False).digest()
        letter += 1
    return found[:length]


def prf(version: int, hashed: str, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """The pseudorandom function of TLS 1.0 to 1.2. `hashed` counts in TLS 1.2 only."""
    if version >= TLS_1_2:
        return _p_hash(hashed, secret, label + seed, length)
    # RFC 2246 §5: the two halves overlap by one byte where the length is odd.
    half = (len(secret) + 1) // 2
    md5 = _p_hash("md5", secret[:half], label + seed, length)
    sha1 = _p_hash("sha1", secret[len(secret) - half :], label + seed, length)
    return _xor(md5, sha1)


def master_secret(version: int, hashed: str, pre_master: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """RFC 5246 §8.1, RFC 6101 §6.1. 48 bytes."""
    seed = client_random + server_random
    if version <= SSL_3_0:
        return _ssl3(pre_master, seed, MASTER_LENGTH)
    return prf(version, hashed, pre_master, b"master secret", seed, MASTER_LENGTH)


def extended_master_secret(version: int, hashed: str, pre_master: bytes, session_hash: bytes) -> bytes:
    """RFC 7627 §4. `session_hash`: of all handshake messages up to ClientKeyExchange. 48 bytes."""
    return prf(version, hashed, pre_master, b"extended master secret", session_hash, MASTER_LENGTH)


def key_block(
    version: int, hashed: str, master: bytes, client_random: bytes, server_random: bytes, length: int
) -> bytes:
    """RFC 5246 §6.3, RFC 6101 §6.2.2."""
    seed = server_random + client_random
    if version <= SSL_3_0:
        return _ssl3(master, seed, length)
    return prf(version, hashed, master, b"key expansion", seed, length)


def expand_label(hashed: str, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446 §7.1, of SHA-256 or SHA-384. `label` without "tls13 "."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    algorithm = hashes.SHA384() if hashed == "sha384" else hashes.SHA256()
    return HKDFExpand(algorithm, length, info).derive(secret)


def traffic_keys(hashed: str, secret: bytes, key_length: int) -> tuple[bytes, bytes]:
    """Key and IV of a traffic secret. RFC 8446 §7.3."""
    return expand_label(hashed, secret, b"key", b"", key_length), expand_label(hashed, secret, b"iv", b"", 12)


def next_traffic_secret(hashed: str, secret: bytes) -> bytes:
    """After a KeyUpdate. RFC 8446 §7.2."""
    return expand_label(hashed, secret, b"traffic upd", b"", len(secret))
