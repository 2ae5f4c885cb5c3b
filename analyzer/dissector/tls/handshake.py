"""Handshake messages and alerts of one connection: what they mean for its state, and the steps the flow pages see.

RFC 8446 if no other document is named. Everything is bounded; what lies beyond is counted.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from msgspec import structs

from analyzer.dissector.layer import Layer
from analyzer.dissector.registries import name, table
from analyzer.dissector.tls import hellos
from analyzer.dissector.tls import messages as msg
from analyzer.dissector.tls.compressed import decompress
from analyzer.dissector.tls.decrypt import Opener
from analyzer.dissector.tls.hellos import ClientHello, ServerHello
from analyzer.dissector.tls.messages import (
    CertificateRequest,
    EncryptedExtensions,
    NewSessionTicket,
    ServerKeyExchange,
)
from analyzer.dissector.tls.records import RecordLayer, RecordReader
from analyzer.dissector.tls.steps import CLIENT, SERVER, SIDE_NAMES, Alert, Handshake, Seen, TlsEvent
from analyzer.dissector.undecided import Undecided
from analyzer.model import Fault

MOST_MESSAGE: Final = 262_144  # bytes of a handshake message that is read; larger ones are stepped over
MOST_TRANSCRIPT: Final = 1 << 20  # bytes kept for the session hash, RFC 7627 §3
MOST_EVENTS: Final = 10_000
MOST_ALERTS: Final = 100
MOST_FAULTS: Final = 100
MOST_TICKETS: Final = 8
LAYER: Final = "tls"

MESSAGE_STEPS: Final = {
    msg.HELLO_REQUEST: "HelloRequest", msg.CLIENT_HELLO: "ClientHello", msg.SERVER_HELLO: "ServerHello",
    msg.NEW_SESSION_TICKET: "NewSessionTicket", msg.END_OF_EARLY_DATA: "EndOfEarlyData",
    msg.HELLO_RETRY_REQUEST: "HelloRetryRequest", msg.ENCRYPTED_EXTENSIONS: "EncryptedExtensions",
    msg.CERTIFICATE: "Certificate", msg.SERVER_KEY_EXCHANGE: "ServerKeyExchange",
    msg.CERTIFICATE_REQUEST: "CertificateRequest", msg.SERVER_HELLO_DONE: "ServerHelloDone",
    msg.CERTIFICATE_VERIFY: "CertificateVerify", msg.CLIENT_KEY_EXCHANGE: "ClientKeyExchange",
    msg.FINISHED: "Finished", msg.CERTIFICATE_STATUS: "CertificateStatus", msg.KEY_UPDATE: "KeyUpdate",
    msg.COMPRESSED_CERTIFICATE: "Certificate", msg.NEXT_PROTOCOL: "NextProtocol",
}  # fmt: skip
_LEVELS: Final = {1: "warning", 2: "fatal"}  # RFC 5246 §7.2
_NO_ERRORS: Final = ("close_notify", "user_canceled")  # §6.1


class Side:
    """What is remembered of one direction."""

    __slots__ = (
        "changed", "closed", "encrypted", "first_seen", "hidden", "message", "need", "number", "reader", "stepped_over",
        "uncertain",
    )  # fmt: skip

    def __init__(self, number: int, reader: RecordReader, *, uncertain: bool):
        self.number = number
        self.reader = reader
        self.message = bytearray()  # of a handshake message, or several: what is not read yet
        self.need = 4  # bytes in it before anything can be read
        self.stepped_over = 0  # bytes of a message too large to be read that are still to come
        self.encrypted = False  # up to TLS 1.2: its ChangeCipherSpec came
        self.changed = False  # …and its Finished has not come yet
        self.uncertain = uncertain  # whether its records are encrypted is not known
        self.hidden = 0  # records of TLS 1.3 that could not be read, before the handshake was over
        self.first_seen = False  # a record of TLS 1.3 that came after that
        self.closed: tuple[str, int, int] | None = None  # how, when, packet


class Negotiation(RecordLayer):
    """What a connection says of itself. `events` in the order they happened, `faults` in the order they were noticed;
    whoever follows a connection live may take events out of the list."""

    def __init__(self, opener: Opener | None, *, midstream: bool = False):
        super().__init__(midstream)
        self.events: list[TlsEvent] = []
        self.faults: list[Fault] = []
        self.alerts: list[Alert] = []
        self.events_beyond = 0
        self.faults_beyond = 0
        self.alerts_beyond = 0
        self.first = Handshake()
        self.current = self.first
        self.handshakes = 0  # ClientHellos that began one
        self.certificates: list[bytes] = []  # the server's, DER, its own first
        self.client_certificates: list[bytes] = []
        self.server_key_exchange: ServerKeyExchange | None = None
        self.certificate_request: CertificateRequest | None = None
        self.encrypted_extensions: EncryptedExtensions | None = None
        self.tickets: list[NewSessionTicket] = []  # the first ones
        self.stapled = False  # an OCSP response came with the certificate
        self.close_notify: list[int | None] = [None, None]  # packet, per side
        self.started_ns: int | None = None  # first byte of the first ClientHello
        self.finished_ns: int | None = None  # the first handshake was over
        self.lost: str | None = None  # why steps may be missing: the cause of a gap, "mid-stream", "framing"
        self.decrypted = False  # at least one record was opened
        self.opener = opener
        self.plain: Layer | None = None if opener is None else Undecided()

    # What the report asks for

    @property
    def client_hello(self) -> ClientHello | None:
        return self.first.client_hello

    @property
    def server_hello(self) -> ServerHello | None:
        return self.first.server_hello

    @property
    def version(self) -> str | None:
        """ "TLS 1.2": as negotiated; a draft of TLS 1.3 is TLS 1.3."""
        return self.first.version_text

    @property
    def cipher_suite(self) -> int | None:
        return self.first.cipher_suite

    @property
    def server_name(self) -> str | None:
        return None if self.client_hello is None else self.client_hello.server_name

    @property
    def alpn(self) -> str | None:
        """What the server chose, if that could be read."""
        return self.first.alpn

    @property
    def decryption(self) -> str | None:
        """Where the keys came from if anything was decrypted, else why nothing was; None: nobody tried."""
        if self.opener is None:
            return None
        return self.opener.source if self.decrypted else self.opener.why

    # Bookkeeping

    def fault(self, packet: int, message: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(packet, LAYER, message))
        else:
            self.faults_beyond += 1

    def _event(self, s: Side, step: str, length: int, seen: Seen = "observed", **more: Any) -> None:
        if len(self.events) >= MOST_EVENTS:
            self.events_beyond += 1
            return
        h = self.current
        event = TlsEvent(
            SIDE_NAMES[s.number], step, s.reader.packet, s.reader.at_ns, seen, length, h.version_text, h.suite_name,
            h.key_exchange, alpn=h.alpn,
        )  # fmt: skip
        self.events.append(structs.replace(event, **more) if more else event)

    def _is_over(self, s: Side) -> None:
        self.current.over = True
        if self.current is self.first and self.finished_ns is None:
            self.finished_ns = s.reader.at_ns

    # Alerts

    def _alert(self, s: Side, fragment: bytes, *, encrypted: bool) -> None:
        """§6. Before TLS 1.3 a record may hold several (RFC 5246 §6.2.1)."""
        if len(fragment) % 2 or not fragment or (len(fragment) > 2 and self.current.tls13):
            self.fault(s.reader.packet, f"an alert of {len(fragment)} bytes (RFC 8446 §6)")
        for at in range(0, len(fragment) - 1, 2):
            level, code = _LEVELS.get(fragment[at], str(fragment[at])), fragment[at + 1]
            description = name("alerts", code)
            if fragment[at] not in _LEVELS:
                self.fault(s.reader.packet, f"an alert of level {level} (RFC 8446 §6)")
            self._keep_alert(Alert(SIDE_NAMES[s.number], level, description, s.reader.packet, encrypted))
            if description == "close_notify" and self.close_notify[s.number] is None:
                self.close_notify[s.number] = s.reader.packet
                if self.plain is not None and encrypted:
                    self.plain.close(s.number, "fin", s.reader.at_ns, s.reader.packet)
            error = description not in _NO_ERRORS if self.current.tls13 else fragment[at] == 2
            if error:
                self._event(s, "Alert", 2, level=level, description=description)

    def _keep_alert(self, alert: Alert) -> None:
        if len(self.alerts) < MOST_ALERTS:
            self.alerts.append(alert)
        else:
            self.alerts_beyond += 1

    # Messages

    def _messages(self, s: Side, fragment: bytes) -> None:
        """Handshake messages out of the fragments of records. §5.1: several may be in one, one may be in several."""
        if s.stepped_over:
            taken = min(s.stepped_over, len(fragment))
            s.stepped_over -= taken
            fragment = fragment[taken:]
        buffer = s.message
        buffer += fragment
        at = 0
        while len(buffer) - at >= s.need:
            length = int.from_bytes(buffer[at + 1 : at + 4], "big")
            if length > MOST_MESSAGE:
                self._too_large(s, buffer[at], length)
                s.stepped_over = max(0, 4 + length - (len(buffer) - at))
                at = min(len(buffer), at + 4 + length)
                continue
            s.need = 4 + length
            if len(buffer) - at < s.need:
                break
            self._message(s, bytes(buffer[at : at + 4 + length]))
            at += 4 + length
            s.need = 4
            if s.message is not buffer:  # the framing was given up
                return
        del buffer[:at]

    def _too_large(self, s: Side, kind: int, length: int) -> None:
        called = name("handshake-types", kind)
        self.fault(s.reader.packet, f"{called} of {length} bytes is not read (RFC 8446 §4)")
        self.current.transcript = None

    def _message(self, s: Side, message: bytes) -> None:
        """One message, with its header of four bytes."""
        kind, body = message[0], message[4:]
        h = self.current
        if kind == msg.CLIENT_HELLO and s.number == CLIENT:
            self._client_hello(s, message, *hellos.parse_client_hello(body))
            return
        self._keep_transcript(message)
        if kind in (msg.SERVER_HELLO, msg.HELLO_RETRY_REQUEST) and s.number == SERVER:
            read = hellos.parse_server_hello if kind == msg.SERVER_HELLO else hellos.parse_hello_retry_request
            self._server_hello(s, len(message), *read(body))
            return
        more: dict[str, Any] = {}
        if kind == msg.ENCRYPTED_EXTENSIONS:
            more["early_data"] = self._encrypted_extensions(s, body)
        elif kind in (msg.CERTIFICATE, msg.COMPRESSED_CERTIFICATE):
            self._certificate(s, body, compressed=kind == msg.COMPRESSED_CERTIFICATE)
        elif kind == msg.SERVER_KEY_EXCHANGE:
            keys, faults = msg.parse_server_key_exchange(body, h.suite_name or "", h.version or 0)
            self._faults(s, faults)
            if keys is not None:
                self.server_key_exchange = self.server_key_exchange or keys
                h.group = keys.group or h.group
        elif kind == msg.CERTIFICATE_REQUEST:
            request, faults = msg.parse_certificate_request(body, h.version or 0)
            self._faults(s, faults)
            self.certificate_request = self.certificate_request or request
        elif kind == msg.CERTIFICATE_STATUS:
            self.stapled = True
        elif kind == msg.NEW_SESSION_TICKET:
            self._new_session_ticket(s, body)
        elif kind == msg.CLIENT_KEY_EXCHANGE and self.opener is not None:
            self.opener.client_key_exchange(body, self._digest)
        step = MESSAGE_STEPS.get(kind)
        if step is not None:
            self._event(s, step, len(message), **more)
        elif kind not in table("handshake-types"):
            self.fault(s.reader.packet, f"a handshake message of type {kind} (RFC 8446 §4)")
        if kind == msg.FINISHED:
            self._finished(s)
        elif kind == msg.KEY_UPDATE and self.opener is not None:
            self.opener.key_update(s.number)
        elif kind == msg.END_OF_EARLY_DATA and self.opener is not None:
            self.opener.handshake(CLIENT)

    def _faults(self, s: Side, faults: list[str]) -> None:
        for fault in faults:
            self.fault(s.reader.packet, fault)

    def _keep_transcript(self, message: bytes) -> None:
        """What the extended master secret is made from: RFC 7627 §3. Nobody needs it without an RSA key."""
        h = self.current
        if h.transcript is None or self.opener is None or message[0] == msg.HELLO_REQUEST:
            return
        h.transcript_bytes += len(message)
        if h.transcript_bytes > MOST_TRANSCRIPT or h.tls13:
            h.transcript = None
        else:
            h.transcript.append(message)

    def _digest(self, algorithm: str) -> bytes:
        """Nothing if not all messages are there."""
        if self.current.transcript is None:
            return b""
        digest = hashlib.new(algorithm, usedforsecurity=False)
        for message in self.current.transcript:
            digest.update(message)
        return digest.digest()

    def _client_hello(self, s: Side, message: bytes, hello: ClientHello | None, faults: list[str]) -> None:
        h = self.current
        if h.version is not None:  # negotiated: this one negotiates anew
            h = self.current = Handshake()
        if h.client_hello is None:
            self.handshakes += 1
        if self.started_ns is None:
            self.started_ns = s.reader.first_ns
        if h.client_hello is None:
            h.client_hello = hello
        self._keep_transcript(message)
        self._faults(s, faults)
        if hello is None:
            self._event(s, "ClientHello", len(message))
            return
        self._event(
            s, "ClientHello", len(message), version=hellos.version_name(hello.highest_version),
            session_id=bool(hello.session_id), ticket=bool(hello.ticket), psk=bool(hello.psk_identities),
            early_data=hello.early_data, sni=hello.server_name, alpn=hello.alpn[0] if hello.protocols else None,
        )  # fmt: skip
        if hello.early_data and self.opener is not None:
            self.opener.early(hello.random, hello.cipher_suites)

    def _server_hello(self, s: Side, length: int, hello: ServerHello | None, faults: list[str]) -> None:
        h = self.current
        self._faults(s, faults)
        if hello is None:
            self._event(s, "ServerHello", length)
            return
        more: dict[str, Any] = {
            "session_id": bool(hello.session_id),
            "psk": hello.psk is not None,
            "ticket": hello.ticket,
        }
        if hello.retry:
            h.retry = h.retry or hello
            if self.opener is not None and h.client_hello is not None and h.client_hello.early_data:
                self.opener.early(b"", ())  # §4.1.2: the second ClientHello has none
            self._event(s, "HelloRetryRequest", length, version=hellos.version_name(hello.version), **more)
            return
        h.negotiated(hello)
        if self.opener is not None:
            self._begin_keys(h, hello)
        self._event(s, "ServerHello", length, **more)

    def _begin_keys(self, h: Handshake, hello: ServerHello) -> None:
        opener, offered = self.opener, h.client_hello
        if opener is None or offered is None:
            return
        opener.begin(
            client_random=offered.random, server_random=hello.random, version=hello.version,
            cipher_suite=hello.cipher_suite, extended_master_secret=hello.extended_master_secret,
            encrypt_then_mac=hello.encrypt_then_mac, session_id=hello.session_id, ticket=offered.ticket or b"",
            compression=hello.compression_method,
        )  # fmt: skip
        if h.tls13:
            opener.handshake(SERVER)
            if not offered.early_data or h.retry is not None:
                opener.handshake(CLIENT)

    def _encrypted_extensions(self, s: Side, body: bytes) -> bool:
        """Whether early data is accepted."""
        h = self.current
        found, faults = msg.parse_encrypted_extensions(body)
        self._faults(s, faults)
        if found is None:
            return False
        self.encrypted_extensions = self.encrypted_extensions or found
        if found.protocol is not None:
            h.alpn = found.protocol.decode("utf-8", "backslashreplace")
        h.raw_public_key = [found.client_raw_public_key, found.raw_public_key]
        h.early_accepted = found.early_data
        if not found.early_data and self.opener is not None:
            self.opener.handshake(CLIENT)
        return found.early_data

    def _certificate(self, s: Side, body: bytes, *, compressed: bool) -> None:
        h = self.current
        if compressed:
            plain, fault = decompress(body)
            if plain is None:
                self._faults(s, [fault] if fault else [])
                return
            body = plain
        tls13 = h.tls13 or compressed
        found, faults = msg.parse_certificate(body, tls13=tls13, raw_public_key=h.raw_public_key[s.number])
        self._faults(s, faults)
        if found is None:
            return
        self.stapled |= found.stapled
        if s.number == SERVER:
            self.certificates = self.certificates or found.certificates
        else:
            self.client_certificates = self.client_certificates or found.certificates

    def _new_session_ticket(self, s: Side, body: bytes) -> None:
        found, faults = msg.parse_new_session_ticket(body, tls13=self.current.tls13)
        self._faults(s, faults)
        if found is None:
            return
        if len(self.tickets) < MOST_TICKETS:
            self.tickets.append(found)
        if self.opener is not None and not self.current.tls13:
            self.opener.remember(ticket=found.ticket)

    def _finished(self, s: Side) -> None:
        """A Finished, read or inferred."""
        h = self.current
        s.changed = False
        if h.finished[s.number] is None:
            h.finished[s.number] = s.reader.packet
        if None not in h.finished:
            self._is_over(s)
        if h.tls13 and self.opener is not None:
            self.opener.application(s.number)
