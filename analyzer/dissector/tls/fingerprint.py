"""Fingerprints of hellos: JA3, JA3S (https://github.com/salesforce/ja3) and JA4
(https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md; JA4 alone is BSD licensed)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from analyzer.dissector.tls import extensions as ext
from analyzer.dissector.tls.hellos import ClientHello, ServerHello, remembered

_JA4_VERSIONS: Final = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_EMPTY: Final = "000000000000"


def _without_grease(values: Iterable[int]) -> list[int]:
    return [value for value in values if value not in ext.GREASE]


@remembered
def _decimals(values: tuple[int, ...]) -> str:
    return "-".join(map(str, _without_grease(values)))


@remembered
def _suites(values: tuple[int, ...]) -> tuple[int, str]:
    """How many, and all of them sorted."""
    suites = _without_grease(values)
    return len(suites), ",".join(sorted(f"{suite:04x}" for suite in suites))


@remembered
def _extensions(values: tuple[int, ...]) -> tuple[int, str]:
    """How many, and those sorted that say something of the program and not of whom it talks to."""
    kinds = _without_grease(values)
    return len(kinds), ",".join(sorted(f"{kind:04x}" for kind in kinds if kind not in (ext.SERVER_NAME, ext.ALPN)))


@remembered
def _schemes(values: tuple[int, ...]) -> str:
    return ",".join(f"{scheme:04x}" for scheme in _without_grease(values))


def ja3_text(hello: ClientHello) -> str:
    """Version, cipher suites, extensions, groups and point formats, in decimal, GREASE left out."""
    lists = (hello.cipher_suites, hello.extensions, hello.groups)
    return ",".join([str(hello.version), *map(_decimals, lists), "-".join(map(str, hello.point_formats))])


def ja3(hello: ClientHello) -> str | None:
    """MD5 of `ja3_text`, in hexadecimal. None for a hello in SSL 2.0's form, for which it is not defined."""
    return None if hello.ssl2_form else _md5(ja3_text(hello))


def ja3s(hello: ServerHello) -> str:
    """MD5 of version, cipher suite and extensions."""
    extensions = "-".join(map(str, hello.extensions))
    return _md5(f"{hello.legacy_version},{hello.cipher_suite},{extensions}")


@remembered
def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ja4(hello: ClientHello, *, quic: bool = False) -> str:
    """For example "t13d1516h2_8daaf6152771_e5627efa2ab1"."""
    first, suites, extensions = _ja4_parts(hello, quic=quic)
    return f"{first}_{_hash(suites)}_{_hash(extensions)}"


def ja4_raw(hello: ClientHello, *, quic: bool = False) -> str:
    """JA4_r: the same before hashing."""
    return "_".join(_ja4_parts(hello, quic=quic))


def _ja4_parts(hello: ClientHello, *, quic: bool) -> tuple[str, str, str]:
    suites, listed_suites = _suites(hello.cipher_suites)
    extensions, listed = _extensions(hello.extensions)
    offered = _without_grease(hello.versions)
    version = _JA4_VERSIONS.get(max(offered) if offered else hello.version, "00")
    name = "d" if ext.SERVER_NAME in hello.extensions else "i"
    counts = f"{min(suites, 99):02}{min(extensions, 99):02}"
    first = f"{'q' if quic else 't'}{version}{name}{counts}{_ja4_alpn(hello)}"
    schemes = _schemes(hello.signature_schemes)
    if listed and schemes:
        listed += "_" + schemes
    return first, listed_suites, listed


def _ja4_alpn(hello: ClientHello) -> str:
    """First and last character of the first protocol; of its hexadecimal form, if one of them is not alphanumeric."""
    protocol = hello.protocols[0] if hello.protocols else b""
    if not protocol:
        return "00"
    ends = protocol[:1] + protocol[-1:]
    if not ends.isalnum():
        return protocol.hex()[0] + protocol.hex()[-1]
    return ends.decode("ascii")


@remembered
def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else _EMPTY
