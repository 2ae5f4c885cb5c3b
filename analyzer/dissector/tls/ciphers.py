"""What a cipher suite's name says: key exchange, cipher, MAC and hash. Names are IANA's (TLS Cipher Suites).

`TLS_<key exchange>_WITH_<cipher>_<hash>` up to TLS 1.2 (RFC 5246 §A.5), `TLS_<cipher>_<hash>` in TLS 1.3 (RFC 8446
§B.4). For an AEAD cipher the hash is the PRF's, or HKDF's; for others it is the MAC's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from analyzer.dissector.registries import name as registered

Mode = Literal["null", "stream", "cbc", "gcm", "ccm", "chacha20"]


class Cipher(NamedTuple):
    mode: Mode
    algorithm: str  # as the cryptography package calls it
    key_length: int  # bytes
    iv_length: int  # bytes: a block of CBC, the part of the nonce that is not sent of an AEAD cipher
    tag_length: int = 16  # bytes, of an AEAD cipher


# RFC 5246 §C, RFC 5288 §3, RFC 6655 §3 and §4, RFC 7905 §2, RFC 5932, RFC 4162, RFC 5469.
CIPHERS: Final = {
    "NULL": Cipher("null", "", 0, 0),
    "RC4_128": Cipher("stream", "ARC4", 16, 0),
    "DES_CBC": Cipher("cbc", "TripleDES", 8, 8),
    "3DES_EDE_CBC": Cipher("cbc", "TripleDES", 24, 8),
    "IDEA_CBC": Cipher("cbc", "IDEA", 16, 8),
    "SEED_CBC": Cipher("cbc", "SEED", 16, 16),
    "AES_128_CBC": Cipher("cbc", "AES", 16, 16),
    "AES_256_CBC": Cipher("cbc", "AES", 32, 16),
    "CAMELLIA_128_CBC": Cipher("cbc", "Camellia", 16, 16),
    "CAMELLIA_256_CBC": Cipher("cbc", "Camellia", 32, 16),
    "AES_128_GCM": Cipher("gcm", "AESGCM", 16, 4),
    "AES_256_GCM": Cipher("gcm", "AESGCM", 32, 4),
    "AES_128_CCM": Cipher("ccm", "AESCCM", 16, 4),
    "AES_256_CCM": Cipher("ccm", "AESCCM", 32, 4),
    "AES_128_CCM_8": Cipher("ccm", "AESCCM", 16, 4, 8),
    "AES_256_CCM_8": Cipher("ccm", "AESCCM", 32, 4, 8),
    "CHACHA20_POLY1305": Cipher("chacha20", "ChaCha20Poly1305", 32, 12),
}

HASHES: Final = {"MD5": "md5", "SHA": "sha1", "SHA256": "sha256", "SHA384": "sha384"}  # as hashlib calls them

# Other nonces and another way to authenticate than RFC 7905 has, under the same names: draft-agl-tls-chacha20poly1305.
DRAFT_CHACHA20: Final = range(0xCC13, 0xCC16)

_NAME: Final = re.compile(r"TLS_(?:(.+)_WITH_)?(.+?)(?:_(MD5|SHA|SHA256|SHA384))?")


class Suite(NamedTuple):
    name: str
    key_exchange: str | None  # as in the name: "ECDHE_RSA"; None: TLS 1.3
    cipher: Cipher
    mac: str | None  # hash of the HMAC, as hashlib calls it; None: the cipher authenticates
    hash: str  # of the PRF of TLS 1.2, or of HKDF

    @property
    def mac_length(self) -> int:
        """Bytes."""
        return {None: 0, "md5": 16, "sha1": 20, "sha256": 32, "sha384": 48}[self.mac]


@lru_cache(maxsize=1024)
def suite(code: int) -> Suite | None:
    """A cipher suite by its number; None if it is unknown or its cipher is one that nothing here can undo."""
    name = registered("cipher-suites", code)
    found = _NAME.fullmatch(name)
    cipher = CIPHERS.get(found[2]) if found is not None else None
    if found is None or cipher is None or code in DRAFT_CHACHA20 or "EXPORT" in (found[1] or ""):
        return None
    hashed = HASHES.get(found[3] or "")
    aead = cipher.mode in ("gcm", "ccm", "chacha20")
    if not aead and hashed is None:
        return None
    # RFC 5246 §5: the PRF's hash is SHA-256 unless the suite names a stronger one. The CCM suites name none.
    prf = hashed if hashed in ("sha256", "sha384") else "sha256"
    return Suite(name, found[1], cipher, None if aead else hashed, prf)
