"""C9, C10 and C13 to C17: what TLS does for HTTP."""

from __future__ import annotations

import collections

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.claims.found import (
    HTTP_1_1,
    HTTP_2,
    Check,
    Seen,
    Verdict,
    first_step,
    packet_of,
    sentence,
    shown,
)

_NO_TLS = "No TLS handshake was seen."
_TLS_1_3 = "TLS 1.3"  # drafts of it begin like this
# Of a client, about the server's certificate: RFC 8446 §6.2, RFC 5246 §7.2.2.
_REFUSALS = frozenset({
    "bad_certificate", "unsupported_certificate", "certificate_revoked", "certificate_expired", "certificate_unknown",
    "unknown_ca",
})  # fmt: skip
# Key exchanges in which the client encrypts the pre-master secret, RFC 5246 §7.4.7.1, RFC 4279 §4.
_ENCRYPTED_TO_THE_SERVER = frozenset({"rsa", "rsa_psk", "rsa_export"})


def _is_1_3(tls: model.Tls) -> bool:
    return (tls.version or "").startswith(_TLS_1_3)


def _resumed(tls: model.Tls) -> bool:
    """Of TLS 1.2 and before: keys were not exchanged again, RFC 5246 §7.3."""
    return bool(tls.resumed) and not _is_1_3(tls)


def _step(tls: model.Tls, side: model.Side, *names: str) -> int | None:
    """The packet of a step of the first handshake."""
    step = first_step(tls.handshakes[0], side, *names) if tls.handshakes else None
    return step.packet if step else None


def _packets(seen: Seen) -> list[int | None]:
    """Where its first exchanges begin."""
    return [packet_of(one) for one in seen.http.exchanges[:2]] if seen.http else []


class BothNeedTls(Check):
    """Against: exchanges without TLS. For: none of those, and both versions over TLS."""

    def __init__(self) -> None:
        super().__init__()
        self._secured: collections.Counter[str] = collections.Counter()
        self._clear: collections.Counter[str] = collections.Counter()

    def look(self, seen: Seen) -> None:
        version = seen.http.version if seen.http else seen.unread
        if version not in (HTTP_1_1, HTTP_2):
            return
        if seen.http is None:
            self._secured[version] += 1
            self.pro.add(seen, _step(seen.tls, "client", "ClientHello") if seen.tls else None)
            return
        if not seen.http.exchanges:
            return
        if seen.tls is None:
            self._clear[version] += 1
            self.contra.add(seen, *_packets(seen)[:1])
        else:
            self._secured[version] += 1
            self.pro.add(seen, *_packets(seen)[:1])

    def verdict(self) -> Verdict:
        return "not-seen" if not self._clear and len(self._secured) < 2 else super().verdict()

    def tell(self) -> str:
        if not self._secured and not self._clear:
            return "No exchange of HTTP/1.1 or HTTP/2 was seen."
        said = []
        for version in (HTTP_1_1, HTTP_2):
            if all_of := self._secured[version] + self._clear[version]:
                said.append(f"{self._secured[version]} of {words.plural(all_of, f'{version} connection')} over TLS")
            elif not self._clear:
                said.append(f"no {version}")
        return sentence(*said)


class TlsInPlaceOfTcp(Check):
    """Against: HTTP/2 that needed both handshakes, or no TLS at all. Nothing in a capture of TCP can be for it."""

    def __init__(self) -> None:
        super().__init__()
        self._both = self._clear = 0

    def look(self, seen: Seen) -> None:
        if HTTP_2 not in (seen.http.version if seen.http else None, seen.unread) or not shown(seen.connection.open):
            return
        opening = [step.packet for step in seen.connection.open.steps[:1]]
        if seen.tls is None:
            self._clear += 1
            self.contra.add(seen, *opening, *_packets(seen)[:1])
        elif (hello := _step(seen.tls, "client", "ClientHello")) is not None:
            self._both += 1
            self.contra.add(seen, *opening, hello)

    def tell(self) -> str:
        if not self.contra.count:
            return "No HTTP/2 connection was seen from its opening on."
        return sentence(
            f"{words.plural(self._both, 'HTTP/2 connection')} began with both handshakes" if self._both else "",
            f"{words.plural(self._clear, 'HTTP/2 connection')} had no TLS" if self._clear else "",
        )


class CertificateChecked(Check):
    """For: a client that refuses a certificate, and has not sent its key. Against: one that goes on with a certificate
    out of date. One that goes on with a good certificate may have checked it or not, and one that goes on with an
    issuer unknown here may know it.

    A key share of TLS 1.3 is in the first message and no answer to the certificate (RFC 8446 §4.2.8).
    """

    def __init__(self) -> None:
        super().__init__()
        self._refused: collections.Counter[str] = collections.Counter()
        self._good = self._untrusted = self._expired = self._late = 0

    def look(self, seen: Seen) -> None:
        tls = seen.tls
        if tls is None or not tls.handshakes:
            return
        key = None if _is_1_3(tls) else _step(tls, "client", "ClientKeyExchange")
        for alert in tls.alerts:
            if alert.side == "client" and alert.description in _REFUSALS:
                self._refuse(seen, tls, alert, key)
                return
        went_on = key or _step(tls, "client", "Finished")
        leaf = tls.certificates[0] if tls.certificates else None
        broke_off = any(alert.side == "client" and alert.level == "fatal" for alert in tls.alerts)
        if leaf is None or went_on is None or broke_off:
            return
        if leaf.valid_at_capture is False:
            self._expired += 1
            self.contra.add(seen, _step(tls, "server", "Certificate"), went_on)
        elif leaf.trusted is False:
            self._untrusted += 1
        elif leaf.valid_at_capture and leaf.trusted:
            self._good += 1

    def _refuse(self, seen: Seen, tls: model.Tls, alert: model.Alert, key: int | None) -> None:
        if key is not None and key < alert.packet:
            self._late += 1
            self.contra.add(seen, key, alert.packet)
        else:
            self._refused[alert.description or ""] += 1
            self.pro.add(seen, _step(tls, "server", "Certificate"), alert.packet)

    def tell(self) -> str:
        alerts = ", ".join(name for name, _ in self._refused.most_common())
        went_on = [
            f"{count} with one {what}"
            for count, what in (
                (self._good, "in date and trusted"),
                (self._untrusted, "in date, of an issuer not trusted here"),
                (self._expired, "out of date"),
            )
            if count
        ]
        if not self.pro.count and not self._late and not went_on:
            return "No certificate and no alert about one was seen."
        return sentence(
            f"{words.plural(self.pro.count, 'client')} refused a certificate: {alerts}" if self.pro.count else "",
            f"{self._late} only after sending the key" if self._late else "",
            f"clients went on: {', '.join(went_on)}" if went_on else "",
        )


