"""JSON Lines from templates are the very text that encoding each connection gives."""

from __future__ import annotations

import contextlib
import io

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analyzer
from tests.cases import CASES, capture_of
from tests.conversations import HANDSHAKE, Conversation
from tests.conversations import capture_of as pcap_of

ENCODER = msgspec.json.Encoder()


def one_by_one(source, **options):
    return b"".join(ENCODER.encode(connection) + b"\n" for connection in analyzer.analyze(source, **options))


def from_templates(source, **options):
    return b"".join(analyzer.analyze(source, **options).lines())


@pytest.mark.parametrize("case", CASES)
def test_every_capture(case):
    path = capture_of(case)
    assert from_templates(path) == one_by_one(path)


def test_many_connections_of_one_shape():
    close = ("C DATA 10", "S ACK", "C FIN", "S ACK", "S FIN", "C ACK")
    capture = pcap_of(
        *(
            Conversation(client=f"10.0.{port % 7}.{port % 199}", client_port=port).say(*HANDSHAKE, *close)
            for port in range(40000, 40050)
        )
    )
    lines = from_templates(io.BytesIO(capture))
    assert lines.count(b"\n") == 50
    assert lines == one_by_one(io.BytesIO(capture))


LINES = st.lists(
    st.sampled_from(
        ["C SYN", "S SYN-ACK", "C ACK", "S ACK", "C DATA 5", "S DATA 7", "C FIN", "S FIN", "C RST", "S RST",
         "C SYN again", "S SYN-ACK again", "S ICMP", "C FIN again", "S DATA 3 lost", "C SYN isn=77", "silence 3",
         "S SYN-ACK ack=+3"]
    ),
    min_size=1, max_size=14,
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(LINES, min_size=1, max_size=6))
def test_any_conversations(conversations):
    said = []
    for number, lines in enumerate(conversations):
        said.append(Conversation(client=f"10.0.0.{number + 1}", client_port=50000 + number % 2))
        for line in lines:
            with contextlib.suppress(KeyError):  # sent again before it was sent
                said[-1].say(line)
    capture = pcap_of(*said)
    assert from_templates(io.BytesIO(capture)) == one_by_one(io.BytesIO(capture))


DATA = {
    "get": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "old": b"GET /old HTTP/1.0\r\n\r\n",
    "head": b"HEAD /9000000000000003001 HTTP/1.1\r\nHost: 9000000000000003000\r\n\r\n",
    "odd": b'GET /a"b\\c\xc3\xa4\xff HTTP/1.1\r\nHost: \x01 d\xfc"\r\n\r\n',
    "twice": b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    "post": b"POST /form HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    "body": b"a=b",
    "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "part": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
    "empty": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "close": b"HTTP/1.0 500 No\r\nConnection: close\r\n\r\nbody",
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "hint": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "noise": b"\x00\x01\x02",
    "mail": b"220 mail.test ESMTP\r\n",
    "hello": bytes.fromhex("16030100310100002d0303") + bytes(32) + bytes.fromhex("000002002f0100000200"),
    "proxy": b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n",
}
HTTP_LINES = [
    *(f"C DATA {name}" for name in ("get", "get", "get", "old", "head", "odd", "twice", "post", "body", "connect")),
    *(f"S DATA {name}" for name in ("ok", "ok", "ok", "part", "empty", "chunks", "close", "continue", "hint")),
    "C DATA noise", "C DATA hello", "C DATA proxy", "S DATA mail", "C FIN", "S FIN", "C RST", "S RST", "C ACK",
    "S ACK", "S DATA noise", "S DATA ok lost", "C DATA again", "silence 3",
]  # fmt: skip


@settings(max_examples=200)
@given(st.lists(st.lists(st.sampled_from(HTTP_LINES), max_size=12), min_size=1, max_size=6), st.booleans())
def test_any_http(conversations, headers):
    said = []
    for number, lines in enumerate(conversations):
        said.append(Conversation(client=f"10.0.0.{number + 1}", client_port=50000, data=DATA).say(*HANDSHAKE))
        for line in lines:
            with contextlib.suppress(KeyError):  # sent again before it was sent
                said[-1].say(line)
    capture = pcap_of(*said)
    assert from_templates(io.BytesIO(capture), headers=headers) == one_by_one(io.BytesIO(capture), headers=headers)


def test_exchanges_of_one_shape_and_many():
    once = ("C DATA get", "S DATA ok")
    said = [
        Conversation(client_port=40000 + count, data=DATA).say(*HANDSHAKE, *once * count, "C FIN", "S FIN", "C ACK")
        for count in (1, 1, 2, 3, 3, 100, 700, 1, 100)
    ]
    capture = pcap_of(*said)
    assert from_templates(io.BytesIO(capture)) == one_by_one(io.BytesIO(capture))


@pytest.mark.parametrize("name", ["9000000000000000004.pcap", "größe.pcap"])
def test_a_file_name_that_looks_special(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(capture_of("tcp/web-page").read_bytes())
    assert from_templates(path) == one_by_one(path)
