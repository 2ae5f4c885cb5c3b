# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Handshake messages and alerts of one connection: what they mean for its state, and the steps the flow pages see.

RFC 8446 if no other document is named. Everything is bounded; what lies beyond is counted. Pure-Python mode, types in
`handshake.pxd`.
"""

from __future__ import annotations

import hashlib
from typing import Final

import cython
from msgspec import structs

from analyzer.dissector.registries import name, table
from analyzer.dissector.tls import messages as msg
from analyzer.dissector.tls.compressed import decompress
from analyzer.dissector.tls.hellos import parse_hello_retry_request
from analyzer.dissector.tls.steps import CLIENT, SERVER, SIDE_NAMES, Alert, TlsEvent
from analyzer.dissector.undecided import Undecided
from analyzer.model import Fault

if cython.compiled:
    from cython.cimports.analyzer.dissector.tls.hellos import parse_client_hello, parse_server_hello, version_name
    from cython.cimports.analyzer.dissector.tls.records import RecordLayer, RecordReader
    from cython.cimports.analyzer.dissector.tls.steps import Handshake
else:
    from analyzer.dissector.tls.hellos import parse_client_hello, parse_server_hello, version_name
    from analyzer.dissector.tls.records import RecordLayer, RecordReader
    from analyzer.dissector.tls.steps import Handshake

COMPILED = cython.compiled

MOST_MESSAGE: Final = 262_144  # bytes of a handshake message that is read; larger ones are stepped over
_MOST_MESSAGE = cython.declare(cython.Py_ssize_t, MOST_MESSAGE)
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
_STEP_OF: Final = tuple(map(MESSAGE_STEPS.get, range(256)))
_CLIENT = cython.declare(cython.int, CLIENT)
_SERVER = cython.declare(cython.int, SERVER)
_CLIENT_HELLO = cython.declare(cython.int, msg.CLIENT_HELLO)
_SERVER_HELLO = cython.declare(cython.int, msg.SERVER_HELLO)
_HELLO_RETRY_REQUEST = cython.declare(cython.int, msg.HELLO_RETRY_REQUEST)
_FINISHED = cython.declare(cython.int, msg.FINISHED)
_WITH_CONTENT: Final = frozenset({
    msg.ENCRYPTED_EXTENSIONS, msg.CERTIFICATE, msg.COMPRESSED_CERTIFICATE, msg.SERVER_KEY_EXCHANGE,
    msg.CERTIFICATE_REQUEST, msg.CERTIFICATE_STATUS, msg.NEW_SESSION_TICKET, msg.CLIENT_KEY_EXCHANGE,
})  # fmt: skip
_LEVELS: Final = {1: "warning", 2: "fatal"}  # RFC 5246 §7.2
_NO_ERRORS: Final = ("close_notify", "user_canceled")  # §6.1


@cython.no_gc
@cython.final
@cython.cclass
class Side:
    """What is remembered of one direction."""

    def __init__(self, number: cython.int, reader: RecordReader, uncertain: cython.bint) -> None:
        self.number = number
        self.reader = reader
        self.waiting = None  # the beginning of a handshake message whose end has not come
        self.need = 4  # bytes of it, before anything can be read
        self.stepped_over = 0  # bytes of a message too large to be read that are still to come
        self.encrypted = False  # up to TLS 1.2: its ChangeCipherSpec came
        self.changed = False  # …and its Finished has not come yet
        self.uncertain = uncertain  # whether its records are encrypted is not known
        self.hidden = 0  # records of TLS 1.3 that could not be read, before the handshake was over
        self.first_seen = False  # a record of TLS 1.3 that came after that
        self.closed = None  # how, when, packet


@cython.no_gc
@cython.cclass
class Negotiation(RecordLayer):
    """What a connection says of itself. `events` in the order they happened, `faults` in the order they were noticed;
    whoever follows a connection live may take events out of the list."""

    def __init__(self, opener=None, midstream: cython.bint = False) -> None:
        RecordLayer.__init__(self, midstream)
        self.events = []  # of TlsEvent
        self.faults = []  # of Fault
        self.alerts = []  # of Alert
        self.events_beyond = 0
        self.faults_beyond = 0
        self.alerts_beyond = 0
        self.first = self.current = Handshake()
        self.handshakes = 0  # ClientHellos that began one
        self.certificates = []  # the server's, DER, its own first
        self.client_certificates = []
        self.server_key_exchange = None
        self.certificate_request = None
        self.encrypted_extensions = None
        self.tickets = []  # the first ones, NewSessionTicket
        self.stapled = False  # an OCSP response came with the certificate
        self.close_notify = [None, None]  # packet, per side
        self.started_ns = None  # first byte of the first ClientHello
        self.finished_ns = None  # the first handshake was over
        self.lost = None  # why steps may be missing: the cause of a gap, "mid-stream", "framing"
        self.decrypted = False  # at least one record was opened
        self.opener = opener
        self.plain = None if opener is None else Undecided()

    # What the report asks for

    @property
    def client_hello(self):
        return self.first.client_hello

    @property
    def server_hello(self):
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

    @cython.ccall
    def fault(self, packet: cython.longlong, message: str) -> cython.void:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(packet, LAYER, message))
        else:
            self.faults_beyond += 1

    @cython.cfunc
    def _event(self, s: Side, step: str, length: cython.longlong, seen: str = "observed") -> cython.bint:
        """Whether it is kept."""
        h: Handshake = self.current
        if len(self.events) >= MOST_EVENTS:
            self.events_beyond += 1
            return False
        self.events.append(
            TlsEvent(
                SIDE_NAMES[s.number], step, s.reader.packet, s.reader.at_ns, seen, length, h.version_text, h.suite_name,
                h.key_exchange, False, False, False, False, None, h.alpn,
            )
        )  # fmt: skip
        return True

    @cython.cfunc
    def _hello_event(
        self, s: Side, step: str, length: cython.longlong, version: str, hello, ticket, psk, early_data, sni, alpn
    ) -> cython.void:
        h: Handshake = self.current
        if len(self.events) >= MOST_EVENTS:
            self.events_beyond += 1
            return
        self.events.append(
            TlsEvent(
                SIDE_NAMES[s.number], step, s.reader.packet, s.reader.at_ns, "observed", length, version, h.suite_name,
                h.key_exchange, bool(hello.session_id), ticket, psk, early_data, sni, alpn,
            )
        )  # fmt: skip

    @cython.cfunc
    def _detail(self, more: dict) -> cython.void:
        """What the event that was kept last says besides."""
        self.events.append(structs.replace(self.events.pop(), **more))

    @cython.cfunc
    def _is_over(self, s: Side) -> cython.void:
        self.current.over = True
        if self.current is self.first and self.finished_ns is None:
            self.finished_ns = s.reader.at_ns

    # Alerts

    @cython.cfunc
    def _alert(self, s: Side, fragment: bytes, encrypted: cython.bint) -> cython.void:
        """§6. Before TLS 1.3 a record may hold several (RFC 5246 §6.2.1)."""
        if len(fragment) % 2 or not fragment or (len(fragment) > 2 and self.current.tls13):
            self.fault(s.reader.packet, f"an alert of {len(fragment)} bytes (RFC 8446 §6)")
        at: cython.Py_ssize_t
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
            if error and self._event(s, "Alert", 2):
                self._detail({"level": level, "description": description})

    @cython.cfunc
    def _keep_alert(self, alert) -> cython.void:
        if len(self.alerts) < MOST_ALERTS:
            self.alerts.append(alert)
        else:
            self.alerts_beyond += 1

    # Messages

    @cython.cfunc
    def _messages(self, s: Side, fragment: bytes) -> cython.void:
        """Handshake messages out of the fragments of records. §5.1: several may be in one, one may be in several."""
        at: cython.Py_ssize_t = 0
        size: cython.Py_ssize_t
        length: cython.Py_ssize_t
        octets: cython.p_uchar
        if s.stepped_over:
            length = min(s.stepped_over, len(fragment))
            s.stepped_over -= length
            fragment = fragment[length:]
        if s.waiting is not None:
            s.waiting += fragment
            if len(s.waiting) < s.need:
                return
            fragment = bytes(s.waiting)
            s.waiting = None
        octets = fragment
        size = len(fragment)
        s.need = 4
        while size - at >= 4:
            length = octets[at + 1] << 16 | octets[at + 2] << 8 | octets[at + 3]
            if length > _MOST_MESSAGE:
                self._too_large(s, octets[at], length)
                s.stepped_over = max(0, 4 + length - (size - at))
                at = min(size, at + 4 + length)
                continue
            if size - at < 4 + length:
                s.need = 4 + length
                break
            self._message(s, fragment[at : at + 4 + length])
            at += 4 + length
        if at < size:
            s.waiting = bytearray(fragment[at:])

    @cython.cfunc
    def _too_large(self, s: Side, kind: cython.int, length: cython.longlong) -> cython.void:
        called = name("handshake-types", kind)
        self.fault(s.reader.packet, f"{called} of {length} bytes is not read (RFC 8446 §4)")
        self.current.transcript = None

    @cython.cfunc
    def _message(self, s: Side, message: bytes) -> cython.void:
        """One message, with its header of four bytes."""
        kind: cython.int = message[0]
        if kind == _CLIENT_HELLO and s.number == _CLIENT:
            hello, faults = parse_client_hello(message[4:])
            self._client_hello(s, message, hello, faults)
            return
        self._keep_transcript(message)
        if kind == _SERVER_HELLO and s.number == _SERVER:
            hello, faults = parse_server_hello(message[4:])
            self._server_hello(s, len(message), hello, faults)
            return
        if kind == _HELLO_RETRY_REQUEST and s.number == _SERVER:
            hello, faults = parse_hello_retry_request(message[4:])
            self._server_hello(s, len(message), hello, faults)
            return
        if kind == _FINISHED:
            self._event(s, "Finished", len(message))
            self._finished(s)
            return
        more: dict = self._content(s, kind, message) if kind in _WITH_CONTENT else None
        step: str = _STEP_OF[kind]
        if step is not None:
            if self._event(s, step, len(message)) and more is not None:
                self._detail(more)
        elif kind not in table("handshake-types"):
            self.fault(s.reader.packet, f"a handshake message of type {kind} (RFC 8446 §4)")
        if self.opener is not None:
            if kind == msg.KEY_UPDATE:
                self.opener.key_update(s.number)
            elif kind == msg.END_OF_EARLY_DATA:
                self.opener.handshake(CLIENT)

    def _content(self, s: Side, kind: cython.int, message: bytes) -> dict | None:
        """What is remembered of a message; returned is what its event says more than others."""
        h: Handshake = self.current
        body: bytes = message[4:]
        if kind == msg.ENCRYPTED_EXTENSIONS:
            return {"early_data": self._encrypted_extensions(s, body)}
        if kind in (msg.CERTIFICATE, msg.COMPRESSED_CERTIFICATE):
            self._certificate(s, body, kind == msg.COMPRESSED_CERTIFICATE)
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
        elif self.opener is not None:  # ClientKeyExchange
            self.opener.client_key_exchange(body, self._digest)
        return None

    @cython.cfunc
    def _faults(self, s: Side, faults: list) -> cython.void:
        for fault in faults:
            self.fault(s.reader.packet, fault)

    @cython.cfunc
    def _keep_transcript(self, message: bytes) -> cython.void:
        """What the extended master secret is made from: RFC 7627 §3. Nobody needs it without an RSA key."""
        h: Handshake = self.current
        if self.opener is None or h.transcript is None or message[0] == msg.HELLO_REQUEST:
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

    @cython.cfunc
    def _client_hello(self, s: Side, message: bytes, hello, faults: list) -> cython.void:
        h: Handshake = self.current
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
        protocols: tuple = hello.protocols
        self._hello_event(
            s, "ClientHello", len(message), version_name(hello.highest_version), hello, bool(hello.ticket),
            bool(hello.psk_identities), hello.early_data, hello.server_name,
            protocols[0].decode("utf-8", "backslashreplace") if protocols else None,
        )  # fmt: skip
        if hello.early_data and self.opener is not None:
            self.opener.early(hello.random, hello.cipher_suites)

    @cython.cfunc
    def _server_hello(self, s: Side, length: cython.longlong, hello, faults: list) -> cython.void:
        h: Handshake = self.current
        self._faults(s, faults)
        if hello is None:
            self._event(s, "ServerHello", length)
            return
        selected: cython.bint = hello.psk is not None
        if hello.retry:
            h.retry = h.retry or hello
            if self.opener is not None and h.client_hello is not None and h.client_hello.early_data:
                self.opener.early(b"", ())  # §4.1.2: the second ClientHello has none
            asked: str = version_name(hello.version)
            self._hello_event(s, "HelloRetryRequest", length, asked, hello, hello.ticket, selected, False, None, h.alpn)
            return
        h.negotiated(hello)
        if self.opener is not None:
            self._begin_keys(h, hello)
        self._hello_event(s, "ServerHello", length, h.version_text, hello, hello.ticket, selected, False, None, h.alpn)

    def _begin_keys(self, h: Handshake, hello) -> None:
        opener, offered = self.opener, h.client_hello
        if offered is None:
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
        h: Handshake = self.current
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

    def _certificate(self, s: Side, body: bytes, compressed: cython.bint) -> None:
        h: Handshake = self.current
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
        self.stapled = self.stapled or found.stapled
        if s.number == _SERVER:
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

    @cython.cfunc
    def _finished(self, s: Side) -> cython.void:
        """A Finished, read or inferred."""
        h: Handshake = self.current
        s.changed = False
        if h.finished[s.number] is None:
            h.finished[s.number] = s.reader.packet
        if None not in h.finished:
            self._is_over(s)
        if h.tls13 and self.opener is not None:
            self.opener.application(s.number)
