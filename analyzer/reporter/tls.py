"""What was found in a connection's TLS, as the report's structs, and its verdicts of scope tls."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer import model
from analyzer.dissector import registries
from analyzer.dissector.tls import fingerprint
from analyzer.dissector.tls.certificates import Roots, examine
from analyzer.dissector.tls.connection import CLIENT, SERVER, Dissector
from analyzer.dissector.tls.strength import strength
from analyzer.flows.library import Library
from analyzer.reporter.shapes import Judged
from analyzer.reporter.tls_verdicts import HandshakeLabeler
from analyzer.reporter.verdicts import Circumstances

NO_KEYS = "no keys were given: set SSLKEYLOGFILE before the client starts, and give its file with --keys"


class TlsLabeler:
    """Labels the TLS of connections. `roots`: the authorities that are trusted."""

    def __init__(self, library: Library, roots: Roots):
        self._handshakes = HandshakeLabeler(library)
        self._roots = roots

    def label(self, dissector: Dissector, around: Circumstances) -> tuple[model.Tls, list[Judged]]:
        """What one dissector found, and its handshakes."""
        first, hello = dissector.first, dissector.client_hello
        suite = None if first.cipher_suite is None else first.suite_name
        rated = strength(suite, dissector.version) if suite is not None else None
        group = None if first.group is None else registries.name("groups", first.group)
        handshakes = self._handshakes.handshakes(
            dissector.events, around.start_ns, lost=around.lost, ended=around.ended, evicted=around.evicted
        )
        # Of TLS 1.3 only the hellos can be read without keys.
        hidden = first.tls13 and not dissector.decrypted
        at_ns = dissector.started_ns if dissector.started_ns is not None else around.start_ns
        labelled = model.Tls(
            version=dissector.version,
            cipher_suite=suite,
            key_exchange=group or first.key_exchange,
            server_name=dissector.server_name,
            alpn=dissector.alpn,
            alpn_offered=[] if hello is None else list(hello.alpn),
            resumed=_resumed(dissector, handshakes),
            client_authenticated=None if hidden else _client_authenticated(handshakes),
            strength=rated.level if rated else None,
            strength_reason=rated.reason if rated else None,
            ja3=fingerprint.ja3(hello) if hello is not None else None,
            ja3s=fingerprint.ja3s(dissector.server_hello) if dissector.server_hello is not None else None,
            ja4=fingerprint.ja4(hello) if hello is not None else None,
            decrypted=dissector.decrypted,
            decryption=_decryption(dissector),
            certificates=self._certificates(dissector.certificates, dissector.server_name, at_ns),
            client_certificates=self._certificates(dissector.client_certificates, None, at_ns, client=True),
            alerts=[
                model.Alert(one.side, one.level, one.description, one.packet, one.encrypted) for one in dissector.alerts
            ],
            close_notify=_close_notify(dissector),
            records=model.PerSide(*(sum(counts.values()) for counts in dissector.records)),
            application_bytes=model.PerSide(
                *(dissector.plain_bytes if dissector.decrypted else dissector.application_bytes)
            ),
            handshakes=[around.told(one) for one in handshakes],
        )
        return labelled, handshakes

    def _certificates(
        self, chain: Sequence[bytes], server_name: str | None, at_ns: int, *, client: bool = False
    ) -> list[model.Certificate]:
        return examine(chain, server_name=server_name, at_ns=at_ns, roots=self._roots, client=client) if chain else []


def _decryption(dissector: Dissector) -> str | None:
    """Where the keys came from, or why nothing was decrypted; None where nothing was encrypted."""
    if dissector.opener is not None:
        why: str | None = dissector.decryption
        return why
    encrypted = any(dissector.application_bytes) or any(event.seen != "observed" for event in dissector.events)
    return NO_KEYS if encrypted else None


def _resumed(dissector: Dissector, handshakes: Sequence[Judged]) -> bool | None:
    """Whether the first handshake went on with an earlier session. Up to TLS 1.2 what is absent tells (the flow), in
    TLS 1.3 the ServerHello."""
    if dissector.server_hello is None:
        return None
    if dissector.first.tls13:
        resumed: bool = dissector.first.resumed
        return resumed
    first = handshakes[0].shape.verdict
    return None if first.flow is None or first.outcome == "incomplete" else "resumption" in first.flow


def _client_authenticated(handshakes: Sequence[Judged]) -> bool | None:
    """Whether the client proved to own a certificate, in any of the handshakes: RFC 8446 §4.4.3."""
    if any(("client", "CertificateVerify") in one.shape.steps for one in handshakes):
        return True
    whole = all(one.shape.verdict.outcome in ("documented", "variant") for one in handshakes)
    return False if whole else None


def _close_notify(dissector: Dissector) -> model.PerSide | None:
    """None where alerts are encrypted and could not be read."""
    client, server = dissector.close_notify[CLIENT], dissector.close_notify[SERVER]
    if client is None and server is None:
        hidden = dissector.first.tls13 or any(one.encrypted and one.description is None for one in dissector.alerts)
        if hidden and not dissector.decrypted:
            return None
    return model.PerSide(client or 0, server or 0)
