"""What handshake messages say, and what is wrong with them."""

from __future__ import annotations

import sys
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.tls import hellos, messages
from analyzer.dissector.tls.compressed import decompress
from tests.capture.strategies import patiently
from tests.dissector.tls_talk import (
    CERTIFICATE,
    FULL_13,
    RETRY,
    SERVER_KEY_EXCHANGE,
    TLS13,
    client_hello,
    client_hello_13,
    extension,
    message,
    record,
    server_hello,
    server_hello_13,
    talk,
    u16,
    vector,
    versions,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


class TestVersions:
    @pytest.mark.parametrize(("code", "name"), [
        (0x0002, "SSL 2.0"), (0x0300, "SSL 3.0"), (0x0303, "TLS 1.2"), (0x0304, "TLS 1.3"), (0x7F17, "TLS 1.3"),
        (0xFB1A, "TLS 1.3"), (0x1234, "0x1234"),
    ])  # fmt: skip
    def test_names(self, code, name):
        assert hellos.version_name(code) == name

    def test_the_highest_offered(self):
        hello, _ = hellos.parse_client_hello(client_hello(versions(0x9A9A, 0x0304, 0x0303))[4:])
        assert (hello.highest_version, hello.grease) == (0x0304, True)
        hello, _ = hellos.parse_client_hello(client_hello(version=0x0302)[4:])
        assert (hello.highest_version, hello.grease) == (0x0302, False)


class TestServerHello:
    def test_tls13(self):
        hello, faults = hellos.parse_server_hello(server_hello_13(extension(41, u16(2)))[4:])
        assert (hello.legacy_version, hello.version, hello.group, hello.psk) == (0x0303, 0x0304, 29, 2)
        assert (hello.tls13, hello.retry, faults) == (True, False, [])

    def test_a_retry_is_known_by_its_random(self):
        hello, _ = hellos.parse_server_hello(server_hello(*TLS13[:1], random=RETRY)[4:])
        assert hello.retry

    def test_the_message_of_early_drafts(self):
        body = u16(0x7F13, 0x1301) + vector(2, extension(40, u16(23)))
        hello, faults = hellos.parse_hello_retry_request(body)
        assert (hello.retry, hello.cipher_suite, hello.group, faults) == (True, 0x1301, 23, [])

    @pytest.mark.parametrize(("random", "version", "downgrade"), [
        (b"DOWNGRD\1", 0x0303, True), (b"DOWNGRD\0", 0x0301, True), (b"DOWNGRD\2", 0x0303, False),
    ])  # fmt: skip
    def test_downgrade(self, random, version, downgrade):
        hello, _ = hellos.parse_server_hello(server_hello(version=version, random=bytes(24) + random)[4:])
        assert hello.downgrade is downgrade

    def test_what_it_agrees_to(self):
        flags = (extension(23), extension(22), extension(35), extension(20, b"\2"), extension(13172, b"\2h2"))
        hello, _ = hellos.parse_server_hello(server_hello(*flags)[4:])
        assert hello.extended_master_secret
        assert hello.encrypt_then_mac
        assert hello.ticket
        assert hello.raw_public_key
        assert hello.next_protocols


class TestMalformed:
    @pytest.mark.parametrize("length", [0, 1, 33, 36, 38])
    def test_a_hello_that_is_cut(self, length):
        hello, faults = hellos.parse_client_hello(client_hello()[4 : 4 + length])
        assert hello is None
        assert faults[0].startswith("ClientHello: ")
        assert faults[0].endswith("(RFC 8446 §4.1.2)")

    def test_extensions_longer_than_the_hello(self):
        hello, faults = hellos.parse_client_hello(client_hello()[4:] + b"\0\x09" + extension(23))
        assert hello.cipher_suites == (0xC02F, 0x002F)
        assert faults == ["extensions are longer than their message (RFC 8446 §4.2)"]

    def test_a_long_session_id(self):
        _, faults = hellos.parse_client_hello(client_hello(session=bytes(33))[4:])
        assert faults == ["a session id of 33 bytes (RFC 5246 §7.4.1.2)"]

    def test_a_message_that_cannot_be_read_is_still_a_step(self):
        found = talk(("C", record(message(1, b"\3\3"))))
        assert [event.step for event in found.events] == ["ClientHello"]
        assert found.client_hello is None

    @patiently
    @given(st.binary(max_size=60) | st.builds(lambda a, b: a + b, st.sampled_from([
        client_hello()[4:], client_hello_13()[4:40], server_hello_13()[4:], CERTIFICATE[4:], SERVER_KEY_EXCHANGE[4:],
    ]), st.binary(max_size=30)), st.integers(0, 200))  # fmt: skip
    def test_any_bytes_are_taken(self, body, cut):
        body = body[: len(body) - cut] if cut < len(body) else body
        for read in (
            hellos.parse_client_hello, hellos.parse_ssl2_client_hello, hellos.parse_server_hello,
            hellos.parse_hello_retry_request, messages.parse_encrypted_extensions,
            lambda it: messages.parse_certificate(it, tls13=True),
            lambda it: messages.parse_certificate(it, tls13=False),
            lambda it: messages.parse_server_key_exchange(it, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", 0x0303),
            lambda it: messages.parse_server_key_exchange(it, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", 0x0303),
            lambda it: messages.parse_certificate_request(it, 0x0304),
            lambda it: messages.parse_certificate_request(it, 0x0303),
            lambda it: messages.parse_new_session_ticket(it, tls13=True),
            lambda it: messages.parse_new_session_ticket(it, tls13=False),
        ):  # fmt: skip
            found, faults = read(body)
            assert found is not None or faults
        plain, fault = decompress(body)
        assert (plain is None) == (fault is not None)


class TestCertificates:
    def test_tls12(self):
        found, faults = messages.parse_certificate(CERTIFICATE[4:], tls13=False)
        assert (found.certificates, faults) == ([b"leaf", b"issuer"], [])

    def test_none(self):
        assert messages.parse_certificate(bytes(3), tls13=False)[0].certificates == []

    def test_tls13(self):
        entries = vector(3, b"leaf") + vector(2, extension(5, b"ocsp")) + vector(3, b"issuer") + vector(2, b"")
        found, faults = messages.parse_certificate(vector(1, b"context") + vector(3, entries), tls13=True)
        assert (found.certificates, found.context, found.stapled) == ([b"leaf", b"issuer"], b"context", True)
        assert faults == []

    def test_raw_public_keys_are_no_certificates(self):
        entry = vector(3, b"spki") + vector(2, b"")
        found, _ = messages.parse_certificate(b"\0" + vector(3, entry), tls13=True, raw_public_key=True)
        assert found.certificates == []
        found, _ = messages.parse_certificate(vector(3, b"spki"), tls13=False, raw_public_key=True)
        assert found.certificates == []

    def test_longer_than_the_message(self):
        found, faults = messages.parse_certificate(b"\0\0\x09\0\0\x08leaf", tls13=False)
        assert found is None
        assert faults == ["Certificate: 9 bytes are said to follow, 7 do (RFC 5246 §7.4.2)"]

    def compressed(self, algorithm: int, plain: bytes, length: int | None = None) -> bytes:
        size = len(plain) if length is None else length
        return u16(algorithm) + size.to_bytes(3, "big") + vector(3, zlib.compress(plain))

    def test_zlib(self):
        assert decompress(self.compressed(1, b"certificate" * 50)) == (b"certificate" * 50, None)

    @pytest.mark.parametrize(("algorithm", "compress"), [(2, brotli.compress), (3, zstd.compress)])
    def test_brotli_and_zstd(self, algorithm, compress):
        plain = b"certificate" * 50
        packed = compress(plain)
        body = u16(algorithm) + len(plain).to_bytes(3, "big") + vector(3, packed)
        assert decompress(body) == (plain, None)
        assert "cannot be unpacked" in decompress(body[:8] + bytes(len(packed)))[1]
        cut = u16(algorithm) + len(plain).to_bytes(3, "big") + vector(3, packed[:-4])
        assert decompress(cut)[0] is None
        bomb = u16(algorithm) + (1000).to_bytes(3, "big") + vector(3, compress(bytes(1 << 24)))
        assert decompress(bomb)[0] is None

    @given(st.sampled_from([1, 2, 3]), st.integers(0, 99), st.binary(max_size=99), st.booleans())
    def test_whatever_is_packed_there_is_an_answer(self, algorithm, length, packed, magic):
        packed = b"\x28\xb5\x2f\xfd" * magic + packed  # what zstd begins with
        plain, fault = decompress(u16(algorithm) + length.to_bytes(3, "big") + vector(3, packed))
        assert (plain is None) == (fault is not None)

    @pytest.mark.parametrize(("body", "why"), [
        (b"\0\1\0", "CompressedCertificate: 3 bytes are said to follow, 1 do (RFC 8879 §4)"),
        (u16(1) + b"\xff\xff\xff" + vector(3, b""), "a compressed certificate of 16777215 bytes is not unpacked"),
        (u16(1) + b"\0\0\1" + vector(3, b"no zlib"), "a compressed certificate cannot be unpacked: "),
        (u16(9) + b"\0\0\1" + vector(3, b""), "certificates compressed with 0x0009 are not read"),
    ])  # fmt: skip
    def test_what_is_not_unpacked(self, body, why):
        plain, fault = decompress(body)
        assert plain is None
        assert fault.startswith(why)

    def test_a_bomb(self):
        plain, fault = decompress(self.compressed(1, bytes(1 << 22), 1000))
        assert plain is None
        assert fault == "a compressed certificate has 1001 bytes or more, not 1000 (RFC 8879 §4)"


class TestOthers:
    @pytest.mark.parametrize(("suite", "body", "group", "bits"), [
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", SERVER_KEY_EXCHANGE[4:], 23, None),
        ("TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", vector(2, b"hint") + b"\3" + u16(29) + vector(1, b"p"), 29, None),
        ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", vector(2, b"\0\x80" + bytes(127)) + vector(2, b"\2") + vector(2, b"y")
         + u16(0x0401) + vector(2, b"s"), None, 1024),
        ("TLS_DH_anon_WITH_AES_128_CBC_SHA", vector(2, b"\x7f") + vector(2, b"\2") + vector(2, b"y"), None, 7),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", b"\1explicit", None, None),
        ("TLS_SRP_SHA_WITH_AES_128_CBC_SHA", b"whatever", None, None),
    ])  # fmt: skip
    def test_server_key_exchange(self, suite, body, group, bits):
        found, faults = messages.parse_server_key_exchange(body, suite, 0x0303)
        assert (found.group, found.dh_bits, faults) == (group, bits, [])

    def test_certificate_request(self):
        body = vector(1, b"\1\x40") + vector(2, u16(0x0401)) + vector(2, vector(2, b"dn") * 3)
        found, faults = messages.parse_certificate_request(body, 0x0303)
        assert (found.types, found.signature_schemes) == ((1, 64), (0x0401,))
        assert (found.authorities, faults) == (3, [])
        body = b"\0" + vector(2, extension(13, vector(2, u16(0x0403))))
        assert messages.parse_certificate_request(body, 0x0304)[0].signature_schemes == (0x0403,)

    def test_new_session_ticket(self):
        found, _ = messages.parse_new_session_ticket(bytes([0, 0, 1, 44]) + vector(2, b"ticket"), tls13=False)
        assert (found.lifetime, found.ticket) == (300, b"ticket")
        assert talk(*FULL_13).tickets == []
