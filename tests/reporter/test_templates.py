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


@settings(max_examples=150, deadline=None)
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


@pytest.mark.parametrize("name", ["9000000000000000004.pcap", "größe.pcap"])
def test_a_file_name_that_looks_special(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(capture_of("tcp/web-page").read_bytes())
    assert from_templates(path) == one_by_one(path)
