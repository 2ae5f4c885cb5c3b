"""Handshakes as the flow pages see them, from whole conversations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.layer import Layer
from analyzer.dissector.tls import ATTRIBUTES, STEPS
from analyzer.dissector.tls.connection import CLIENT, SERVER, Dissector
from analyzer.dissector.tls.steps import TlsEvent
from tests.capture.strategies import patiently
from tests.dissector.tls_talk import (
    CCS,
    CERTIFICATE,
    CLIENT_KEY_EXCHANGE,
    FINISHED_12,
    FULL_13,
    RETRY,
    RSA,
    SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE,
    TLS13,
    alert,
    client_hello,
    client_hello_13,
    data,
    extension,
    faults,
    message,
    only_fault,
    packets,
    record,
    server_hello,
    server_hello_13,
    steps,
    talk,
    u16,
    vector,
    versions,
)  # fmt: skip

RSA_STEPS = [
    "C ClientHello", "S ServerHello", "S Certificate", "S ServerHelloDone",
    "C ClientKeyExchange", "C ChangeCipherSpec", "C Finished?", "S ChangeCipherSpec", "S Finished?",
]  # fmt: skip
HELLO_13 = ["C ClientHello", "S ServerHello", "S ChangeCipherSpec"]


def test_the_event_has_the_attributes_of_the_pages():
    assert set(ATTRIBUTES) <= set(TlsEvent.__struct_fields__)


class TestTls12:
    def test_rsa(self):
        found = talk(*RSA)
        assert steps(found) == RSA_STEPS
        assert packets(found) == [1, 2, 2, 2, 3, 3, 3, 4, 4]
        assert (found.version, found.cipher_suite, found.server_name, found.alpn) == ("TLS 1.2", 0x2F, "a.test", "h2")
        assert found.certificates == [b"leaf", b"issuer"]
        assert {event.key_exchange for event in found.events[1:]} == {"rsa"}
        assert found.events[0].version == "TLS 1.2"
        assert (found.started_ns, found.finished_ns) == (10, 40)
        assert (found.faults, found.lost) == ([], None)

    def test_ecdhe(self):
        flight = record(server_hello(suite=0xC02F), CERTIFICATE, SERVER_KEY_EXCHANGE, SERVER_HELLO_DONE)
        found = talk(RSA[0], ("S", flight), *RSA[2:])
        assert steps(found)[3] == "S ServerKeyExchange"
        assert found.events[3].key_exchange == "ecdhe"
        assert found.server_key_exchange.group == found.current.group == 23
        assert found.server_key_exchange.signature_scheme == 0x0401

    def test_resumption_by_ticket(self):
        hello = client_hello(extension(35, b"a ticket"), session=b"id")
        found = talk(("C", record(hello)), ("S", record(server_hello(session=b"id")) + CCS + FINISHED_12),
                     ("C", CCS + FINISHED_12))  # fmt: skip
        assert steps(found) == ["C ClientHello", "S ServerHello", "S ChangeCipherSpec", "S Finished?",
                                "C ChangeCipherSpec", "C Finished?"]  # fmt: skip
        assert (found.events[0].ticket, found.events[0].session_id, found.events[1].session_id) == (True, True, True)

    def test_application_data_is_an_event_once_a_side(self):
        found = talk(*RSA, ("C", data() * 3), ("S", data(100)), ("S", data(100)))
        assert steps(found)[9:] == ["C Application Data", "S Application Data"]
        assert found.application_bytes == (120, 200)
        assert found.records[CLIENT]["application_data"] == 3

    def test_false_start(self):
        found = talk(*RSA[:3], ("C", data()), RSA[3])
        assert steps(found)[6:] == ["C Finished?", "C Application Data", "S ChangeCipherSpec", "S Finished?"]

    def test_renegotiation_without_keys_is_hidden(self):
        found = talk(*RSA, ("S", FINISHED_12), ("C", FINISHED_12))
        assert steps(found)[9:] == ["S Encrypted*", "C Encrypted*"]
        found = talk(*RSA, ("C", FINISHED_12 + record(b"\xcc" * 40, kind=20) + FINISHED_12))
        assert steps(found)[9:] == ["C Encrypted*", "C ChangeCipherSpec", "C Finished?"]

    def test_an_encrypted_alert(self):
        found = talk(*RSA, ("C", record(b"\xaa" * 26, kind=21)), ("C", "fin"))
        assert steps(found)[9:] == ["C Encrypted*"]
        (only,) = found.alerts
        assert (only.side, only.level, only.description, only.packet, only.encrypted) == ("client", None, None, 5, True)
        assert found.close_notify == [None, None]

    def test_a_suite_that_does_not_encrypt_is_read(self):
        finished = record(message(20, b"f" * 12) + b"m" * 20)
        bye = ("S", record(b"\1\0" + b"m" * 20, kind=21))
        found = talk(RSA[0], ("S", record(server_hello(suite=2), CERTIFICATE, SERVER_HELLO_DONE)),
                     ("C", record(CLIENT_KEY_EXCHANGE) + CCS + finished), ("S", CCS + finished), bye)  # fmt: skip
        assert steps(found)[-3:] == ["C Finished", "S ChangeCipherSpec", "S Finished"]
        assert found.close_notify == [None, 5]

    def test_messages_that_are_no_steps(self):
        found = talk(RSA[0], ("S", record(message(23, b"supplemental") + message(99))))
        assert steps(found) == ["C ClientHello"]
        assert only_fault(found) == "a handshake message of type 99 (RFC 8446 §4)"

    def test_a_hello_request(self):
        assert steps(talk(RSA[0], ("S", record(message(0)))))[1:] == ["S HelloRequest"]


class TestTls13:
    def test_full_without_keys(self):
        found = talk(*FULL_13, ("S", data(250)), ("C", data(300)), ("S", data(19)))
        hidden = ["S Encrypted*"] * 4
        assert steps(found) == [*HELLO_13, *hidden, "C ChangeCipherSpec", "C Encrypted*",
                                "S Application Data?", "C Application Data?"]  # fmt: skip
        assert found.version == "TLS 1.3"
        assert found.events[1].key_exchange == "ecdhe"
        assert found.current.group == 29
        assert [event.length for event in found.events[3:7]] == [40, 900, 280, 53]
        assert (found.finished_ns, found.faults) == (30, [])

    def test_an_alert_by_its_length_after_completion(self):
        found = talk(*FULL_13, ("S", data(19)), ("S", data(100)))
        assert steps(found)[-1] == "S Encrypted*"
        assert found.events[-1].length == 19

    def test_a_client_with_a_certificate_finishes_with_its_last_record(self):
        found = talk(*FULL_13[:2], ("C", CCS + data(900) + data(280)), ("C", data(53)), ("S", data(250)))
        assert steps(found)[-4:] == ["C Encrypted*", "C Encrypted*", "C Encrypted*", "S Application Data?"]

    def test_sha384_needs_a_longer_finished(self):
        flight = record(server_hello_13(suite=0x1302)) + CCS + data(900) + data(69)
        found = talk(FULL_13[0], ("S", flight), ("C", data(53)), ("C", data(69)), ("C", data(53)))
        assert steps(found)[-3:] == ["C Encrypted*", "C Encrypted*", "C Application Data?"]

    def test_padded_records_end_with_what_the_server_says_next(self):
        found = talk(*FULL_13[:2], ("C", data(200)), ("S", data(300)), ("C", data(300)))
        assert steps(found)[-3:] == ["C Encrypted*", "S Application Data?", "C Application Data?"]

    def test_hidden_records_are_bounded(self):
        found = talk(FULL_13[0], ("S", record(server_hello_13()) + data(30) * 500))
        assert steps(found).count("S Encrypted*") == 64

    def test_hello_retry_request(self):
        retry = server_hello(extension(43, u16(0x0304)), extension(51, u16(23)), suite=0x1301, random=RETRY)
        again = record(client_hello_13(extension(44, vector(2, b"cookie"))))
        found = talk(FULL_13[0], ("S", record(retry) + CCS), ("C", CCS + again), FULL_13[1])
        assert steps(found)[:6] == ["C ClientHello", "S HelloRetryRequest", "S ChangeCipherSpec", "C ChangeCipherSpec",
                                    "C ClientHello", "S ServerHello"]  # fmt: skip
        assert found.handshakes == 1
        assert found.first.retry.group == 23
        assert found.server_hello.group == 29

    def test_early_data(self):
        psk = extension(41, vector(2, vector(2, b"ticket") + bytes(4)) + vector(2, vector(1, b"b" * 32)))
        hello = record(client_hello_13(extension(45, b"\1\1"), extension(42), psk))
        found = talk(("C", hello + CCS + data(100) + data(100)),
                     ("S", record(server_hello_13(extension(41, u16(0)))) + CCS + data(100) + data(53)),
                     ("C", data(21) + data(53)), ("S", data(400)))  # fmt: skip
        assert steps(found) == ["C ClientHello", "C ChangeCipherSpec", "C Early Data", *HELLO_13[1:],
                                *["S Encrypted*"] * 2, *["C Encrypted*"] * 2, "S Application Data?"]  # fmt: skip
        assert (found.events[0].early_data, found.events[0].psk, found.events[3].psk) == (True, True, True)
        assert found.faults == []

    def test_psk_alone_has_no_key_share(self):
        hello = server_hello(TLS13[0], extension(41, u16(0)), suite=0x1301)
        assert talk(FULL_13[0], ("S", record(hello))).events[1].key_exchange == "psk"

    @pytest.mark.parametrize("version", [0x7F12, 0x0304])
    def test_drafts_without_a_session_id(self, version):
        hello = message(2, u16(version) + bytes(32) + u16(0x1301) + vector(2, extension(40, u16(29) + vector(2, b"k"))))
        found = talk(("C", record(client_hello(versions(version)))), ("S", record(hello)))
        assert (found.version, found.server_hello.cipher_suite, found.server_hello.group) == ("TLS 1.3", 0x1301, 29)
        assert found.faults == []

    def test_an_alert_in_the_clear(self):
        found = talk(*FULL_13[:2], ("C", alert(2, 48)))
        assert steps(found)[-1] == "C Alert"
        assert (found.events[-1].level, found.events[-1].description) == ("fatal", "unknown_ca")


class TestRejected:
    def test_a_fatal_alert_is_a_step(self):
        found = talk(RSA[0], ("S", alert(2, 40)))
        assert steps(found) == ["C ClientHello", "S Alert"]
        assert found.alerts[0].description == "handshake_failure"

    def test_a_warning_is_data(self):
        found = talk(RSA[0], ("S", alert(1, 112)), ("S", alert(1, 0)))
        assert steps(found) == ["C ClientHello"]
        assert [one.description for one in found.alerts] == ["unrecognized_name", "close_notify"]
        assert found.close_notify == [None, 3]

    def test_two_alerts_in_a_record(self):
        found = talk(RSA[0], ("S", record(b"\1\x70\2\x28", kind=21)))
        assert steps(found)[1:] == ["S Alert"]
        assert len(found.alerts) == 2
        assert found.faults == []

    @pytest.mark.parametrize(("body", "why"), [
        (b"\2", "an alert of 1 bytes (RFC 8446 §6)"),
        (b"\7\x28", "an alert of level 7 (RFC 8446 §6)"),
        (b"", "a record of type alert is empty (RFC 8446 §5.1)"),
    ])  # fmt: skip
    def test_alerts_that_are_none(self, body, why):
        assert only_fault(talk(RSA[0], ("S", record(body, kind=21)))) == why

    def test_the_same_hello_twice(self):
        found = talk(RSA[0], RSA[0], RSA[1])
        assert (found.handshakes, found.version) == (1, "TLS 1.2")

    def test_cut_in_a_record(self):
        found = talk(("C", RSA[0][1][:-20]), ("C", "fin"))
        assert only_fault(found) == "the connection ended inside a record, 20 bytes before its end (RFC 8446 §6.1)"

    def test_cut_in_a_message(self):
        hello = client_hello()
        found = talk(("C", record(hello[:30])), ("C", "rst"))
        assert only_fault(found) == "the connection ended inside a handshake message (RFC 8446 §5.1)"

    def test_heartbleed(self):
        found = talk(RSA[0], ("C", record(b"\1\x40\0", kind=24)))
        assert only_fault(found) == "a heartbeat claims more payload than it has (RFC 6520 §4)"


class TestLoss:
    def test_a_hole_in_a_certificate(self):
        flight = record(server_hello()) + record(CERTIFICATE) + record(SERVER_HELLO_DONE)
        at = len(record(server_hello())) + 12
        found = talk(RSA[0], ("S", flight[:at]), ("S", "gap 3"), ("S", flight[at + 3 :]), *RSA[2:])
        assert steps(found)[:4] == ["C ClientHello", "S ServerHello", "S ServerHelloDone", "C ClientKeyExchange"]
        assert found.lost == "lost-in-capture"
        assert only_fault(found) == "3 bytes of a handshake record are missing: lost-in-capture"

    def test_a_hole_in_application_data_loses_nothing(self):
        found = talk(*RSA, ("S", data(100)[:50]), ("S", "gap 55"), ("S", data(100)))
        assert found.application_bytes == (0, 200)
        assert (found.lost, found.faults) == (None, [])

    def test_a_hole_over_the_change_of_keys(self):
        found = talk(*RSA[:3], ("S", f"gap {len(CCS)}"), ("S", FINISHED_12), ("S", data()))
        assert steps(found)[7:] == ["S Encrypted*", "S Application Data"]

    def test_midstream(self):
        found = talk(("S", b"\xd0" * 77 + data(100) + data(100)), ("C", data(50) * 2), midstream=True)
        assert steps(found) == ["S Application Data?", "C Application Data?"]
        assert found.lost == "mid-stream"
        assert only_fault(found) == (
            "the capture begins inside a record, or this is not TLS: 77 bytes skipped before this record"
        )

    def test_midstream_that_begins_with_a_hello(self):
        found = talk(*RSA, midstream=True)
        assert steps(found) == RSA_STEPS
        assert packets(found) == [1, 2, 2, 2, 3, 3, 3, 4, 4]

    def test_garbage_then_records_again(self):
        found = talk(*RSA, ("S", b"garbage" * 9 + data(70) + data(30)), ("S", data(5)))
        assert found.application_bytes == (0, 105)
        assert faults(found) == ["no record begins with 67 61 72 62 61 (RFC 8446 §5.1)",
                                 "63 bytes skipped before this record"]  # fmt: skip


class FakeOpener:
    """Opens what is `p` (or for TLS 1.3 ends with the content type) and the plaintext in the clear; notes its calls."""

    def __init__(self):
        self.calls = []
        self.source, self.why, self.active = "keylog", "no secret", [True, True]

    def begin(self, **what):
        self.calls.append(("begin", what["version"], what["cipher_suite"], what["ticket"]))

    def client_key_exchange(self, body, handshake_hash):
        self.calls.append(("client_key_exchange", body, handshake_hash("sha256").hex()[:8]))

    def __getattr__(self, name):
        def note(*given, **named):
            self.calls.append((name, *given, *named.values()))

        return note

    def open(self, side, content_type, version, fragment):
        if fragment[:1] != b"p":
            return None
        return (fragment[-1], fragment[1:-1]) if content_type == 23 and fragment[-1:] < b"\x20" else (
            content_type, fragment[1:])  # fmt: skip


class Sink(Layer):
    def __init__(self):
        self.got = []

    def feed(self, side, data, at_ns, packet):
        self.got.append((side, bytes(data), packet))

    def gap(self, side, length, cause, packet):
        self.got.append((side, length, cause))

    def close(self, side, how, at_ns, packet):
        self.got.append((side, how))


def sealed(kind: int, *plain: bytes) -> bytes:
    """A record of TLS 1.3 that the fake opens."""
    return record(b"p" + b"".join(plain) + bytes([kind]), kind=23)


class TestWithKeys:
    def test_tls12(self):
        opener, sink = FakeOpener(), Sink()
        dissector = Dissector(opener=opener)
        dissector.plain.take(sink)
        finished = record(b"p" + message(20, bytes(12)))
        turns = [*RSA[:2], ("C", record(CLIENT_KEY_EXCHANGE) + CCS + finished), ("S", CCS + finished),
                 ("C", record(b"pGET", kind=23)), ("S", record(b"p\1\0", kind=21)), ("S", data(30))]  # fmt: skip
        for packet, (side, what) in enumerate(turns, 1):
            dissector.feed("CS".index(side), what, packet, packet)
        assert steps(dissector)[4:] == ["C ClientKeyExchange", "C ChangeCipherSpec", "C Finished",
                                        "S ChangeCipherSpec", "S Finished", "C Application Data",
                                        "S Application Data"]  # fmt: skip
        assert [call[0] for call in opener.calls] == ["begin", "client_key_exchange", "change_cipher", "change_cipher"]
        assert sink.got == [(0, b"GET", 5), (1, "fin"), (1, 30, "undecrypted")]
        assert dissector.close_notify == [None, 6]
        assert (dissector.decrypted, dissector.decryption) == (True, "keylog")
        assert dissector.skippable(SERVER) == 0

    def test_renegotiation_begins_a_second_handshake(self):
        finished = record(b"p" + message(20, bytes(12)))
        hello, answer = record(b"p" + client_hello()), record(b"p" + server_hello(suite=0x35))
        found = talk(*RSA[:2], ("C", record(CLIENT_KEY_EXCHANGE) + CCS + finished), ("S", CCS + finished),
                     ("S", record(b"p" + message(0))), ("C", hello), ("S", answer), opener=FakeOpener())  # fmt: skip
        assert steps(found)[-3:] == ["S HelloRequest", "C ClientHello", "S ServerHello"]
        assert (found.handshakes, found.cipher_suite, found.current.cipher_suite) == (2, 0x2F, 0x35)

    def test_tls13(self):
        opener = FakeOpener()
        encrypted = message(8, vector(2, b"".join([extension(16, vector(2, vector(1, b"h2")))])))
        entry = vector(3, b"leaf") + vector(2, extension(5, b"ocsp"))
        certificate = message(11, vector(1, b"") + vector(3, entry))
        flight = sealed(22, encrypted, certificate[:9]) + sealed(22, certificate[9:], message(15, b"v"), message(20))
        ticket = message(4, bytes(8) + vector(1, b"n") + vector(2, b"ticket") + vector(2, extension(42, bytes(4))))
        found = talk(FULL_13[0], ("S", record(server_hello_13()) + CCS + flight),
                     ("C", CCS + sealed(22, message(20)) + sealed(23, b"GET")), ("S", sealed(22, ticket)),
                     ("S", sealed(22, message(24, b"\0"))), ("S", sealed(21, b"\1\0")), opener=opener)  # fmt: skip
        assert steps(found) == [*HELLO_13, "S EncryptedExtensions", "S Certificate", "S CertificateVerify",
                                "S Finished", "C ChangeCipherSpec", "C Finished", "C Application Data",
                                "S NewSessionTicket", "S KeyUpdate"]  # fmt: skip
        assert (found.alpn, found.certificates, found.stapled) == ("h2", [b"leaf"], True)
        assert found.tickets[0].ticket == b"ticket"
        assert found.close_notify == [None, 6]
        assert [call for call in opener.calls if call[0] != "begin"] == [
            ("handshake", SERVER), ("handshake", CLIENT), ("handshake", CLIENT), ("application", SERVER),
            ("application", CLIENT), ("key_update", SERVER),
        ]  # fmt: skip
        assert found.faults == []

    def test_early_data_accepted(self):
        opener = FakeOpener()
        hello = record(client_hello_13(extension(42)))
        found = talk(("C", hello + sealed(23, b"GET")), ("S", record(server_hello_13())),
                     ("S", sealed(22, message(8, vector(2, extension(42))), message(20))),
                     ("C", sealed(22, message(5)) + sealed(22, message(20))), ("S", sealed(23, b"200")),
                     opener=opener)  # fmt: skip
        assert steps(found) == ["C ClientHello", "C Early Data", "S ServerHello", "S EncryptedExtensions",
                                "S Finished", "C EndOfEarlyData", "C Finished", "S Application Data"]  # fmt: skip
        assert found.events[3].early_data
        assert opener.calls[0][0] == "early"
        assert ("handshake", CLIENT) in opener.calls

    def test_an_alert_between_the_halves_of_a_message(self):
        certificate = message(11, bytes(40))
        found = talk(FULL_13[0], ("S", record(server_hello_13()) + sealed(22, certificate[:9]) + sealed(21, b"\1\x5a")),
                     opener=FakeOpener())  # fmt: skip
        assert only_fault(found) == "alert between the records of a handshake message (RFC 8446 §5.1)"

    def test_a_gap_is_told(self):
        opener = FakeOpener()
        talk(*RSA[:3], ("S", CCS), ("S", data(40)[:20]), ("S", "gap 25"), ("S", "gap 40"), opener=opener)
        assert [call for call in opener.calls if call[0] == "lost"] == [("lost", SERVER, 1, 45), ("lost", SERVER)]


class TestSsl2:
    KINDS = bytes.fromhex("010080 00002f 0700c0")

    def hello(self, version: int) -> bytes:
        body = b"\1" + u16(version, len(self.KINDS), 0, 16) + self.KINDS + b"c" * 16
        return u16(0x8000 | len(body)) + body

    def test_its_hello_may_offer_tls(self):
        found = talk(("C", self.hello(0x0301)), ("S", record(server_hello(version=0x0301), CERTIFICATE)), RSA[2])
        assert steps(found)[:4] == ["C ClientHello", "S ServerHello", "S Certificate", "C ClientKeyExchange"]
        assert found.version == "TLS 1.0"
        assert found.client_hello.cipher_suites == (0x2F,)
        assert found.client_hello.ssl2_form

    def test_it_is_recognised_and_not_read(self):
        body = b"\4\0\1" + u16(2, 4, 3, 16) + b"cert" + self.KINDS[:3] + b"i" * 16
        found = talk(("C", self.hello(2)), ("S", u16(0x8000 | len(body)) + body), ("C", b"secret" * 9))
        assert steps(found) == ["C ClientHello", "S ServerHello"]
        assert (found.version, found.certificates, found.faults) == ("SSL 2.0", [b"cert"], [])


PIECES = [
    *(what for _, what in (*RSA, *FULL_13)),
    record(client_hello()), record(server_hello()), record(server_hello_13()), CCS, data(53), data(19), data(0),
    FINISHED_12, alert(2, 40), alert(1, 0), record(CERTIFICATE[:9]), record(CERTIFICATE[9:]), record(message(0) * 3),
    record(b"", kind=22), record(message(99)), record(b"\x0b\xff\xff\xff"), TestSsl2().hello(0x0301), b"\x16\x03",
    b"\x17\x03\x03\x40\x01", b"garbage", record(b"p" + message(20, bytes(12))), sealed(22, message(20)),
    sealed(23, b"GET"), record(message(25, u16(1) + bytes(6))),
]  # fmt: skip
streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=8).map(b"".join)
scripts = st.lists(
    st.tuples(st.sampled_from("CS"), streams | streams | streams | st.sampled_from(["gap 3", "gap 60", "fin", "rst"])),
    max_size=8,
)


def everything(dissector: Dissector):
    """Whatever must not depend on segments: they all have the packet number and time of their turn."""
    return (
        dissector.events, dissector.faults, dissector.alerts, dissector.certificates, dissector.application_bytes,
        dissector.records, dissector.version, dissector.lost, dissector.close_notify, dissector.decrypted,
        None if dissector.opener is None else dissector.plain.pending(CLIENT),
    )  # fmt: skip


@patiently
@given(scripts, st.integers(1, 7), st.booleans(), st.booleans())
def test_segments_do_not_matter(script, chunk, midstream, keys):
    def play(size):
        opener = FakeOpener() if keys else None
        return everything(talk(*script, ("", "end"), chunk=size, midstream=midstream, opener=opener))

    assert play(chunk) == play(0)


@patiently
@given(scripts, st.booleans())
def test_skipping_what_may_be_skipped_does_not_matter(script, midstream):
    skipping = Dissector(midstream=midstream)
    for packet, (side, what) in enumerate(script, 1):
        number = "CS".index(side)
        if isinstance(what, str):
            length = int(what[4:]) if what.startswith("gap") else 0
            if length:
                skipping.gap(number, length, "lost-in-capture", packet)
            else:
                skipping.close(number, what, packet * 10, packet)
            continue
        at = 0
        while at < len(what):
            count = min(skipping.skippable(number), len(what) - at)
            if count:
                skipping.skip(number, count, packet * 10, packet)
            else:
                count = 1
                skipping.feed(number, what[at : at + 1], packet * 10, packet)
            at += count
    for number in (CLIENT, SERVER):
        skipping.close(number, "end", (len(script) + 1) * 10, len(script) + 1)
    assert everything(skipping) == everything(talk(*script, ("", "end"), midstream=midstream))


@patiently
@given(scripts, st.booleans())
def test_what_is_promised_of_events(script, midstream):
    found = talk(*script, ("", "end"), midstream=midstream)
    assert {event.step for event in found.events} <= set(STEPS)
    for side in ("client", "server"):
        mine = [event.packet for event in found.events if event.side == side]
        assert mine == sorted(mine)
    data_events = [event for event in found.events if event.step == "Application Data"]
    assert len(data_events) <= 2 * max(1, found.handshakes + 1)
