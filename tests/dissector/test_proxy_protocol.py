"""The header by which proxies name the client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.probing import Probe
from analyzer.dissector.proxy_protocol import LONGEST, parse, probe
from analyzer.model import Endpoint
from tests.capture.strategies import patiently

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V4 = bytes([192, 0, 2, 1, 198, 51, 100, 1]) + (56324).to_bytes(2, "big") + (443).to_bytes(2, "big")
V6 = bytes(15) + b"\x01" + bytes(15) + b"\x02" + b"\x00\x50\x01\xbb"


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("line", "source", "destination"),
    [
        (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443", Endpoint("192.0.2.1", 56324), Endpoint("198.51.100.1", 443)),
        (b"PROXY TCP6 2001:db8::1 ::1 1 65535", Endpoint("2001:db8::1", 1), Endpoint("::1", 65535)),
        (b"PROXY UNKNOWN", None, None),
        (b"PROXY UNKNOWN ff:: ff:: 1 2", None, None),
    ],
)
def test_version_1(line, source, destination):
    data = line + b"\r\nGET / HTTP/1.1\r\n"
    found = parse(data)
    assert probe(data) is Probe.MATCH
    assert (found.version, found.command, found.length) == (1, "PROXY", len(line) + 2)
    assert (found.source, found.destination, found.fault) == (source, destination, None)


@pytest.mark.parametrize(
    "line",
    [
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324",
        b"PROXY TCP4 192.0.2.1 ::1 1 2",
        b"PROXY TCP4 192.0.2.256 192.0.2.1 1 2",
        b"PROXY TCP4 192.0.2.1 192.0.2.1 1 65536",
        b"PROXY TCP4 192.0.2.1 192.0.2.1 x 2",
        b"PROXY UDP4 192.0.2.1 192.0.2.1 1 2",
        b"PROXY TCP4 \xff 192.0.2.1 1 2",
        b"PROXY " + b"x" * 110,
        b"proxy TCP4 192.0.2.1 192.0.2.1 1 2",
        b"GET / HTTP/1.1",
    ],
)
def test_what_is_none(line):
    assert probe(line + b"\r\n") is Probe.NO_MATCH
    assert parse(line + b"\r\n") is None


def test_version_2():
    found = parse(v2(1, 0x11, V4 + b"\x03\x00\x04abcd\x20\x00\x00") + b"GET")
    assert (found.version, found.command, found.transport, found.length) == (2, "PROXY", "stream", 38)
    assert (found.source, found.destination) == (Endpoint("192.0.2.1", 56324), Endpoint("198.51.100.1", 443))
    assert (found.options, found.fault) == (((3, 4), (32, 0)), None)
    found = parse(v2(1, 0x21, V6))
    assert (found.source, found.destination) == (Endpoint("::1", 80), Endpoint("::2", 443))


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (v2(0, 0x00, b""), "LOCAL"),
        (v2(0, 0x11, V4), "LOCAL"),
        (v2(1, 0x00, b""), "PROXY"),
        (v2(1, 0x31, bytes(216)), "PROXY"),
    ],
)
def test_version_2_without_addresses_to_show(data, command):
    found = parse(data)
    assert (found.command, found.source, found.fault, found.length) == (command, None, None, len(data))


def test_faults_of_version_2():
    assert "addresses longer" in parse(v2(1, 0x21, V4)).fault
    assert "TLV longer" in parse(v2(1, 0x11, V4 + b"\x03\x00\x04abc")).fault
    assert "TLV longer" in parse(v2(1, 0x11, V4 + b"\x03")).fault


def test_another_version_is_none():
    assert probe(SIGNATURE + b"\x11\x11\x00\x0c" + V4) is Probe.NO_MATCH
    assert probe(SIGNATURE + b"\x22\x11\x00\x0c" + V4) is Probe.NO_MATCH


@pytest.mark.parametrize("data", [b"PROXY TCP4 192.0.2.1 192.0.2.1 1 2\r\n", v2(1, 0x11, V4)])
def test_every_beginning_needs_more(data):
    for length in range(len(data)):
        assert probe(memoryview(data)[:length]) is Probe.NEED_MORE
    assert probe(memoryview(data)) is Probe.MATCH


@patiently
@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]), st.binary(max_size=300))
def test_any_bytes(begin, rest):
    data = begin + rest
    found = parse(data)
    assert (found is not None) == (probe(data) is Probe.MATCH)
    assert found is None or found.length <= min(len(data), LONGEST)
