"""Where keys come from: key log files, which may still grow, secrets inside captures, and servers' RSA keys.

One `Secrets` serves all connections. It also knows the master secrets of sessions that were decrypted, so that sessions
resumed from them can be. It reads files, and nothing else here does: once when they are given, and what was added to
those it follows whenever a secret is missing.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from analyzer.dissector.tls.keylog import Reader, key
from analyzer.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Source = Literal["keylog", "rsa-key", "pcapng"]
Kind = Literal["keylog", "rsa-key"]

PIECE: Final = 1 << 18  # bytes read at once
COMPARED: Final = 256  # bytes at the end of what was read
MOST_PEM: Final = 1 << 20  # bytes: nobody has more keys in a file
MOST_SESSIONS: Final = 100_000  # whose master secrets are kept for resumption

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


class _Followed:
    """A key log file, and how far it was read."""

    def __init__(self, path: str, found: dict[bytes, bytes]):
        self.path = path
        self.reader = Reader(found)
        self._offset = 0
        self._last = b""  # what was read last, a few bytes: still there unless the file was begun anew
        self._seen: tuple[int, int, int] | None = None  # when it was last looked at

    def refresh(self) -> bool:
        """Reads what was added. True: there was something. Files that are missing, for now, are no error."""
        try:
            state = os.stat(self.path)
            seen = state.st_ino, state.st_size, state.st_mtime_ns
            if seen == self._seen:
                return False
            with open(self.path, "rb") as file:
                file.seek(self._offset - len(self._last))
                if file.read(len(self._last)) != self._last:
                    self._offset, self._last, self.reader = 0, b"", Reader(self.reader.found)
                    file.seek(0)
                self._seen = seen
                return self._read(file)
        except OSError:
            return False

    def _read(self, file: BinaryIO) -> bool:
        before = self._offset
        while piece := file.read(PIECE):
            self._offset += len(piece)
            self._last = (self._last + piece)[-COMPARED:]
            self.reader.feed(piece)
        return self._offset > before


class Secrets:
    """`rsa_keys`: private keys with their size in bytes. `generation` changes whenever something was added."""

    def __init__(self) -> None:
        self.rsa_keys: list[tuple[int, RSAPrivateKey]] = []
        self.generation = 0
        self._found: dict[Source, dict[bytes, bytes]] = {}
        self._followed: list[_Followed] = []
        self._sessions: dict[bytes, tuple[bytes, Source]] = {}
        self._warnings: list[str] = []
        # Lines of a key log with what has opened records, whatever the source; None: they are not collected.
        self.used: dict[str, None] | None = None

    def use(self, label: str, client_random: bytes, secret: bytes) -> None:
        """A record opened with keys of this secret."""
        if self.used is not None:
            self.used[f"{label} {client_random.hex()} {secret.hex()}"] = None

    @property
    def has_any(self) -> bool:
        """Something was given from which keys came or may still come."""
        return bool(self.rsa_keys or self._followed or any(self._found.values()))

    @property
    def growing(self) -> bool:
        """What is missing now may still come."""
        return bool(self._followed)

    @property
    def has_keylog(self) -> bool:
        return bool(self._followed or any(self._found.values()))

    @property
    def sources(self) -> list[Source]:
        """Kinds of sources that gave something."""
        kinds: list[Source] = [kind for kind, found in self._found.items() if found]
        return [*kinds, "rsa-key"] if self.rsa_keys else kinds

    @property
    def warnings(self) -> list[str]:
        """What was wrong with what was read, in sentences."""
        followed = (_damage(each.path, each.reader) for each in self._followed)
        return [*self._warnings, *filter(None, followed)]

    def add_keylog(self, text: str | bytes, *, source: Source = "keylog", name: str = "the key log") -> int:
        """Lines of a key log. Returns how many lines were damaged; `name` is what `warnings` calls it."""
        reader = Reader(self._found.setdefault(source, {}))
        reader.feed(text.encode(errors="replace") if isinstance(text, str) else bytes(text))
        return self._complete(reader, name)

    def _complete(self, reader: Reader, name: str) -> int:
        reader.finish()
        self.generation += 1
        if warning := _damage(name, reader):
            self._warnings.append(warning)
        return reader.damaged

    def add_rsa_key(self, pem: str | bytes, *, name: str = "the PEM file") -> int:
        """The RSA private keys of a PEM text, certificates beside them left alone. Returns how many there were.

        Raises `InputError` if there is none that can be used.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        added, refused = 0, ""
        for block in _PEM.finditer(pem.encode(errors="replace") if isinstance(pem, str) else bytes(pem)):
            label = block[1]
            if not label.endswith(b"PRIVATE KEY"):
                if label == b"CERTIFICATE":
                    refused = refused or "holds a certificate without its private key: give the server's key file"
                continue
            if label.startswith(b"ENCRYPTED") or b"ENCRYPTED" in block[0][:200]:
                refused = "is protected by a passphrase: `openssl rsa -in FILE -out PLAIN.pem` takes it away"
                continue
            try:
                private = load_pem_private_key(block[0], password=None)
            except (ValueError, TypeError, UnsupportedAlgorithm):
                refused = "holds a private key that cannot be read: is the file complete?"
                continue
            if not isinstance(private, RSAPrivateKey):
                refused = "holds a key that is not RSA, which opens no recorded traffic: use a key log (SSLKEYLOGFILE)"
                continue
            self.rsa_keys.append(((private.key_size + 7) // 8, private))
            added += 1
        if added and refused:
            self._warnings.append(f"{name} {refused}")
        if not added:
            raise InputError(f"{name} {refused or 'holds no private key: give a PEM file or a key log'}")
        self.generation += 1
        return added

    def follow(self, path: str | os.PathLike[str]) -> None:
        """A key log file that may still grow, or come into being: what is added is read when a secret is missing."""
        self._followed.append(_Followed(os.fspath(path), self._found.setdefault("keylog", {})))
        self._refresh()

    def load(self, path: str | os.PathLike[str], *, follow: bool = False) -> Kind:
        """A key log or a PEM file, whichever it is. `follow`: a key log may still grow.

        Raises `InputError` if the file cannot be read, or is neither.
        """
        name = os.fspath(path)
        try:
            with open(name, "rb") as file:
                head = file.read(PIECE)
                if b"-----BEGIN " in head:
                    self.add_rsa_key(head + file.read(MOST_PEM), name=name)
                    return "rsa-key"
                reader = Reader(self._found.setdefault("keylog", {}))
                before = len(reader.found)
                reader.feed(head)
                _judge(name, head, reader, before)
                if follow:
                    self.follow(name)
                    return "keylog"
                while piece := file.read(PIECE):
                    reader.feed(piece)
        except OSError as error:
            raise InputError(f"cannot read {name}: {error.strerror}; check the name given to --keys") from error
        reader.finish()
        _judge(name, head, reader, before)
        self._complete(reader, name)
        return "keylog"

    def _refresh(self) -> bool:
        changed = [each.refresh() for each in self._followed]
        if any(changed):
            self.generation += 1
            return True
        return False

    def find(self, label: str, identifier: bytes) -> tuple[bytes, Source] | None:
        """A secret and where it is from. `identifier`: the client random; what else, see `keylog.LABELS`."""
        wanted = key(label.encode(), identifier)
        if wanted is None:
            return None
        found = self._get(wanted)
        if found is None and self._followed and self._refresh():
            found = self._get(wanted)
        return found

    def _get(self, wanted: bytes) -> tuple[bytes, Source] | None:
        for source, found in self._found.items():
            if (secret := found.get(wanted)) is not None:
                return secret, source
        return None

    def lookup(self, client_random: bytes, label: str) -> bytes | None:
        found = self.find(label, client_random)
        return None if found is None else found[0]

    def remember(self, session: bytes, master: bytes, source: Source) -> None:
        """The master secret of a session that may be resumed, by its id or its ticket."""
        name = _session_name(session)
        self._sessions.pop(name, None)
        self._sessions[name] = master, source
        if len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    def resumed(self, session: bytes) -> tuple[bytes, Source] | None:
        """The master secret of a session, by its id or its ticket."""
        return self._sessions.get(_session_name(session)) if session else None


def _session_name(session: bytes) -> bytes:
    if len(session) <= 32:
        return session
    import hashlib

    return hashlib.sha256(session).digest()


def _damage(name: str, reader: Reader) -> str | None:
    if not reader.damaged:
        return None
    if reader.damaged == 1:
        return f"{name}: line {reader.first_damaged} is damaged"
    return f"{name}: {reader.damaged} lines are damaged, the first is line {reader.first_damaged}"


def _judge(name: str, head: bytes, reader: Reader, before: int) -> None:
    """Refuses what is no key log at all, by its first piece."""
    if not reader.garbled or len(reader.found) > before:
        return
    if head.startswith(b"\x30\x82"):
        advice = "is in DER form: `openssl rsa -inform DER -in FILE -out KEY.pem` makes a PEM file of an RSA key"
    else:
        advice = "is neither a key log (SSLKEYLOGFILE) nor a PEM file with an RSA key: check the name given to --keys"
    raise InputError(f"{name} {advice}")
