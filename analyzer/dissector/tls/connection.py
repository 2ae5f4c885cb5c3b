# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The TLS dissector: two byte streams in, handshakes out. RFC 8446 if no other document is named.

    dissector = Dissector()
    dissector.feed(CLIENT, bytes.fromhex("16030100c4010000c0…"), at_ns, packet)

It does no IO, knows no clock, and raises for no input. Bytes of the two sides come in the order of the capture; how
they were cut into segments changes nothing but packet numbers and times. Application data that nobody can open is
counted by its records' headers and never copied.

With an `Opener` what it opens is read like anything else, and application data goes to `plain`.

When TLS 1.3 cannot be opened, a handshake is over with the client's record that is as long as a Finished alone, or with
the server's next one after a record of the client that is long enough to end with one; records before that are
`Encrypted`, up to `MOST_HIDDEN` of each side. After it each side's first record is `Encrypted` if it is as long as an
alert, else `Application Data`, inferred: it may be a ticket or a KeyUpdate. Pure-Python mode, types in
`connection.pxd`.
"""

from __future__ import annotations

from typing import Final

import cython

from analyzer.dissector.registries import table
from analyzer.dissector.tls import ATTRIBUTES, STEPS, hellos, records
from analyzer.dissector.tls.probe import probe
from analyzer.dissector.tls.records import CONTENT_TYPES
from analyzer.dissector.tls.steps import CLIENT, SERVER, SIDE_NAMES, Alert, TlsEvent

if cython.compiled:
    from cython.cimports.analyzer.dissector.tls.handshake import Negotiation, Side
    from cython.cimports.analyzer.dissector.tls.records import RecordReader
    from cython.cimports.analyzer.dissector.tls.steps import Handshake
else:
    from analyzer.dissector.tls.handshake import Negotiation, Side
    from analyzer.dissector.tls.records import RecordReader
    from analyzer.dissector.tls.steps import Handshake

COMPILED = cython.compiled

__all__ = ["ATTRIBUTES", "CLIENT", "SERVER", "STEPS", "Alert", "Dissector", "TlsEvent", "probe"]

MOST_EARLY: Final = 262_144  # bytes of early data kept until it is known whether the server takes them
MOST_HIDDEN: Final = 64  # unreadable records of TLS 1.3 that become events, per side and handshake
_MOST_COLLECTED_MAYBE = cython.declare(cython.int, 1024)  # bytes of a ChangeCipherSpec or heartbeat looked at

_CLIENT = cython.declare(cython.int, CLIENT)
_SERVER = cython.declare(cython.int, SERVER)
_CHANGE_CIPHER_SPEC = cython.declare(cython.int, records.CHANGE_CIPHER_SPEC)
_ALERT = cython.declare(cython.int, records.ALERT)
_HANDSHAKE = cython.declare(cython.int, records.HANDSHAKE)
_APPLICATION_DATA = cython.declare(cython.int, records.APPLICATION_DATA)
_HEARTBEAT = cython.declare(cython.int, records.HEARTBEAT)
_MOST_PLAINTEXT = cython.declare(cython.int, records.MOST_PLAINTEXT)
_MOST_CIPHERTEXT = cython.declare(cython.int, records.MOST_CIPHERTEXT)


@cython.no_gc
@cython.final
@cython.cclass
class Dissector(Negotiation):
    """One connection. See `Negotiation` for what is found.

    `opener`: opens records, with keys. `midstream`: the connection was open before the capture began.
    """

    def __init__(self, *, opener=None, midstream: cython.bint = False) -> None:
        Negotiation.__init__(self, opener, midstream)
        self.plain_bytes = [0, 0]  # of `application_bytes`, opened, without what is not application data
        self.unopened = [0, 0]  # records that should have been opened and were not
        self._of_client = Side(0, self.client, midstream)
        self._of_server = Side(1, self.server, midstream)
        self._early = []  # opened early data that nobody has accepted or rejected: bytes, time, packet
        self._early_size = 0
        if midstream:
            self.lost = "mid-stream"

    @cython.cfunc
    def _side(self, number: cython.int) -> Side:
        return self._of_server if number else self._of_client

    @cython.ccall
    def close(self, side: cython.int, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """No more bytes of a side: "fin", "rst" (which ends both), or "end" of what was captured."""
        if how == "rst":
            self._close(self._of_client, how, at_ns, packet)
            self._close(self._of_server, how, at_ns, packet)
        else:
            self._close(self._side(side), how, at_ns, packet)

    @cython.cfunc
    def _close(self, s: Side, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        if s.closed is not None:
            return
        s.closed = how, at_ns, packet
        skipped: cython.longlong = s.reader.end()
        if skipped:
            begin = "" if s.reader.records else "the capture begins inside a record, or this is not TLS: "
            self.fault(packet, f"{begin}{skipped} bytes skipped up to the end")
        elif how != "end" and s.reader.inside():
            # §6.1: a side says that it closes, after all it had to send.
            left = f", {s.reader.remaining} bytes before its end" if s.reader.remaining else ""
            self.fault(packet, f"the connection ended inside a record{left} (RFC 8446 §6.1)")
        elif how != "end" and (s.waiting is not None or s.stepped_over):
            self.fault(packet, "the connection ended inside a handshake message (RFC 8446 §5.1)")
        if self.plain is not None:
            self.plain.close(s.number, how, at_ns, packet)
        s.reader.ignore()

    # Records

    @cython.cfunc
    def wanted(self, reader: RecordReader, content_type: cython.int) -> cython.bint:
        s: Side = self._side(reader.number)
        if self.opener is not None and self._protected(s, content_type):
            return True
        if content_type == _APPLICATION_DATA:
            return False
        if content_type in (_CHANGE_CIPHER_SPEC, _HEARTBEAT):
            return reader.length <= _MOST_COLLECTED_MAYBE
        return True

    @cython.cfunc
    def record(
        self, reader: RecordReader, content_type: cython.int, version: cython.int, fragment: bytes | None
    ) -> cython.void:
        s: Side = self._side(reader.number)
        length: cython.int = reader.length
        protected: cython.bint
        opened: tuple
        if content_type != _APPLICATION_DATA:
            self._tell_all()
        protected = self._protected(s, content_type)
        if length > _MOST_PLAINTEXT:
            self._check_length(s, length, protected)
        if s.uncertain and content_type in (_HANDSHAKE, _ALERT) and not self._settle(s, content_type, fragment or b""):
            protected = True
        if not protected:
            if content_type == _APPLICATION_DATA:
                self._unexpected_data(s, length)
            else:
                self._readable(s, content_type, length, fragment, False)
            return
        opened = self._open(s, content_type, version, fragment)
        if opened is not None:
            self._readable(s, opened[0], len(opened[1]), opened[1], True)
        elif self.current.tls13:
            self._hidden_1_3(s, length)
        else:
            self._hidden(s, content_type, length, fragment)

    @cython.cfunc
    def holed(self, reader: RecordReader, content_type: cython.int, lost: cython.longlong, begin: bytes) -> cython.void:
        s: Side = self._side(reader.number)
        length: cython.int = reader.length
        self._tell_all()
        if self._protected(s, content_type):
            if self.opener is not None:
                self.opener.lost(s.number, 1, 5 + length)
            if self.current.tls13:
                self._hidden_1_3(s, length)
            else:
                self._hidden(s, content_type, length, None)
            return
        if content_type == _APPLICATION_DATA:
            self._unexpected_data(s, length)
        elif content_type == _HANDSHAKE:
            self.lost = self.lost or reader.cause
            self.fault(reader.packet, f"{lost} bytes of a handshake record are missing: {reader.cause}")
            self._drop_message(s)
            self.current.transcript = None
            s.uncertain = not s.encrypted
        elif content_type != _HEARTBEAT:
            self.lost = self.lost or reader.cause

    @cython.cfunc
    def ssl2(self, reader: RecordReader, fragment: bytes) -> cython.void:
        """RFC 5246 §E.2: a ClientHello in this form may be answered in either; only hellos are read of SSL 2.0."""
        s: Side = self._side(reader.number)
        h: Handshake = self.current
        if s.number == _CLIENT:
            # RFC 5246 §E.2: what is hashed is the message behind the record's length.
            hello, faults = hellos.parse_ssl2_client_hello(fragment)
            self._client_hello(s, fragment, hello, faults)
            return
        h.speaks(hellos.SSL_2)
        self._event(s, "ServerHello", len(fragment))
        certificate = hellos.ssl2_certificate(fragment)
        if certificate:
            self.certificates = [certificate]
        self.client.ignore()
        self.server.ignore()

    @cython.cfunc
    def unframed(self, reader: RecordReader, why: str | None) -> cython.void:
        s: Side = self._side(reader.number)
        self._tell_all()
        if why is not None:
            self.fault(reader.packet, why)
        self.lost = self.lost or ("framing" if why is not None else reader.cause)
        self._drop_message(s)
        self.current.transcript = None
        s.uncertain = not s.encrypted
        if self.opener is not None:
            self.opener.lost(s.number)
            if self.plain is not None and self.decrypted:
                self.plain.gap(s.number, 1, reader.cause, reader.packet)

    @cython.cfunc
    def _tell_all(self) -> cython.void:
        """Something else than application data came: what comes next may mean something new."""
        self.client.silent = self.server.silent = False

    @cython.cfunc
    def _drop_message(self, s: Side) -> cython.void:
        s.waiting = None
        s.need = 4
        s.stepped_over = 0

    @cython.cfunc
    def _protected(self, s: Side, content_type: cython.int) -> cython.bint:
        """Whether keys are needed for a record."""
        h: Handshake = self.current
        if h.tls13:
            return content_type == _APPLICATION_DATA  # §5.2
        if s.encrypted:
            return True
        if content_type == _APPLICATION_DATA and s.number == _CLIENT and h.version is None:
            return h.client_hello is not None and h.client_hello.early_data
        return False

    @cython.cfunc
    def _check_length(self, s: Side, length: cython.int, protected: cython.bint) -> cython.void:
        most: cython.int = _MOST_PLAINTEXT
        if protected:
            most = _MOST_CIPHERTEXT if self.current.tls13 else length  # RFC 5246's limit is that of the framing
        if length > most:
            self.fault(s.reader.packet, f"a record of {length} bytes, {most} is the most (RFC 8446 §5.1, §5.2)")

    @cython.cfunc
    def _settle(self, s: Side, content_type: cython.int, fragment: bytes) -> cython.bint:
        """Records before this one are not known: does it look as if it were not encrypted?"""
        if content_type == _ALERT:
            if len(fragment) == 2 and fragment[0] in (1, 2) and fragment[1] in table("alerts"):
                return True
        elif _looks_plain(fragment):
            s.uncertain = False
            return True
        if self.current.tls13:
            return True  # the middle of a message
        s.uncertain = False
        s.encrypted = True
        if self.opener is not None:
            self.opener.change_cipher(s.number)
        return False

    @cython.cfunc
    def _open(self, s: Side, content_type: cython.int, version: cython.int, fragment: bytes | None) -> tuple | None:
        """Content type and plaintext of a record."""
        mac: cython.int = self.current.mac_length
        if fragment is None:
            return None
        if self.opener is not None:
            opened = self.opener.open(s.number, content_type, version, fragment)
            if opened is not None:
                self.decrypted = True
                return opened
            self.unopened[s.number] += 1
        if mac >= 0 and len(fragment) > mac:
            return content_type, fragment[: len(fragment) - mac]
        return None

    @cython.cfunc
    def _readable(
        self, s: Side, content_type: cython.int, length: cython.int, fragment: bytes | None, encrypted: cython.bint
    ) -> cython.void:
        """A record, opened or never encrypted."""
        if content_type != _HANDSHAKE and (s.waiting is not None or s.stepped_over) and self.current.tls13:
            between = CONTENT_TYPES[content_type - 20] if 20 <= content_type <= 24 else str(content_type)
            self.fault(s.reader.packet, f"{between} between the records of a handshake message (RFC 8446 §5.1)")
        if not length and content_type in (_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE):
            self.fault(s.reader.packet, f"a record of type {CONTENT_TYPES[content_type - 20]} is empty (RFC 8446 §5.1)")
        elif content_type == _HANDSHAKE:
            self._messages(s, fragment or b"")
            if self._early:
                self._decide_early()
        elif content_type == _ALERT:
            self._alert(s, fragment or b"", encrypted)
        elif content_type == _APPLICATION_DATA:
            self._opened_data(s, fragment or b"")
        elif content_type == _CHANGE_CIPHER_SPEC:
            if fragment != b"\x01":
                self.fault(s.reader.packet, "a ChangeCipherSpec that is not one byte of 1 (RFC 5246 §7.1)")
            self._change_cipher(s, length)
        elif content_type == _HEARTBEAT:
            if fragment is not None and len(fragment) >= 3 and int.from_bytes(fragment[1:3], "big") > len(fragment) - 3:
                self.fault(s.reader.packet, "a heartbeat claims more payload than it has (RFC 6520 §4)")
        else:
            self.fault(s.reader.packet, f"an encrypted record of type {content_type} (RFC 8446 §5.2)")

    @cython.cfunc
    def _change_cipher(self, s: Side, length: cython.int) -> cython.void:
        h: Handshake = self.current
        self._event(s, "ChangeCipherSpec", length)
        offered = h.client_hello
        if h.tls13:
            return  # §D.4
        if h.version is None and offered is not None and offered.highest_version == hellos.TLS_1_3:
            s.uncertain = True  # up to TLS 1.2 nobody sends one before the ServerHello, unless that was lost
            return
        s.encrypted = s.changed = True
        s.uncertain = False
        if self.opener is not None:
            self.opener.change_cipher(s.number)

    @cython.cfunc
    def _opened_data(self, s: Side, data: bytes) -> cython.void:
        h: Handshake = self.current
        self.plain_bytes[s.number] += len(data)
        if (s.number == _CLIENT and h.tls13 and h.finished[_CLIENT] is None) or h.version is None:
            self._early_data(s, len(data))
            if h.early_accepted is None:
                self._hold_early(data, s.reader.at_ns, s.reader.packet)
                return
        else:
            self._application_data(s, len(data))
        if self.plain is not None and data:
            self.plain.feed(s.number, data, s.reader.captured_ns, s.reader.captured_packet)

    def _hold_early(self, data: bytes, at_ns: cython.longlong, packet: cython.longlong) -> None:
        """Whether the server reads early data is known from its EncryptedExtensions on (§4.2.10): what it rejects was
        never said to it."""
        self._early_size += len(data)
        if self._early_size <= MOST_EARLY:
            self._early.append((data, at_ns, packet))

    def _decide_early(self) -> None:
        h: Handshake = self.current
        if h.early_accepted is None and h.retry is None:
            return
        held, self._early = self._early, []
        if h.early_accepted and self.plain is not None:
            for data, at_ns, packet in held:
                self.plain.feed(_CLIENT, data, at_ns, packet)
            if self._early_size > MOST_EARLY:
                beyond = self._early_size - sum([len(data) for data, _, _ in held])
                self.plain.gap(_CLIENT, beyond, "buffer-full", held[len(held) - 1][2] if held else 0)

    @cython.cfunc
    def _application_data(self, s: Side, length: cython.int, inferred: cython.bint = False) -> cython.void:
        h: Handshake = self.current
        if not h.data_seen[s.number]:
            h.data_seen[s.number] = True
            self._event(s, "Application Data", length, "inferred" if inferred else "observed")

    @cython.cfunc
    def _early_data(self, s: Side, length: cython.int) -> cython.void:
        h: Handshake = self.current
        if not h.early_seen:
            h.early_seen = True
            self._event(s, "Early Data", length)

    @cython.cfunc
    def _unexpected_data(self, s: Side, length: cython.int) -> cython.void:
        """Application data where no keys are in force yet, as far as is known."""
        h: Handshake = self.current
        both: cython.bint = self.client.records > 0 and self.server.records > 0
        if self.lost is None and both and h.client_hello is not None and not h.data_seen[s.number]:
            self.fault(s.reader.packet, "application data before the handshake (RFC 8446 §5)")
        self._application_data(s, length, not both or self.lost is not None)

    # Records that nobody can open

    @cython.cfunc
    def _hidden(self, s: Side, content_type: cython.int, length: cython.int, fragment: bytes | None) -> cython.void:
        """Up to TLS 1.2 the type of a record is not encrypted."""
        if content_type == _APPLICATION_DATA:
            if self.current.version is None and s.number == _CLIENT and not s.encrypted:
                self._early_data(s, length)
                return
            self._application_data(s, length)
            self._not_opened(s, length)
        elif content_type == _CHANGE_CIPHER_SPEC:
            self._change_cipher(s, length)
        elif content_type == _ALERT and length == 2 and fragment is not None and fragment[0] in (1, 2):
            self._alert(s, fragment, False)  # too short to be encrypted
        elif content_type == _HANDSHAKE and s.changed:
            # RFC 5246 §7.4.9: it follows immediately.
            self._event(s, "Finished", length, "inferred")
            self._finished(s)
        elif content_type in (_HANDSHAKE, _ALERT):
            if content_type == _ALERT:
                self._keep_alert(Alert(SIDE_NAMES[s.number], None, None, s.reader.packet, True))
            self._event(s, "Encrypted", length, "hidden")

    @cython.cfunc
    def _hidden_1_3(self, s: Side, length: cython.int) -> cython.void:
        """In TLS 1.3 it is: lengths tell something."""
        h: Handshake = self.current
        exact: cython.bint = length == h.finished_length
        early: cython.bint = h.client_hello is not None and h.client_hello.early_data and h.retry is None
        if h.finished[_CLIENT] is not None and s.number == _SERVER and not early:
            self._is_over(s)
        if h.over:
            if not s.first_seen and length == h.alert_length:
                self._event(s, "Encrypted", length, "hidden")
            elif not s.first_seen:
                self._application_data(s, length, True)
            s.first_seen = True
            self._not_opened(s, length)
            return
        if s.hidden < MOST_HIDDEN:
            s.hidden += 1
            self._event(s, "Encrypted", length, "hidden")
        if s.number == _CLIENT and length >= h.finished_length and (exact or not early):
            h.finished[_CLIENT] = s.reader.packet
            if exact:
                self._is_over(s)

    @cython.cfunc
    def _not_opened(self, s: Side, length: cython.int) -> cython.void:
        if self.plain is not None:
            self.plain.gap(s.number, length, "undecrypted", s.reader.packet)
        s.reader.silent = self.opener is None  # more of these would tell nothing new


@cython.cfunc
def _looks_plain(fragment: bytes) -> cython.bint:
    """Whether a handshake record begins with a message, and ends with one, or is a large one's beginning."""
    at = 0
    while at + 4 <= len(fragment):
        if fragment[at] not in table("handshake-types"):
            return False
        at += 4 + int.from_bytes(fragment[at + 1 : at + 4], "big")
    if at == len(fragment):
        return bool(at)
    return fragment[:1] in (b"\x01", b"\x02", b"\x0b") and len(fragment) < at < 1 << 17
