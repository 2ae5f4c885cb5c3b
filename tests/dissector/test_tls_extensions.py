"""Extensions: what they say, and what is wrong with them."""

from __future__ import annotations

import pytest

from analyzer.dissector.tls import extensions as ext
from analyzer.dissector.tls.hellos import parse_client_hello
from tests.dissector.tls_talk import (
    alpn,
    client_hello,
    extension,
    key_share,
    sni,
    u16,
    vector,
    versions,
)


def offered(*extensions: bytes):
    hello, faults = parse_client_hello(client_hello(*extensions)[4:])
    assert faults == []
    return hello


def fault_of(*extensions: bytes) -> str:
    hello, faults = parse_client_hello(client_hello(*extensions)[4:])
    assert hello is not None
    (fault,) = faults
    return fault


class TestClientHello:
    def test_names_and_protocols(self):
        hello = offered(sni("example.test"), alpn(b"h2", b"\xff"))
        assert (hello.server_name, hello.alpn) == ("example.test", ["h2", "\\xff"])

    def test_lists(self):
        hello = offered(versions(0x0304, 0x0303), key_share(29, 23), extension(10, vector(2, u16(29, 23))),
                        extension(13, vector(2, u16(0x0403))), extension(50, vector(2, u16(0x0804))),
                        extension(45, b"\1\1"), extension(27, b"\2" + u16(2)), extension(11, b"\1\0"))  # fmt: skip
        assert hello.versions == (0x0304, 0x0303)
        assert hello.key_shares == hello.groups == (29, 23)
        assert hello.signature_schemes == (0x0403,)
        assert hello.certificate_signature_schemes == (0x0804,)
        assert (hello.psk_modes, hello.compress_certificate, hello.point_formats) == ((1,), (2,), (0,))

    def test_sizes(self):
        hello = offered(extension(28, u16(16385)), extension(1, b"\4"))
        assert (hello.record_size_limit, hello.max_fragment_length) == (16385, 4096)
        assert offered(extension(1, b"\7")).max_fragment_length is None

    @pytest.mark.parametrize(("body", "ticket"), [(b"", b""), (b"t", b"t")])
    def test_tickets(self, body, ticket):
        assert offered(extension(35, body)).ticket == ticket
        assert offered().ticket is None

    def test_pre_shared_keys(self):
        body = vector(2, vector(2, b"one") + bytes(4) + vector(2, b"two") + bytes(4)) + vector(2, vector(1, bytes(32)))
        assert offered(extension(41, body), extension(42)).psk_identities == (b"one", b"two")

    @pytest.mark.parametrize("kind", [65037, 65486])
    def test_encrypted_client_hello(self, kind):
        assert offered(extension(kind, b"outer")).encrypted_client_hello

    def test_key_shares_of_drafts(self):
        assert offered(extension(40, vector(2, u16(29) + vector(2, b"key")))).key_shares == (29,)


class TestMalformed:
    @pytest.mark.parametrize(("body", "why"), [
        (extension(0, b"\0\x09\0"), "extension 0: 9 bytes are said to follow, 1 do (RFC 8446 §4.2)"),
        (extension(10, b"\0\3\0\0\0"), "extension 10: 3 bytes are no list of numbers of 2 bytes (RFC 8446 §4.2)"),
        (extension(43, b""), "extension 43: 1 bytes are said to follow, 0 do (RFC 8446 §4.2)"),
        (extension(23) * 2, "extension 23 is there twice (RFC 8446 §4.2)"),
        (b"\0\x17\0\x09", "an extension is longer than its message (RFC 8446 §4.2)"),
        (b"\0\x17", "extensions end inside a header (RFC 8446 §4.2)"),
    ])  # fmt: skip
    def test_one_fault_and_all_else_is_read(self, body, why):
        assert fault_of(alpn(b"h2"), body) == why
        hello, _ = parse_client_hello(client_hello(alpn(b"h2"), body)[4:])
        assert hello.alpn == ["h2"]


@pytest.mark.parametrize(("value", "grease"), [
    (0x0A0A, True), (0xFAFA, True), (0x1A2A, False), (0x0A1A, False), (0x1301, False), (0xAAAA, True),
])  # fmt: skip
def test_grease(value, grease):
    assert (value in ext.GREASE) is grease
