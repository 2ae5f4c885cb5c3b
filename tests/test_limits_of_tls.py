"""Bounds of docs/limits.md on TLS: each is reached, and what is said then."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from analyzer.dissector.orientation import MOST_BYTES
from analyzer.dissector.starttls.dialogue import MOST_HEAD
from analyzer.dissector.tls import connection, decrypt, handshake, positions, reading, secrets
from analyzer.errors import InputError
from tests.cases import capture_of, keys_of, report_of
from tests.conversations import play
from tests.dissector import test_starttls as dialogues
from tests.dissector.authority import issue
from tests.dissector.test_tls_connection import FakeOpener, sealed
from tests.dissector.tls_talk import (
    client_hello,
    client_hello_13,
    extension,
    message,
    record,
    say,
    server_hello,
    server_hello_13,
    talk,
    vector,
)

RSA = (("C", record(client_hello())), ("S", record(server_hello())))


def read(case: str):
    (found, *_), _, _ = report_of(capture_of(case), keys=keys_of(case))
    return found


def test_bytes_that_tell_who_is_the_client():
    """Where no SYN was captured, a request line counts if it ends within them; else the ports."""
    for length, by in ((MOST_BYTES - 50, "content"), (MOST_BYTES + 50, "port")):
        data = {"get": b"GET /" + b"a" * length + b" HTTP/1.1\r\nHost: a\r\n\r\n"}
        assert play("C DATA get", client_port=8080, server_port=50000, data=data).oriented_by == by


def test_bytes_of_a_message_of_a_dialogue():
    """A command behind them is not seen."""
    for length, seen in ((MOST_HEAD - 10, True), (MOST_HEAD, False)):
        tag = b"a" * length
        found = dialogues.play(
            (dialogues.S, b"* OK ready\r\n"), (dialogues.C, tag + b" STARTTLS\r\n"), (dialogues.S, tag + b" OK\r\n")
        )
        assert (found.protocol, found.handover is not None) == ("imap", seen)


def test_bytes_of_a_handshake_that_are_kept(monkeypatch):
    """For the session hash, which the master secret is made from where only the server's key is known."""
    assert read("tls/1.2-rsa-server-key").tls.decryption == "rsa-key"
    monkeypatch.setattr(handshake, "MOST_TRANSCRIPT", 100)
    found = read("tls/1.2-rsa-server-key")
    assert (found.http, found.tls.version) == (None, "TLS 1.2")
    assert found.tls.decryption.startswith("with an RSA key the whole handshake is needed (RFC 7627 §4)")


def test_alerts_of_a_connection():
    found = talk(*RSA, *[("S", record(b"\1\x5a", kind=21))] * (handshake.MOST_ALERTS + 5))
    assert (len(found.alerts), found.alerts_beyond) == (handshake.MOST_ALERTS, 5)


def test_tickets_of_a_connection():
    ticket = message(4, b"\0\0\0\7" + b"\0\4" + b"tick")
    found = talk(*RSA, *[("S", record(ticket))] * (handshake.MOST_TICKETS + 5))
    assert len(found.tickets) == handshake.MOST_TICKETS


def test_early_data_until_it_is_accepted():
    """What is beyond the bound is missing inside: nobody takes what follows for its continuation."""
    found, inner = connection.Dissector(opener=FakeOpener()), dialogues.Recorder()
    found.plain.take(inner)
    piece = 8192
    count = connection.MOST_EARLY // piece
    say(found, "C", record(client_hello_13(extension(42))), 1)
    for packet in range(1, count + 4):
        say(found, "C", sealed(23, bytes([packet]) * piece), packet)
    assert inner.heard[0] == [b""]
    accepted = sealed(22, message(8, vector(2, extension(42))))
    say(found, "S", record(server_hello_13()) + accepted, count + 4)
    early, gap, *rest = inner.heard[0]
    assert (len(early), early[-1], gap, rest) == (connection.MOST_EARLY, count, 3 * piece, [])


def test_cipher_suites_tried_for_early_data(monkeypatch):
    """Nobody can read it if it is protected by one behind them."""

    case = "tls/1.3-early-data-answered"

    def request() -> object:
        (_, resumed), _, _ = report_of(capture_of(case), keys=keys_of(case))
        assert "Early Data" in [step.step for step in resumed.tls.handshakes[0].steps]
        assert [one.response.status for one in resumed.http.exchanges] == [200]
        return resumed.http.exchanges[0].request

    assert request().method == "GET"
    monkeypatch.setattr(decrypt, "MOST_EARLY_SUITES", 0)
    assert request() is None


def test_names_of_a_certificate():
    for count, problem in ((reading.MOST_NAMES, None), (reading.MOST_NAMES + 1, "names, of which the first 1000")):
        names = ["example.test", *(f"n{one}.test" for one in range(count - 1))]
        found = reading.read(issue("l", names=names).der)
        assert len(found.names_listed) == reading.MOST_NAMES
        assert [problem in one for one in found.problems if "names" in one] == [True] * (problem is not None)


def test_records_counted_as_lost():
    position = positions.Position()
    for _ in range(3):
        position.lost(1 << 60, None)
    assert position.sequence == 3 * positions.MOST_LOST


def test_a_file_of_keys(tmp_path):
    key = rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    front = b"-----BEGIN of a file-----\n"
    near, far = tmp_path / "near.pem", tmp_path / "far.pem"
    near.write_bytes(front + b"\n" * 100_000 + key)
    far.write_bytes(front + b"\n" * (2 * secrets.MOST_PEM) + key)
    assert secrets.Secrets().load(near) == "rsa-key"
    with pytest.raises(InputError, match="no private key"):
        secrets.Secrets().load(far)


def test_characters_of_a_name_in_a_certificate():
    parts = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "u" * 60) for _ in range(30)]
    assert len(reading.shown(x509.Name(parts[:10]))) < reading.MOST_TEXT
    long = reading.shown(x509.Name(parts))
    assert (len(long), long[-1]) == (reading.MOST_TEXT, "…")
