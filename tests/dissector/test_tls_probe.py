"""Is this TLS? By content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.probing import Probe
from analyzer.dissector.tls.connection import CLIENT, SERVER, probe
from tests.capture.strategies import patiently
from tests.dissector.test_tls_connection import TestSsl2 as Ssl2
from tests.dissector.tls_talk import RSA, alert, client_hello, data, message, record, server_hello

SSL2_SERVER = b"\x80\x1f\4\0\1\0\2\0\4\0\3\0\x10"


@pytest.mark.parametrize(("side", "first"), [
    (CLIENT, record(client_hello())),
    (CLIENT, record(client_hello(), version=0x0300)),
    (CLIENT, record(client_hello())[:6]),
    (CLIENT, Ssl2().hello(2)),
    (CLIENT, Ssl2().hello(0x0301)),
    (SERVER, record(server_hello())),
    (SERVER, record(message(0))),
    (SERVER, alert(2, 70)),
    (SERVER, SSL2_SERVER),
])  # fmt: skip
def test_tls(side, first):
    assert probe(side, first) is Probe.MATCH
    for length in range(min(len(first), 5)):
        assert probe(side, first[:length]) is Probe.NEED_MORE


@pytest.mark.parametrize(("side", "first"), [
    (CLIENT, b"GET / HTTP/1.1\r\n"),
    (CLIENT, b"\x16\2"),
    (CLIENT, b"\x16\3\5"),
    (CLIENT, b"\x16\3\1\0\0"),
    (CLIENT, b"\x16\3\1\xff\xff"),
    (CLIENT, record(server_hello())),
    (CLIENT, data()),
    (CLIENT, alert(2, 40)),
    (CLIENT, b"\x80\x2e\2"),
    (CLIENT, Ssl2().hello(2).replace(b"\0\x10", b"\0\xff")),
    (SERVER, record(client_hello())),
    (SERVER, b"\x15\3\3\0\2\7"),
    (SERVER, b"\x15\3\3\0\3"),
    (SERVER, b"\x80\x1f\4\0\1\0\3"),
    (SERVER, b"220 mail ready\r\n"),
])  # fmt: skip
def test_something_else(side, first):
    assert probe(side, first) is Probe.NO_MATCH


def test_anywhere():
    assert probe(SERVER, b"rest of a record" + data(), anywhere=True) is Probe.NEED_MORE
    assert probe(SERVER, b"rest of a record" + data() * 2, anywhere=True) is Probe.MATCH
    assert probe(SERVER, b"HTTP/1.1 200 OK\r\n" * 50, anywhere=True) is Probe.NEED_MORE
    assert probe(CLIENT, RSA[2][1], anywhere=True) is Probe.MATCH


@patiently
@given(st.sampled_from([CLIENT, SERVER]), st.binary(max_size=20) | st.builds(
    lambda hello, cut, tail: hello[:cut] + tail,
    st.sampled_from([record(client_hello()), record(server_hello()), Ssl2().hello(2), SSL2_SERVER, alert(2, 40)]),
    st.integers(0, 20), st.binary(max_size=4)))  # fmt: skip
def test_an_answer_is_final(side, first):
    answers = [probe(side, first[:length]) for length in range(len(first) + 1)]
    decided = [answer for answer in answers if answer is not Probe.NEED_MORE]
    assert decided == answers[len(answers) - len(decided) :]
    assert len(set(decided)) <= 1
