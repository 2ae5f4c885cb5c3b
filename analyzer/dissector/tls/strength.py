"""How strong a negotiated cipher suite is, told from its IANA name and the version (claim C16 of the article).

    strength("TLS_RSA_WITH_RC4_128_SHA", "TLS 1.2") -> broken, "RC4 … RFC 7465"

broken: a standard says that it must not be negotiated, or it protects nothing. weak: a standard says that it should
not be, or that its version must not. acceptable: not recommended. strong: what RFC 9325 §4.2 and RFC 8446 recommend.
The worst of everything that applies counts, and every reason is given.
"""

from __future__ import annotations

import functools
import re
from typing import Final, Literal

import msgspec

Level = Literal["strong", "acceptable", "weak", "broken"]
_LEVELS: Final[tuple[Level, ...]] = ("strong", "acceptable", "weak", "broken")


class Strength(msgspec.Struct, frozen=True, gc=False):
    """A level, and the reasons for it, each with its source."""

    level: Level
    reason: str


# What a version is worth by itself.
_VERSIONS: Final[dict[str, tuple[Level, str]]] = {
    "SSL 2.0": ("broken", "SSL 2.0 must not be negotiated (RFC 6176)"),
    "SSL 3.0": ("broken", "SSL 3.0 must not be negotiated (RFC 7568)"),
    "TLS 1.0": ("weak", "TLS 1.0 must not be negotiated any more (RFC 8996)"),
    "TLS 1.1": ("weak", "TLS 1.1 must not be negotiated any more (RFC 8996)"),
}

# Looked for in the part of a name that tells the cipher; the first of each group counts.
_CIPHERS: Final[tuple[tuple[re.Pattern[str], Level, str], ...]] = tuple(
    (re.compile(pattern), level, reason)  # type: ignore[misc]
    for pattern, level, reason in (
        (r"NULL", "broken", "NULL does not encrypt (RFC 9325 §4.1)"),
        (r"RC4", "broken", "RC4 must not be negotiated (RFC 7465)"),
        (r"DES40|_40(_|$)", "broken", "keys of 40 bits must not be negotiated (RFC 9325 §4.1)"),
        (r"RC2|_56_", "broken", "keys of less than 112 bits must not be negotiated (RFC 9325 §4.1)"),
        (r"FORTEZZA", "broken", "SKIPJACK has keys of 80 bits (RFC 9325 §4.1)"),
        (r"3DES", "weak", "3DES has less than 128 bits of strength (RFC 9325 §4.1)"),
        (r"DES_CBC|DES_192", "broken", "DES has keys of 56 bits (RFC 5469, RFC 9325 §4.1)"),
        (r"IDEA", "weak", "IDEA was taken out of TLS 1.2 (RFC 5469)"),
        (r"28147_CNT", "weak", "GOST 28147-89 has blocks of 64 bits, and is not recommended by the IETF (RFC 9189)"),
        (r"_CBC|_CTR_OMAC", "acceptable", "no authenticated encryption (AEAD), which is recommended (RFC 9325 §4.2)"),
        (r"SM4|MGM", "acceptable", "a national cipher, which is not recommended by the IETF (RFC 8998, RFC 9367)"),
        (r"CCM_8", "acceptable", "authentication tags of 64 bits only (RFC 9325 §4.2, RFC 8446 §B.4)"),
    )
)

_RECOMMENDED: Final = re.compile(r"GCM|CCM|POLY1305|AEGIS")


@functools.lru_cache(maxsize=1024)
def strength(cipher_suite: str, version: str | None) -> Strength | None:
    """`cipher_suite`: IANA's name. `version`: "TLS 1.2" and so on. None: a suite of which only the number is known."""
    if not cipher_suite.startswith(("TLS_", "SSL_")):
        return None
    found: list[tuple[Level, str]] = []
    if version in _VERSIONS:
        found.append(_VERSIONS[version])
    exchange, with_, cipher = cipher_suite.partition("_WITH_")
    if not with_:
        cipher = cipher_suite
        if cipher in ("TLS_SHA256_SHA256", "TLS_SHA384_SHA384"):
            found.append(("broken", "it does not encrypt (RFC 9150 §1)"))
    elif version != "TLS 1.3":  # there a suite says nothing of the key exchange, RFC 8446 §B.4
        found += _of_exchange(exchange)
    found += next(([(level, reason)] for pattern, level, reason in _CIPHERS if pattern.search(cipher)), [])
    if not found and not _RECOMMENDED.search(cipher):
        found.append(("acceptable", "not among the recommended ciphers (RFC 9325 §4.2)"))
    if not found:
        if with_:
            return Strength("strong", "forward secrecy and authenticated encryption (RFC 9325 §4.2)")
        return Strength("strong", "authenticated encryption of TLS 1.3 (RFC 8446 §9.1)")
    worst = max((level for level, _ in found), key=_LEVELS.index)
    found.sort(key=lambda each: -_LEVELS.index(each[0]))
    return Strength(worst, "; ".join(reason for _, reason in found))


def _of_exchange(exchange: str) -> list[tuple[Level, str]]:
    """The part of a name before `_WITH_`: key exchange and authentication."""
    words = exchange.split("_")[1:]
    found: list[tuple[Level, str]] = []
    if "EXPORT" in words or "EXPORT1024" in words:
        found.append(("broken", "export cipher suites must not be negotiated (RFC 9325 §4.1)"))
    if "anon" in words:
        found.append(("broken", "nobody is authenticated (RFC 5246 §F.1.1.1)"))
    if words == ["NULL"]:
        found.append(("broken", "no key exchange (RFC 5246 §A.5)"))
    elif "ECDHE" in words or "ECCPWD" in words:
        pass
    elif "DHE" in words:
        found.append(("acceptable", "the group of finite-field DHE may be too small (RFC 9325 §4.1)"))
    elif "SRP" in words:
        found.append(("acceptable", "SRP, which is not recommended by the IETF (RFC 5054)"))
    elif words[:1] in (["ECDH"], ["DH"]) and "anon" not in words:
        found.append(("weak", f"static {words[0]}: no forward secrecy (RFC 9325 §4.1)"))
    elif words[:1] == ["RSA"]:
        found.append(("weak", "static RSA: no forward secrecy (RFC 9325 §4.1)"))
    elif words[:1] == ["PSK"]:
        found.append(("weak", "PSK alone: no forward secrecy (RFC 4279 §7.1)"))
    elif words[:1] in (["KRB5"], ["GOSTR341112"]):
        found.append(("weak", f"{words[0]}: no forward secrecy"))
    return found
