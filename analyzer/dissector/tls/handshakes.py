"""What a handshake agreed upon, and the secrets that come into question for it.

Up to TLS 1.2 there is one master secret, and several sources may each have an idea of it: a line of a key log, a
server's RSA key, the session it was resumed from. They are all tried, and a record that opens proves one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from analyzer.dissector.registries import name as registered
from analyzer.dissector.tls import key_schedule
from analyzer.dissector.tls.ciphers import Suite, suite
from analyzer.dissector.tls.secrets import Secrets, Source

if TYPE_CHECKING:
    from analyzer.dissector.tls.protection import Protection

PRE_MASTER_LENGTH: Final = 48  # bytes, of RSA key exchange: RFC 5246 §7.4.7.1
NO_COMPRESSION: Final = 0
SHOWN: Final = 8  # bytes of a client random: enough to find it in a key log

# Epochs of TLS 1.3, which every side goes through in this order; 3 is after its first KeyUpdate, 4 after its second, …
EARLY: Final = 0
HANDSHAKE: Final = 1
APPLICATION: Final = 2
# By side and epoch; draft-ietf-tls-keylogfile §3.
LABELS: Final = (
    ("CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0"),
    ("", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"),
)

Transcript = Callable[[str], bytes]


class Keys(NamedTuple):
    """Keys that come into question for one side's records."""

    protection: Protection
    secret: bytes  # that they were made from: a master secret, or a traffic secret
    source: Source


