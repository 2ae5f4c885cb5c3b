"""HTTP/1 through the whole program, on the recorded captures: however the bytes come, and whatever they are."""

from __future__ import annotations

import io

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import analyzer
from analyzer import model
from tests.capture.builders import pcap_header, section
from tests.cases import CASES, capture_of, report_of
from tests.conversations import HANDSHAKE, Conversation
from tests.conversations import capture_of as bytes_of

HTTP_CASES = [case for case in CASES if case.startswith("http1/")]
BOTH = [case for case in CASES if case.startswith(("http1/", "tcp/"))]
CONTENT = {case: capture_of(case).read_bytes() for case in HTTP_CASES}
INSIDE = ("tls", "http", "tunnel", "lifecycle", "proxy_protocol", "proxied_for")
SECRETS = {"Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie"}


def report(case: str, **options) -> bytes:
    """The JSON Lines in the order in which connections began."""
    text = b"".join(analyzer.analyze(capture_of(case), **options).lines())
    return b"".join(sorted(text.splitlines(keepends=True), key=lambda line: msgspec.json.decode(line)["id"]))


@pytest.mark.parametrize("case", BOTH)
def test_the_same_report_for_any_chunk_size(case):
    whole = report(case, headers=True, chunk_bytes=1 << 20)
    for chunk_bytes in (1, 64, 1000):
        assert report(case, headers=True, chunk_bytes=chunk_bytes) == whole


@pytest.mark.parametrize("case", BOTH)
def test_the_lines_are_the_connections(case):
    connections, _, _ = report_of(capture_of(case), headers=True)
    assert report(case, headers=True) == b"".join(msgspec.json.encode(one) + b"\n" for one in connections)


@pytest.mark.parametrize("case", BOTH)
def test_without_it_everything_else_is_the_same(case):
    seen = [msgspec.json.decode(line) for line in report(case).splitlines()]
    plain = [msgspec.json.decode(line) for line in report(case, tcp_only=True).splitlines()]
    for with_http, without in zip(seen, plain, strict=True):
        assert [without[name] for name in INSIDE] == [None] * len(INSIDE)
        assert without["timing"]["first_response_ns"] is None
        assert with_http["lifecycle"] is not None
        for one in (with_http, without):
            one["faults"] = [fault for fault in one["faults"] if fault["layer"] == "tcp"]
            one["timing"].pop("first_response_ns")
            one["timing"].pop("tls_ns")
            for name in INSIDE:
                one.pop(name)
        assert with_http == without


def test_every_capture_of_it_has_some():
    for case in HTTP_CASES:
        assert any(connection.http for connection in report_of(capture_of(case))[0]), case


def survives(content: bytes) -> None:
    """A report, or the error that is meant for it; anything else is a bug."""
    try:
        analysis = analyzer.analyze(io.BytesIO(content), headers=True, chunk_bytes=512)
        b"".join(analysis.lines())
    except analyzer.InputError:
        return


class TestDamage:
    @settings(max_examples=100)
    @given(st.sampled_from([b"", pcap_header(), section()]), st.binary(max_size=300))
    @example(b"", b"")
    def test_any_bytes(self, beginning, content):
        survives(beginning + content)

    @settings(max_examples=600)
    @given(
        st.sampled_from(HTTP_CASES),
        st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 7)), min_size=1, max_size=30),
    )
    def test_flipped_bits(self, case, flips):
        content = bytearray(CONTENT[case])
        for at, bit in flips:
            content[at % len(content)] ^= 1 << bit
        survives(bytes(content))

    @settings(max_examples=200)
    @given(
        st.sampled_from(HTTP_CASES),
        st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=20)), min_size=1, max_size=10),
    )
    def test_other_bytes(self, case, changes):
        content = bytearray(CONTENT[case])
        for at, change in changes:
            at %= len(content)
            content[at : at + len(change)] = change[: len(content) - at]
        survives(bytes(content))

    @settings(max_examples=200)
    @given(st.sampled_from(HTTP_CASES), st.integers(0, 1 << 20))
    def test_cut_anywhere(self, case, length):
        survives(CONTENT[case][: length % len(CONTENT[case])])

    @settings(max_examples=200)
    @given(st.lists(st.tuples(st.sampled_from("CS"), st.binary(min_size=1, max_size=100)), max_size=10))
    def test_any_conversation(self, said):
        data = {f"d{number}": content for number, (_, content) in enumerate(said)}
        lines = [f"{side} DATA d{number}" for number, (side, _) in enumerate(said)]
        survives(bytes_of(Conversation(data=data).say(*HANDSHAKE, *lines)))


