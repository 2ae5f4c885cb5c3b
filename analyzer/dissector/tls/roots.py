"""The trusted roots that certificate chains are held against: certifi's, or the user's own."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from analyzer.errors import InputError

if TYPE_CHECKING:
    from cryptography import x509

_PEM: Final = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.S
)
_MOST_BYTES: Final = 64 << 20  # of one file: no bundle is that large


class Roots:
    """Trusted roots, read once and only when the first certificate is examined.

    `path`: a file with one or more PEM certificates or one in DER, or a folder of such files. None: certifi's bundle.
    What cannot be read at all raises InputError; certificates that are unreadable among others are counted in
    `unreadable` (bundles that have grown over the years hold some).
    """

    def __init__(self, path: str | os.PathLike[str] | None = None):
        self.path = None if path is None else Path(path)
        self.unreadable = 0
        self._by_name: dict[x509.Name, list[x509.Certificate]] | None = None
        self._hashes: set[bytes] = set()

    def load(self) -> None:
        """Read them now, so that an error comes before the work begins."""
        if self._by_name is not None:
            return
        from cryptography.hazmat.primitives import hashes

        found: dict[x509.Name, list[x509.Certificate]] = {}
        for certificate in self._read():
            fingerprint = certificate.fingerprint(hashes.SHA256())
            if fingerprint not in self._hashes:
                self._hashes.add(fingerprint)
                found.setdefault(certificate.subject, []).append(certificate)
        if not found and self.path is not None:
            raise InputError(f"{self.path}: no certificate in it. Give a file or folder of certificates in PEM form.")
        self._by_name = found

    @property
    def name(self) -> str:
        """What they are, in words: the roots of certifi are those of its day, and old captures may need older ones."""
        if self.path is not None:
            return self.path.name
        import certifi

        return f"certifi {certifi.__version__}"

    def named(self, subject: x509.Name) -> list[x509.Certificate]:
        """The roots with this subject."""
        self.load()
        return self._by_name.get(subject, []) if self._by_name else []

    def trusts(self, sha256: bytes) -> bool:
        """Whether a certificate is itself one of them."""
        self.load()
        return sha256 in self._hashes

    def _read(self) -> list[x509.Certificate]:
        if self.path is None:
            import certifi

            return self._parse(certifi.contents().encode("ascii"))
        try:
            if not self.path.is_dir():
                return self._parse(self._content(self.path))
            files = sorted(file for file in self.path.iterdir() if file.is_file())
            return [certificate for file in files for certificate in self._parse(self._content(file))]
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{self.path}: {reason}. Give a readable file of trusted certificates.") from error

    def _content(self, file: Path) -> bytes:
        with file.open("rb") as stream:
            return stream.read(_MOST_BYTES)

    def _parse(self, content: bytes) -> list[x509.Certificate]:
        from cryptography import x509

        found = []
        blocks = _PEM.findall(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a serial number that is not positive, which roots of old have
            for block in blocks or [content]:
                # OpenSSL's TRUSTED CERTIFICATE has more behind the certificate, which X.509 does not know.
                try:
                    load = x509.load_pem_x509_certificate if blocks else x509.load_der_x509_certificate
                    certificate = load(block)
                    certificate.subject  # noqa: B018 - parsed only now
                    found.append(certificate)
                except (ValueError, x509.InvalidVersion):
                    self.unreadable += 1
        return found
