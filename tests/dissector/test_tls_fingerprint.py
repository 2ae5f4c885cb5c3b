"""JA3, JA3S and JA4 of hellos. The first hello is the example of JA4's technical description."""

from __future__ import annotations

import hashlib

import pytest

from analyzer.dissector.tls.fingerprint import ja3, ja3_text, ja3s, ja4, ja4_raw
from analyzer.dissector.tls.hellos import ClientHello, parse_client_hello, parse_server_hello
from tests.dissector.tls_talk import alpn, client_hello, extension, server_hello, sni, u16, vector, versions

# Chrome, https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
SUITES = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D,
          0x002F, 0x0035)  # fmt: skip
EXTENSIONS = (0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B, 0xFF01,
              0x000B, 0x000A, 0x0015)  # fmt: skip
SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)


def chrome(**changes) -> ClientHello:
    fields = {
        "version": 0x0303, "random": bytes(32), "session_id": b"", "cipher_suites": SUITES, "extensions": EXTENSIONS,
        "versions": (0x0304, 0x0303), "protocols": (b"h2", b"http/1.1"), "signature_schemes": SCHEMES,
    }  # fmt: skip
    return ClientHello(**(fields | changes))


class TestJa4:
    def test_the_example(self):
        assert ja4(chrome()) == "t13d1516h2_8daaf6152771_e5627efa2ab1"
        assert ja4(chrome(), quic=True).startswith("q13d1516h2_")

    def test_the_example_before_hashing(self):
        assert ja4_raw(chrome()) == (
            "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_"
            "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_"
            "0403,0804,0401,0503,0805,0501,0806,0601"
        )

    def test_grease_does_not_count(self):
        greased = chrome(
            cipher_suites=(0x2A2A, *SUITES), extensions=(0x9A9A, *EXTENSIONS, 0xFAFA), versions=(0x8A8A, 0x0304)
        )
        assert ja4(greased) == ja4(chrome())

    def test_order_does_not_count_but_that_of_signature_schemes_does(self):
        assert ja4(chrome(cipher_suites=SUITES[::-1], extensions=EXTENSIONS[::-1])) == ja4(chrome())
        assert ja4(chrome(signature_schemes=SCHEMES[::-1])) != ja4(chrome())

    def test_without_signature_schemes(self):
        listed = ja4_raw(chrome(signature_schemes=())).split("_")
        assert len(listed) == 3

    @pytest.mark.parametrize(("protocol", "shown"), [
        (b"h2", "h2"), (b"http/1.1", "h1"), (b"x", "xx"), (b"", "00"), (b"\xab", "ab"), (b"\xab\xcd", "ad"),
        (b"0\xab", "3b"), (b"\xab1", "a1"), (b"01\xab\xcd", "3d"), (b"\n\n", "0a"), (b"\xc3\xa9", "c9"),
    ])  # fmt: skip
    def test_alpn(self, protocol, shown):
        assert ja4(chrome(protocols=(protocol,)))[8:10] == shown

    @pytest.mark.parametrize(("version", "shown"), [
        (0x0304, "13"), (0x0303, "12"), (0x0302, "11"), (0x0301, "10"), (0x0300, "s3"), (0x0002, "s2"), (0x1234, "00"),
    ])  # fmt: skip
    def test_version(self, version, shown):
        assert ja4(chrome(versions=(), version=version))[1:3] == shown

    def test_nothing_offered(self):
        empty = chrome(cipher_suites=(), extensions=(), versions=(), protocols=())
        assert ja4(empty) == "t12i000000_000000000000_000000000000"

    def test_counts_end_at_99(self):
        many = chrome(cipher_suites=tuple(range(300)), extensions=tuple(range(100, 400)))
        assert ja4(many)[4:8] == "9999"


class TestJa3:
    def test_lists_in_decimal_without_grease(self):
        hello, _ = parse_client_hello(client_hello(
            extension(0x1A1A), sni("a"), extension(10, vector(2, u16(0x2A2A, 29, 23))),
            extension(11, vector(1, b"\0")), suites=(0x0A0A, 4865, 47),
        )[4:])  # fmt: skip
        text = "771,4865-47,0-10-11,29-23,0"
        assert ja3_text(hello) == text
        assert ja3(hello) == hashlib.md5(text.encode()).hexdigest()

    def test_a_hello_without_extensions(self):
        hello, _ = parse_client_hello(client_hello(suites=(4, 5), version=0x0301)[4:])
        assert ja3_text(hello) == "769,4-5,,,"

    def test_not_for_the_form_of_ssl_2(self):
        assert ja3(chrome(ssl2_form=True)) is None

    def test_of_the_server(self):
        hello, _ = parse_server_hello(server_hello(alpn(b"h2"), versions(), suite=0xC02F)[4:])
        assert ja3s(hello) == hashlib.md5(b"771,49199,16-43").hexdigest()