class Handshake:
    """From a ServerHello. The texts are for `Opener.why`."""

    def __init__(self, client_random: bytes, server_random: bytes, version: int, cipher_suite: int):
        self.client_random = client_random
        self.server_random = server_random
        self.version = version
        self.tls13 = version == key_schedule.TLS_1_3 or version >> 8 == 0x7F  # the drafts of it
        self.code = cipher_suite
        self.suite: Suite | None = suite(cipher_suite)
        self.extended_master_secret = False
        self.encrypt_then_mac = False
        self.compression = NO_COMPRESSION
        # SSL 3.0 to TLS 1.2 only:
        self.proven: tuple[bytes, Source] | None = None  # the master secret
        self.session_id = b""
        self.ticket = b""
        self.resumable_as: list[bytes] = []  # ids and tickets
        self._full = False  # there was a ClientKeyExchange: nothing was resumed
        self._session_hash: bytes | None = None
        self._encrypted = b""  # the pre-master secret, as the client sent it
        self._derived: list[tuple[bytes, Source]] = []
        self._lacks = ""  # what the cryptography package does not have

    @property
    def _usable(self) -> bool:
        if self.suite is None:
            return False
        return (self.suite.key_exchange is None) == self.tls13

    def key_exchange(self, body: bytes, handshake_hash: Transcript, secrets: Secrets) -> None:
        """A ClientKeyExchange, as `Opener.client_key_exchange` has it."""
        self._full = True
        if self.suite is None or self.tls13:
            return
        if self.extended_master_secret:
            # RFC 7627 §3: MD5 and SHA-1 before TLS 1.2, the PRF's hash since.
            if self.version >= key_schedule.TLS_1_2:
                self._session_hash = handshake_hash(self.suite.hash)
            else:
                self._session_hash = handshake_hash("md5") + handshake_hash("sha1")
        if self.suite.key_exchange == "RSA":
            if self.version > key_schedule.SSL_3_0:
                # RFC 5246 §7.4.7.1: a vector here; none in SSL 3.0 (RFC 6101 §5.6.7), nor in some clients after it.
                length = int.from_bytes(body[:2], "big")
                body = body[2:] if length == len(body) - 2 else body
            self._encrypted = body
            for pre_master in _decrypted(secrets, body):
                self._derived += self._master_from(pre_master, "rsa-key")

    def _master_from(self, pre_master: bytes, source: Source) -> list[tuple[bytes, Source]]:
        hashed = "sha256" if self.suite is None else self.suite.hash
        if not self.extended_master_secret:
            randoms = self.client_random, self.server_random
            return [(key_schedule.master_secret(self.version, hashed, pre_master, *randoms), source)]
        if not self._session_hash:
            return []
        return [(key_schedule.extended_master_secret(self.version, hashed, pre_master, self._session_hash), source)]

    def _masters(self, secrets: Secrets) -> Iterator[tuple[bytes, Source]]:
        """Master secrets that come into question, the likeliest first."""
        if self.proven is not None:
            yield self.proven
            return
        if found := secrets.find("CLIENT_RANDOM", self.client_random):
            yield found
        if found := secrets.find("PMS_CLIENT_RANDOM", self.client_random):
            yield from self._master_from(*found)
        if self._encrypted and (found := secrets.find("RSA", self._encrypted[:8])):
            yield from self._master_from(*found)
        yield from self._derived
        if not self._full:
            # RFC 5246 §7.3, RFC 5077 §3.1: a resumed session has the master secret of the first.
            for session in filter(None, (self.ticket, self.session_id)):
                if found := secrets.resumed(session):
                    yield found
            if self.session_id and (found := secrets.find("SESSION_ID", self.session_id)):
                yield found

    def master_keys(self, side: int, secrets: Secrets) -> Iterator[Keys]:
        """SSL 3.0 to TLS 1.2."""
        if self.suite is None or not self._usable:
            return
        for master, source in self._masters(secrets):
            from analyzer.dissector.tls import protection

            length = protection.block_length(self.suite)
            randoms = self.client_random, self.server_random
            block = key_schedule.key_block(self.version, self.suite.hash, master, *randoms, length)
            made = protection.of_block(
                self.suite, self.version, encrypt_then_mac=self.encrypt_then_mac, keys=block, side=side
            )
            if made is None:
                self._lacks = self.suite.cipher.algorithm
                return
            yield Keys(made, master, source)

    def traffic_keys(self, side: int, epoch: int, before: Keys | None, secrets: Secrets) -> Iterator[Keys]:
        """TLS 1.3. `before`: the keys of the epoch before, which those after a KeyUpdate are made from."""
        if self.suite is None or not self._usable:
            return
        found: tuple[bytes, Source] | None
        if epoch > APPLICATION:
            if before is None:
                return
            found = key_schedule.next_traffic_secret(self.suite.hash, before.secret), before.source
        else:
            found = secrets.find(LABELS[side][epoch], self.client_random)
        if found is not None:
            yield from traffic_keys_of(self.suite, self.version, *found)

    def prove(self, master: bytes, source: Source, secrets: Secrets) -> None:
        """A record opened, with keys of this master secret."""
        self.proven = master, source
        secrets.use("CLIENT_RANDOM", self.client_random, master)
        self.remember(secrets)

    def remember(self, secrets: Secrets) -> None:
        if self.proven is not None:
            for session in self.resumable_as:
                secrets.remember(session, *self.proven)
            self.resumable_as.clear()

    def missing(self, side: int, epoch: int, secrets: Secrets) -> str:
        """Why there are no keys for a side."""
        suite_name = registered("cipher-suites", self.code)
        if not self._usable:
            return f"cipher suite {suite_name} cannot be decrypted by this program: let the server offer another one"
        if self._lacks:
            return f"cipher suite {suite_name} needs {self._lacks}, which this build of the cryptography package lacks"
        if not secrets.has_any:
            return "no keys were given: use --keys FILE, with a key log (SSLKEYLOGFILE) or the server's RSA key"
        by_rsa = not self.tls13 and self.suite is not None and self.suite.key_exchange == "RSA"
        no_secret = (
            f"no secret for client random {self.client_random[:SHOWN].hex()}…; "
            "was SSLKEYLOGFILE set before the browser started?"
        )
        if by_rsa and secrets.rsa_keys:
            if not self._full:
                reason = "a resumed session, and the handshake that it began with was not decrypted before"
            elif self.extended_master_secret and not self._session_hash:
                reason = "with an RSA key the whole handshake is needed (RFC 7627 §4): it is lost in part, or too long"
            else:
                reason = "the RSA key does not fit this server"
            return f"{reason}; {no_secret}" if secrets.has_keylog else reason
        if not secrets.has_keylog:
            return f"cipher suite {suite_name} cannot be decrypted with an RSA key alone: it needs a key log"
        if self.tls13:
            wanted = LABELS[side][min(epoch, APPLICATION)]
            if secrets.find(wanted, self.client_random):
                return self.unfit({"keylog"})
            if any(secrets.find(label, self.client_random) for label in LABELS[0] + LABELS[1]):
                shown = self.client_random[:SHOWN].hex()
                return f"the key log has no {wanted} for client random {shown}…: is it complete?"
        return no_secret

    def unfit(self, sources: set[Source]) -> str:
        """Why no record opens although there are keys."""
        if sources == {"rsa-key"}:
            return "the RSA key does not fit this server"
        return (
            f"the secret for client random {self.client_random[:SHOWN].hex()}… does not fit these records: "
            "is the key log damaged, or the capture incomplete?"
        )


def traffic_keys_of(protected_by: Suite, version: int, secret: bytes, source: Source) -> Iterator[Keys]:
    """Keys of a traffic secret, unless it is not of this suite's hash."""
    if protected_by.key_exchange is None and len(secret) == (48 if protected_by.hash == "sha384" else 32):
        from analyzer.dissector.tls import protection

        yield Keys(protection.of_secret(protected_by, version, secret), secret, source)


def _decrypted(secrets: Secrets, encrypted: bytes) -> Iterator[bytes]:
    """What may be a pre-master secret. RFC 5246 §7.4.7.1.

    A key that does not fit gives random bytes of any length rather than an error (implicit rejection), so length and
    version are looked at; that it fits is proven by a record.
    """
    if not secrets.rsa_keys:
        return
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    for size, private in secrets.rsa_keys:
        if size != len(encrypted):
            continue
        try:
            pre_master = private.decrypt(encrypted, PKCS1v15())
        except ValueError:
            continue
        if len(pre_master) == PRE_MASTER_LENGTH and pre_master[0] == 3:
            yield pre_master
