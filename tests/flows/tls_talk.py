"""TLS handshakes as text, for tests: talk("C CH · S SH=ecdhe CERT SKE SHD · C CKE CCS FIN? · S CCS FIN?").

A flight is a side and its steps; each flight is a packet of its own, numbered from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analyzer import model
from analyzer.dissector.tls.steps import TlsEvent
from analyzer.flows import load_library
from analyzer.reporter.tls_verdicts import HandshakeLabeler

STEPS = {
    "CH": "ClientHello", "SH": "ServerHello", "HRR": "HelloRetryRequest", "EE": "EncryptedExtensions",
    "HREQ": "HelloRequest", "CERT": "Certificate", "OCSP": "CertificateStatus", "SKE": "ServerKeyExchange",
    "CR": "CertificateRequest", "SHD": "ServerHelloDone", "CKE": "ClientKeyExchange", "CV": "CertificateVerify",
    "NPN": "NextProtocol", "CCS": "ChangeCipherSpec", "NST": "NewSessionTicket", "EOED": "EndOfEarlyData",
    "FIN": "Finished", "KU": "KeyUpdate", "ALERT": "Alert", "E": "Encrypted", "ED": "Early Data",
    "DATA": "Application Data",
}  # fmt: skip

SUITES = {"128": "TLS_AES_128_GCM_SHA256", "384": "TLS_AES_256_GCM_SHA384", "ccm8": "TLS_AES_128_CCM_8_SHA256"}


def event(side: str, word: str, packet: int) -> TlsEvent:
    """ "CH+ticket", "SH=ecdhe" (TLS 1.2), "SH13", "SH13+psk", "SH13=384" (a suite), "FIN?" (inferred), "E53" (an
    unreadable record and its bytes)."""
    seen: Any = "inferred" if word.endswith("?") else "observed"
    word, *flags = word.rstrip("?").split("+")
    word, _, value = word.partition("=")
    fields: dict[str, Any] = dict.fromkeys(flags, True)
    if word == "SH13":
        word, fields = "SH", fields | {
            "version": "TLS 1.3", "cipher_suite": SUITES[value or "128"], "key_exchange": "ecdhe"
        }  # fmt: skip
    elif word == "SH":
        fields |= {"version": "TLS 1.2", "key_exchange": value or None}
    elif word[0] == "E" and word[1:].isdigit():
        word, seen, fields = "E", "hidden", {"length": int(word[1:])}
    return TlsEvent({"C": "client", "S": "server"}[side], STEPS[word], packet, packet, seen, **fields)  # type: ignore[arg-type]


def talk(text: str) -> list[TlsEvent]:
    found = []
    for packet, flight in enumerate(text.split(" · ") if text else (), 1):
        side, *words = flight.split()
        found += [event(side, word, packet) for word in words]
    return found


def handshakes(text: str, **around: Any) -> list[model.Verdict]:
    """The verdicts of a conversation; around: `lost`, `ended`, `evicted`."""
    return [one.verdict for one in LABELER.handshakes(talk(text), 0, **around)]


def handshake(text: str, **around: Any) -> model.Verdict:
    (verdict,) = handshakes(text, **around)
    return verdict


def flow_of(verdict: model.Verdict) -> str | None:
    return verdict.flow and verdict.flow.removeprefix("tls/")


def short(steps: Sequence[model.Step]) -> str:
    """ "C ClientHello · S Encrypted x4 hidden": the steps of a verdict."""
    return " · ".join(
        " ".join(
            [step.side[0].upper(), step.step]
            + [f"x{step.times}"] * (step.times > 1)
            + [step.seen] * (step.seen != "observed")
        )
        for step in steps
    )


LABELER = HandshakeLabeler(load_library())
