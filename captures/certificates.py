"""A little certificate authority, made with openssl for one recording: names and dates are the same every time.

Its keys are used nowhere else; nothing trusts it but the programs that are told to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from recording import Host, command

VALID = ("20260101000000Z", "20360101000000Z")
EXPIRED = ("20250101000000Z", "20260101000000Z")

KEYS = {
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
    "rsa": ("-newkey", "rsa:2048"),
    "ed25519": ("-newkey", "ed25519"),
}

_CONFIGURATION = """
[ca]
default_ca = this
[this]
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
database = {folder}/index.txt
serial = {folder}/serial
default_md = sha256
policy = any
copy_extensions = copy
[any]
organizationName = optional
commonName = supplied
"""


@dataclass(frozen=True)
class Identity:
    """Files in PEM: `chain` is the certificate and those between it and the root, as a server sends them."""

    cert: Path
    key: Path
    chain: Path

    def words(self) -> tuple[str, ...]:
        """For `openssl s_server`: a certificate that the root itself has issued."""
        return ("-cert", str(self.cert), "-key", str(self.key))


class Authority:
    """A root, or an authority below `issuer`. `path` is its certificate, `index` its database (for OCSP)."""

    def __init__(self, host: Host, name: str = "Example Root", issuer: Authority | None = None, key: str = "ec"):
        self.host, self.issuer = host, issuer
        self.folder = host.folder("authority-")
        self.path, self.key, self.index = (self.folder / name for name in ("ca.pem", "ca.key", "index.txt"))
        self.index.touch()
        (self.folder / "serial").write_text("1000\n")
        (self.folder / "ca.cnf").write_text(_CONFIGURATION.format(folder=self.folder))
        usage = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        if issuer:
            made = issuer.issue(name, key=key, extensions=usage)
            self.path.write_bytes(made.cert.read_bytes())
            self.key.write_bytes(made.key.read_bytes())
        else:
            command(
                *("openssl", "req", "-x509", *KEYS[key], "-nodes", "-subj", f"/O=Example/CN={name}", "-days", "7300"),
                *(word for extension in usage for word in ("-addext", extension)),
                *("-keyout", str(self.key), "-out", str(self.path)),
            )

    def issue(
        self,
        name: str,
        *,
        key: str = "ec",
        dates: tuple[str, str] = VALID,
        extensions: tuple[str, ...] | None = None,
    ) -> Identity:
        """A certificate for the host `name`, or with these `extensions` instead of a subjectAltName."""
        folder = self.host.folder("identity-")
        made = Identity(folder / "cert.pem", folder / "key.pem", folder / "chain.pem")
        extensions = (f"subjectAltName=DNS:{name}",) if extensions is None else extensions
        command(
            *("openssl", "req", *KEYS[key], "-nodes", "-subj", f"/O=Example/CN={name}"),
            *(word for extension in extensions for word in ("-addext", extension)),
            *("-keyout", str(made.key), "-out", str(folder / "request.pem")),
        )
        command(
            *("openssl", "ca", "-config", str(self.folder / "ca.cnf"), "-batch", "-notext"),
            *("-startdate", dates[0], "-enddate", dates[1]),
            *("-in", str(folder / "request.pem"), "-out", str(made.cert)),
        )
        between = self.path.read_text() if self.issuer else ""
        made.chain.write_text(made.cert.read_text() + between)
        for path in (made.cert, made.key, made.chain):
            path.chmod(0o644)  # programs that give up root read them too
        return made

    def status(self, identity: Identity) -> Path:
        """An OCSP response (DER) that says this certificate is good, signed by the authority itself."""
        request, response = (self.folder / name for name in ("ocsp.request", "ocsp.response"))
        about = ("-issuer", str(self.path), "-cert", str(identity.cert))
        command("openssl", "ocsp", *about, "-no_nonce", "-reqout", str(request))
        command(
            *("openssl", "ocsp", "-index", str(self.index), "-CA", str(self.path), "-rsigner", str(self.path)),
            *("-rkey", str(self.key), "-ndays", "3650", "-reqin", str(request), "-respout", str(response)),
        )
        response.chmod(0o644)
        return response
