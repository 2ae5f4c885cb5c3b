"""The claims of the article, and what holds each of them against connections."""

from __future__ import annotations

import dataclasses
from typing import Final

from analyzer import model
from analyzer.reporter.claims import http1, http2, security, tcp
from analyzer.reporter.claims.comparison import Comparison
from analyzer.reporter.claims.found import Check, Judged, Report, Seen


@dataclasses.dataclass(frozen=True)
class Claim:
    """`in_general`: what is true, whatever a capture shows, as `standard` has it."""

    id: str
    text: str
    in_general: str
    standard: str
    check: type[Check]


CLAIMS: Final = (
    Claim(
        "C1", "Each side picks a random initial sequence number.",
        "True: it must not be guessable, so it is a clock plus a keyed hash of addresses and ports.",
        "RFC 9293 §3.4.1, RFC 6528", tcp.InitialSequenceNumbers,
    ),
    Claim(
        "C2", "A TCP connection closes with four segments, the client first.",
        "One way of several: FIN and ACK often share a segment, often the server is first, and a reset closes, too.",
        "RFC 9293 §3.6, §3.5.2", tcp.FourSegments,
    ),
    Claim(
        "C3", "In HTTP/1.1 a connection carries one request and one response, then closes at once.",
        "False: HTTP/1.1 connections persist by default; it is true of HTTP/1.0 without keep-alive.",
        "RFC 9112 §9.3", http1.OneExchange,
    ),
    Claim(
        "C4", "HTTP/2 carries several requests and responses at once on one connection.",
        "True: each exchange is a stream of its own, up to the number that the other side allows.",
        "RFC 9113 §5, §5.1.2", http2.AtOnce,
    ),
    Claim(
        "C5", "HTTP/2 frames are binary and each has a stream id.",
        "True: nine octets of header with length, type, flags and stream identifier; 0 is the connection itself.",
        "RFC 9113 §4.1", http2.Frames,
    ),
    Claim(
        "C6", "HTTP/2 compresses header fields.",
        "True: HPACK refers to fields sent before, and codes texts with fewer bits; bodies are not compressed by it.",
        "RFC 9113 §4.3, RFC 7541", http2.HeaderCompression,
    ),
    Claim(
        "C7", "HTTP/2 servers can push responses that were not asked for.",
        "The protocol allows it where the client does; browsers forbid it now with ENABLE_PUSH=0.",
        "RFC 9113 §8.4, §6.5.2", http2.Push,
    ),
    Claim(
        "C8", "HTTP/2 supports request priority.",
        "Half true: the priorities of RFC 7540 are deprecated; the priority field and PRIORITY_UPDATE replace them.",
        "RFC 9113 §5.3, RFC 9218", http2.Priority,
    ),
    Claim(
        "C9", "Both HTTP/1.1 and HTTP/2 need TLS.",
        "False: http:// URIs go without, in either version; but browsers speak HTTP/2 over TLS only.",
        "RFC 9110 §4.2.1, RFC 9113 §3.1, §3.3", security.BothNeedTls,
    ),
    Claim(
        "C10", "HTTP/2 needs a TLS handshake where HTTP/1.1 needs the TCP three-way handshake.",
        "False: HTTP/2 runs over TCP like HTTP/1.1; with TLS either version needs both handshakes.",
        "RFC 9113 §3.2, RFC 9112 §9", security.TlsInPlaceOfTcp,
    ),
    Claim(
        "C11", "One client and one server need only one TCP connection with HTTP/2.",
        "Mostly: clients should not open more than one to a server, but may, and some do.",
        "RFC 9113 §9.1", http2.OneConnection,
    ),
    Claim(
        "C12", "HTTP/2 connections are closed with GOAWAY.",
        "They should be, so that the other side knows what was processed; many are just closed.",
        "RFC 9113 §5.4.1, §6.8, §9.1", http2.Goaway,
    ),
    Claim(
        "C13", "The client checks that the certificate is in date and from a trusted issuer before it sends the key.",
        "It must, and the name as well; but a capture shows only that it goes on or refuses, and in TLS 1.3 its key "
        "share is sent before it sees the certificate.",
        "RFC 5280 §6, RFC 9525, RFC 8446 §4.2.8, §4.4.2.4", security.CertificateChecked,
    ),
    Claim(
        "C14", "The client encrypts a random number with the public key of the certificate.",
        "Only in the RSA key exchange of TLS 1.2 and before; never with Diffie-Hellman, nor in TLS 1.3.",
        "RFC 5246 §7.4.7.1, RFC 8446 §1.2", security.EncryptedToTheCertificate,
    ),
    Claim(
        "C15", "The session keys come from the pre-master secret and both randoms.",
        "True of TLS 1.2 and before (with RFC 7627 from a hash of the handshake, too); TLS 1.3 derives them from "
        "Diffie-Hellman or a shared key and a hash of the handshake.",
        "RFC 5246 §8.1, §6.3, RFC 8446 §7.1", security.KeysFromPreMasterSecret,
    ),
    Claim(
        "C16", "Usual ciphers are AES, RC4 and 3DES.",
        "AES is, and ChaCha20; RC4 is forbidden and 3DES obsolete.",
        "RFC 7465, RFC 8996, RFC 9325 §4.1, §4.2", security.UsualCiphers,
    ),
    Claim(
        "C17", "Requests and responses are encrypted with the symmetric key.",
        "True: as application data records, with a key for each direction.",
        "RFC 8446 §5.2, §7.3, RFC 5246 §6.2.3", security.EncryptedExchanges,
    ),
    Claim(
        "C18", "HTTP/1.1 repeats header data on every request.",
        "True: each request is complete in itself, and HTTP/1.1 has no compression of header fields.",
        "RFC 9112 §5, RFC 9110 §3.3", http1.RepeatedFields,
    ),
)  # fmt: skip


class Claims:
    """Takes connections one by one and keeps counts and a few packets of each claim. `report` is called once, after
    all."""

    def __init__(self) -> None:
        self._checks = [claim.check() for claim in CLAIMS]
        self._comparison = Comparison()
        self._connections = 0
        self._captures: dict[str, int] = {}  # in the order in which they came

    def add(self, connection: model.Connection) -> None:
        seen = Seen.of(connection)
        self._connections += 1
        self._captures.setdefault(connection.capture, len(self._captures))
        for check in self._checks:
            check.look(seen)
        self._comparison.add(seen)

    def report(self) -> Report:
        return Report(
            connections=self._connections,
            claims=[self._judged(claim, check) for claim, check in zip(CLAIMS, self._checks, strict=True)],
            comparison=self._comparison.rows(),
            not_read=self._comparison.not_read(),
        )

    def _judged(self, claim: Claim, check: Check) -> Judged:
        check.conclude()
        places = sorted(check.places(), key=lambda place: (self._captures[place.capture], place.packet))
        return Judged(
            id=claim.id,
            claim=claim.text,
            verdict=check.verdict(),
            packets=[place.packet for place in places],
            seen=check.tell(),
            in_general=claim.in_general,
            standard=claim.standard,
            evidence=places,
        )
