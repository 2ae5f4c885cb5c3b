"""One certificate from the wire (RFC 5280), or a raw public key (RFC 7250), read without trusting a byte of it."""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes

T = TypeVar("T")

MOST_NAMES: Final = 1000  # listed of one certificate
MOST_TEXT: Final = 1024  # characters of a distinguished name
_MOST_CACHED_BYTES: Final = 16_384  # of a certificate that is remembered: real ones are smaller

# Bits below which a key is weak: 112 bits of strength, RFC 9325 §4.5, NIST SP 800-57 part 1 table 2.
_LEAST_BITS: Final = {"RSA": 2048, "EC": 224}


class Read:
    """What a certificate says. Attributes that could not be read are None, and `problems` say why."""

    __slots__ = (
        "authority", "certificate", "constrained", "ends_s", "extended", "issuer", "key", "key_bits", "key_type",
        "names", "names_listed", "path_length", "problems", "purposes", "self_issued", "serial", "sha256", "signature",
        "signature_hash", "signs", "starts_s", "subject", "unknown_critical", "uses", "version_1",
    )  # fmt: skip

    def __init__(self, der: bytes):
        self.sha256 = hashlib.sha256(der).digest()
        self.certificate: x509.Certificate | None = None
        self.subject: x509.Name | None = None
        self.issuer: x509.Name | None = None
        self.self_issued = False
        self.serial: int | None = None
        self.starts_s: int | None = None  # since 1970, UTC
        self.ends_s: int | None = None  # the last second of its validity
        self.names: list[tuple[str, str]] | None = None  # ("dns" | "ip", text); None: no subjectAltName
        self.names_listed: list[str] = []
        self.key: CertificatePublicKeyTypes | PublicKeyTypes | None = None
        self.key_type: str | None = None
        self.key_bits: int | None = None
        self.signature: str | None = None  # "RSA with SHA256"
        self.signature_hash: str | None = None  # "sha256"
        self.authority: bool | None = None  # the CA flag; None: no basicConstraints
        self.path_length: int | None = None
        self.signs: bool | None = None  # keyCertSign; None: no keyUsage
        self.uses: bool | None = None  # any use that TLS makes of an end entity's key
        self.purposes: set[str] | None = None  # OIDs of the extended key usage
        self.extended = False  # its extensions could be read
        self.constrained = False  # it has name constraints
        self.version_1 = False
        self.unknown_critical = False  # a critical extension that nobody here knows
        self.problems: list[str] = []


def read(der: bytes) -> Read:
    """Any bytes. The result is shared: it must not be changed."""
    return _cached(der) if len(der) <= _MOST_CACHED_BYTES else _read(der)


def _read(der: bytes) -> Read:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    found = Read(der)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say stands in `problems`
        try:
            certificate = x509.load_der_x509_certificate(der)
        except (ValueError, x509.InvalidVersion) as error:
            found.problems.append(f"not parseable as a certificate: {_words(error)}")
            try:
                _key(found, functools.partial(load_der_public_key, der))
                found.problems[0] = "a raw public key (RFC 7250): no name, no dates and no issuer to check"
            except (ValueError, TypeError, UnsupportedAlgorithm):
                pass
            return found
        _fill(found, certificate)
    return found