class TestFields:
    ASK = (
        b"GET / HTTP/1.1\r\nHost: test\r\nAuthorization: Basic c2VjcmV0\r\nCOOKIE: id=secret\r\n"
        b"Proxy-Authorization: secret\r\nAccept: text/html\r\n\r\n"
    )
    ANSWER = b"HTTP/1.1 200 OK\r\nSet-Cookie: id=secret\r\nSet-Cookie: b=secret\r\nContent-Length: 0\r\n\r\n"

    def exchange(self, **options) -> tuple[model.Exchange, bytes]:
        conversation = Conversation(data={"ask": self.ASK, "answer": self.ANSWER})
        content = bytes_of(conversation.say(*HANDSHAKE, "C DATA ask", "S DATA answer", "C ACK"))
        text = b"".join(analyzer.analyze(io.BytesIO(content), **options).lines())
        (connection,) = analyzer.analyze(io.BytesIO(content), **options)
        return connection.http.exchanges[0], text

    def test_they_are_not_listed_unless_wanted(self):
        exchange, text = self.exchange()
        assert (exchange.request.headers, exchange.response.headers) == (None, None)
        assert b"secret" not in text

    def test_secrets_alone_lists_none(self):
        exchange, text = self.exchange(secrets=True)
        assert (exchange.request.headers, exchange.response.headers) == (None, None)
        assert b"secret" not in text

    def test_values_that_hold_secrets_are_not_shown(self):
        exchange, text = self.exchange(headers=True)
        hidden = "(not shown)"
        assert exchange.request.headers == [
            ("Host", "test"), ("Authorization", hidden), ("COOKIE", hidden), ("Proxy-Authorization", hidden),
            ("Accept", "text/html"),
        ]  # fmt: skip
        assert exchange.response.headers == [("Set-Cookie", hidden), ("Set-Cookie", hidden), ("Content-Length", "0")]
        assert b"secret" not in text
        assert b"c2VjcmV0" not in text

    def test_unless_wanted(self):
        exchange, _ = self.exchange(headers=True, secrets=True)
        assert ("Authorization", "Basic c2VjcmV0") in exchange.request.headers
        assert ("Proxy-Authorization", "secret") in exchange.request.headers
        assert ("COOKIE", "id=secret") in exchange.request.headers
        assert exchange.response.headers[:2] == [("Set-Cookie", "id=secret"), ("Set-Cookie", "b=secret")]

    def test_in_a_tunnel_too(self):
        data = {
            "connect": b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\nProxy-Authorization: secret\r\n\r\n",
            "connected": b"HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\n\r\n", "ask": self.ASK, "answer": self.ANSWER,
        }  # fmt: skip
        lines = ("C DATA connect", "S DATA connected", "C DATA ask", "S DATA answer", "C ACK")
        content = bytes_of(Conversation(data=data).say(*HANDSHAKE, *lines))
        text = b"".join(analyzer.analyze(io.BytesIO(content), headers=True).lines())
        assert text.count(b"(not shown)") == 7
        assert b"secret" not in text

    @pytest.mark.parametrize("case", HTTP_CASES)
    def test_in_the_captures(self, case):
        names = {name.lower() for name in SECRETS}
        for connection in report_of(capture_of(case), headers=True)[0]:
            for http in (connection.http, connection.tunnel and connection.tunnel.http):
                for exchange in http.exchanges if http else []:
                    for message in (exchange.request, exchange.response):
                        for name, value in (message.headers if message else None) or []:
                            assert (value == "(not shown)") == (name.lower() in names)
