"""Certificates for tests, made when they are asked for: the same bytes each time, since keys and signatures are
derived and not drawn.

    issue("leaf", by=ROOT, names=["example.test"])
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

START = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def ns(year: int, month: int = 1, day: int = 1, hour: int = 0, second: int = 0) -> int:
    """A time in ns since 1970."""
    return int(dt.datetime(year, month, day, hour, 0, second, tzinfo=dt.UTC).timestamp()) * 10**9


NOW = ns(2025, 7)


class Issued(NamedTuple):
    certificate: x509.Certificate
    key: object  # private
    subject: x509.Name

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def key_of(name: str, kind: str = "p256") -> object:
    seed = hashlib.sha256(name.encode()).digest()
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curve = {"p192": ec.SECP192R1(), "p224": ec.SECP224R1(), "p256": ec.SECP256R1()}[kind]
    return ec.derive_private_key(int.from_bytes(seed, "big") >> 96, curve)


def issue(
    name: str,
    *,
    by: Issued | None = None,
    names: list[str] | None = None,
    ca: bool | None = None,
    path_length: int | None = None,
    start: dt.datetime = START,
    end: dt.datetime = END,
    key: object | None = None,
    kind: str = "p256",
    more: list[tuple[x509.ExtensionType, bool]] = [],  # noqa: B006 - never changed
) -> Issued:
    """A certificate; without `by` it signs itself. `ca` None: no basicConstraints. A new key for each name."""
    key = key or key_of(name, kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signer = (by.subject, by.key) if by else (subject, key)
    serial = int.from_bytes(hashlib.sha256(f"{name} {issuer} {start} {end}".encode()).digest()[:8], "big") | 1
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), serial, start, end)
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([general(each) for each in names]), critical=False)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    deterministic = {"ecdsa_deterministic": True} if isinstance(signer, ec.EllipticCurvePrivateKey) else {}
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signer, algorithm, **deterministic), key, subject)


def general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def signed_anew(issued: Issued, by: Issued, algorithm: hashes.HashAlgorithm, oid_end: int) -> bytes:
    """An RSA-signed certificate with another hash, which the library only makes with sound ones."""
    oid = bytes.fromhex("2a864886f70d0101")
    der = issued.der
    assert der.count(oid + b"\x0b") == 2
    tbs = issued.certificate.tbs_certificate_bytes.replace(oid + b"\x0b", oid + bytes([oid_end]))
    signature = by.key.sign(tbs, padding.PKCS1v15(), algorithm)
    return der.replace(oid + b"\x0b", oid + bytes([oid_end])).replace(issued.certificate.signature, signature)


USES = dict.fromkeys(
    [
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ],
    False,
)  # fmt: skip


def uses(*allowed: str) -> tuple[x509.KeyUsage, bool]:
    return x509.KeyUsage(**{**USES, **dict.fromkeys(allowed, True)}), True


ROOT = issue("Root", ca=True, start=dt.datetime(2015, 1, 1), end=dt.datetime(2040, 1, 1))
MIDDLE = issue("Middle", by=ROOT, ca=True, start=dt.datetime(2020, 1, 1), end=dt.datetime(2030, 1, 1))
LEAF = issue("example.test", by=MIDDLE, names=["example.test", "*.example.test", "192.0.2.1", "2001:db8::1"], ca=False)