_cached = functools.lru_cache(maxsize=512)(_read)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _fill(found: Read, certificate: x509.Certificate) -> None:
    """The fields of RFC 5280 §4.1. The library parses many of them only when they are asked for."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    def part(name: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
            found.problems.append(f"{name} not parseable: {_words(error)}")
            return None

    found.certificate = certificate
    found.version_1 = part("version", lambda: certificate.version) is x509.Version.v1
    found.subject = part("subject", lambda: certificate.subject)
    found.issuer = part("issuer", lambda: certificate.issuer)
    found.self_issued = found.subject is not None and found.subject == found.issuer
    found.serial = part("serial number", lambda: certificate.serial_number)
    if found.serial is not None and found.serial <= 0:
        found.problems.append("a serial number that is not positive (RFC 5280 §4.1.2.2)")
    elif found.serial is not None and found.serial.bit_length() > 160:
        found.problems.append("a serial number of more than 20 bytes (RFC 5280 §4.1.2.2)")
    found.starts_s = part("start of validity", lambda: _seconds(certificate.not_valid_before_utc))
    found.ends_s = part("end of validity", lambda: _seconds(certificate.not_valid_after_utc))
    if found.starts_s is not None and found.ends_s is not None and found.ends_s < found.starts_s:
        found.problems.append("its validity ends before it begins")
    _signature(found, certificate)
    try:
        _key(found, certificate.public_key)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        found.problems.append(f"a public key that cannot be read: {_words(error)}")
    try:
        extensions = certificate.extensions
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        found.problems.append(f"extensions not parseable: {_words(error)}")
    else:
        found.extended = True
        _extensions(found, extensions)


def _seconds(when: datetime) -> int:
    return int(when.timestamp())


def _signature(found: Read, certificate: x509.Certificate) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm

    oid = certificate.signature_algorithm_oid.dotted_string
    found.signature = _signature_names().get(oid, oid)
    try:
        algorithm = certificate.signature_hash_algorithm
        found.signature_hash = algorithm.name if algorithm is not None else None
    except (ValueError, UnsupportedAlgorithm):
        # MD2 and the like, too: the library does not know them.
        found.problems.append(f"signed with an algorithm that is not known here: {found.signature}")
        return
    # A root is trusted for itself and not for its signature.
    if found.signature_hash in ("md5", "sha1") and not found.self_issued:
        found.problems.append(f"weak signature: {found.signature} (RFC 8446 §4.4.2.4)")


@functools.cache
def _signature_names() -> dict[str, str]:
    from cryptography.x509.oid import SignatureAlgorithmOID

    named = {"ED25519": "Ed25519", "ED448": "Ed448", "RSASSA_PSS": "RSASSA-PSS"}
    return {
        oid.dotted_string: named.get(name, name.replace("_WITH_", " with ").replace("_", "-"))
        for name, oid in vars(SignatureAlgorithmOID).items()
        if name.isupper() and not name.startswith("_")
    }


def _key(found: Read, ask: Callable[[], CertificatePublicKeyTypes | PublicKeyTypes]) -> None:
    """The public key: its kind and bits. Raises what the library raises for a key it cannot read."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    key = found.key = ask()
    if isinstance(key, rsa.RSAPublicKey):
        found.key_type, found.key_bits = "RSA", key.key_size
        if key.public_numbers().e < 3:
            found.problems.append(f"weak key: RSA exponent {key.public_numbers().e}")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        found.key_type, found.key_bits = "EC", key.curve.key_size
    elif isinstance(key, dsa.DSAPublicKey):
        found.key_type, found.key_bits = "DSA", key.key_size
        found.problems.append(f"weak key: DSA of {key.key_size} bits, which no browser accepts (RFC 8446 §4.2.3)")
    else:
        found.key_type = type(key).__name__.removesuffix("PublicKey")
        found.key_bits = {"Ed25519": 256, "Ed448": 456}.get(found.key_type)
    least = _LEAST_BITS.get(found.key_type)
    if least is not None and found.key_bits is not None and found.key_bits < least:
        found.problems.append(
            f"weak key: {found.key_type} of {found.key_bits} bits, {least} are the least (RFC 9325 §4.5)"
        )


def _extensions(found: Read, extensions: x509.Extensions) -> None:
    """RFC 5280 §4.2"""
    from cryptography import x509

    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            found.authority, found.path_length = value.ca, value.path_length
        elif isinstance(value, x509.KeyUsage):
            found.signs = value.key_cert_sign
            found.uses = value.digital_signature or value.key_encipherment or value.key_agreement
        elif isinstance(value, x509.ExtendedKeyUsage):
            found.purposes = {purpose.dotted_string for purpose in value}
        elif isinstance(value, x509.UnrecognizedExtension):
            if extension.critical:
                found.unknown_critical = True
                found.problems.append(f"critical extension {extension.oid.dotted_string} is not known (RFC 5280 §4.2)")
        elif isinstance(value, x509.NameConstraints):
            found.constrained = True
        elif isinstance(value, x509.SubjectAlternativeName):
            names = [("dns", name) for name in value.get_values_for_type(x509.DNSName)]
            names += [("ip", str(address)) for address in value.get_values_for_type(x509.IPAddress)]
            found.names = names
            found.names_listed = [name[:MOST_TEXT] for _, name in names[:MOST_NAMES]]
            if len(names) > MOST_NAMES:
                found.problems.append(f"{len(names)} names, of which the first {MOST_NAMES} are listed")


def shown(name: x509.Name | None) -> str | None:
    """A distinguished name as text, RFC 4514."""
    if name is None:
        return None
    text = name.rfc4514_string()
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