class EncryptedToTheCertificate(Check):
    """What key exchange was negotiated. A resumed session of TLS 1.2 has none."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: collections.Counter[str] = collections.Counter()

    def look(self, seen: Seen) -> None:
        tls = seen.tls
        if tls is None or tls.key_exchange is None or _resumed(tls):
            return
        self._kinds[tls.key_exchange] += 1
        key = _step(tls, "client", "ClientKeyExchange")
        if tls.key_exchange not in _ENCRYPTED_TO_THE_SERVER:
            self.contra.add(seen, _step(tls, "server", "ServerHello"), key)
        elif key is not None:
            self.pro.add(seen, key)

    def tell(self) -> str:
        if not self._kinds:
            return "No key exchange was seen."
        kinds = ", ".join(f"{count} by {kind}" for kind, count in self._kinds.most_common(6))
        return sentence(f"{words.plural(self._kinds.total(), 'key exchange')}: {kinds}")


class KeysFromPreMasterSecret(Check):
    """For: records of TLS 1.2 or before that opened with keys derived in this way. Against: TLS 1.3."""

    def __init__(self) -> None:
        super().__init__()
        self._closed = 0

    def look(self, seen: Seen) -> None:
        tls = seen.tls
        if tls is None or tls.version is None or _resumed(tls):
            return
        hello = _step(tls, "server", "ServerHello")
        if _is_1_3(tls):
            self.contra.add(seen, hello)
        elif tls.decrypted:
            self.pro.add(seen, hello, _step(tls, "client", "ClientKeyExchange"))
        else:
            self._closed += 1

    def tell(self) -> str:
        if not self.pro.count and not self.contra.count and not self._closed:
            return _NO_TLS
        return sentence(
            f"{words.plural(self.pro.count, 'connection')} opened with such keys" if self.pro.count else "",
            f"{words.plural(self.contra.count, 'connection')} of TLS 1.3" if self.contra.count else "",
            f"{self._closed} of TLS 1.2 or before, not decrypted, so that it is not shown" if self._closed else "",
        )


class UsualCiphers(Check):
    """The cipher of each suite negotiated."""

    rule = "most"

    def __init__(self) -> None:
        super().__init__()
        self._ciphers: collections.Counter[str] = collections.Counter()

    def look(self, seen: Seen) -> None:
        tls = seen.tls
        if tls is None or tls.cipher_suite is None:
            return
        cipher = cipher_of(tls.cipher_suite)
        self._ciphers[cipher] += 1
        (self.pro if cipher in ("AES", "RC4", "3DES") else self.contra).add(seen, _step(tls, "server", "ServerHello"))

    def tell(self) -> str:
        if not self._ciphers:
            return "No cipher suite was negotiated."
        ciphers = ", ".join(f"{count} {cipher}" for cipher, count in self._ciphers.most_common(8))
        return sentence(f"of {words.plural(self._ciphers.total(), 'connection')}: {ciphers}")


def cipher_of(suite: str) -> str:
    """`AES` of `TLS_RSA_WITH_AES_128_GCM_SHA256` and of `TLS_AES_128_GCM_SHA256`."""
    _, with_, cipher = suite.partition("_WITH_")
    return (cipher if with_ else suite.removeprefix("TLS_")).partition("_")[0]


class EncryptedExchanges(Check):
    """For: exchanges that had to be decrypted to be read, or application data of what ALPN calls HTTP. Against: a
    cipher that does not encrypt (RFC 9325 §4.1)."""

    def __init__(self) -> None:
        super().__init__()
        self._exchanges = self._unread = 0

    def look(self, seen: Seen) -> None:
        tls = seen.tls
        if (
            tls is None
            or tls.cipher_suite is None
            or not (tls.application_bytes.client or tls.application_bytes.server)
        ):
            return
        if cipher_of(tls.cipher_suite) == "NULL":
            self.contra.add(seen, *_packets(seen) or [_step(tls, "server", "ServerHello")])
        elif seen.http is not None and seen.http.exchanges:
            self._exchanges += words.exchange_count(seen.http)
            self.pro.add(seen, *_packets(seen))
        elif seen.unread:
            self._unread += 1
            self.pro.add(
                seen, tls.handshakes[0].steps[-1].packet if tls.handshakes and tls.handshakes[0].steps else None
            )

    def tell(self) -> str:
        if not self.pro.count and not self.contra.count:
            return "No HTTP over TLS was seen."
        return sentence(
            f"{words.plural(self._exchanges, 'exchange')} decrypted" if self._exchanges else "",
            f"{words.plural(self._unread, 'connection')} could not be read" if self._unread else "",
            f"{words.plural(self.contra.count, 'connection')} with a NULL cipher" if self.contra.count else "",
        )
