"""What runs inside streams: CONNECT (RFC 9113 §8.5) and extended CONNECT (RFC 8441)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.http2 import tunnels
from analyzer.dissector.http2.connection import CLIENT, SERVER
from analyzer.dissector.recognition import Recognizer, kind_of
from analyzer.dissector.undecided import HELD_LIMIT
from tests.dissector.http2_talk import END, Talk, data, faults, get, headers, ok, ping, rst

GET = b"GET /inside HTTP/1.1\r\nHost: b.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
TEXT = b"\x81\x82\0\0\0\0hi"  # of a client
ENABLE_CONNECT_PROTOCOL = {8: 1}


def connect(stream, authority="b.test:80", protocol=None):
    if protocol is None:
        return headers(stream, (":method", "CONNECT"), (":authority", authority))
    extended = ((":protocol", protocol), (":scheme", "https"), (":path", "/chat"), (":authority", authority))
    return headers(stream, (":method", "CONNECT"), *extended)


def look(talk):
    Recognizer().look_inside(talk.dissector)
    return talk


def kinds(talk):
    """By stream, what was found inside; None: nothing yet."""
    found = {one.stream: one.tunnel for one in talk.exchanges if one.tunnel is not None}
    return {number: kind_of(type(one.inner)) if one.inner is not None else None for number, one in found.items()}


def targets(talk, stream=1):
    return [
        (one.request and one.request.target, one.response and one.response.status)
        for one in talk.exchange(stream).tunnel.inner.exchanges
    ]


def test_http_in_a_tunnel():
    talk = Talk().c(connect(1)).s(ok(1))
    for at in range(len(GET)):
        look(talk.c(data(1, GET[at : at + 1])))
    look(talk.s(data(1, OK, padding=7)))
    assert kinds(talk) == {1: "http1"}
    assert targets(talk) == [("/inside", 200)]
    assert talk.exchange(1).tunnel.target == "b.test:80"
    assert talk.exchange(1).tunnel.bytes == [len(GET), len(OK)]
    assert faults(talk) == []


def test_two_tunnels_beside_each_other_and_other_streams():
    talk = Talk().c(connect(1), connect(3, "c.test:80"), get(5)).s(ok(3), ok(1), ok(5))
    look(talk.c(data(1, GET[:9]), data(3, GET[:20])).s(data(5, b"body", END)))
    look(talk.c(data(3, GET[20:]), data(1, GET[9:])).s(data(1, OK), data(3, OK[:-5]), ping(), data(3, OK[-5:], END)))
    assert kinds(talk) == {1: "http1", 3: "http1"}
    assert targets(talk, 1) == targets(talk, 3) == [("/inside", 200)]
    assert talk.exchange(5).tunnel is None


def test_what_the_client_says_before_there_is_a_tunnel():
    talk = look(Talk().c(connect(1), data(1, GET)))
    assert kinds(talk) == {}
    assert talk.dissector.skippable(CLIENT) == 0
    look(talk.s(ok(1), data(1, OK)))
    assert targets(talk) == [("/inside", 200)]


def test_all_of_it_in_one_segment():
    talk = Talk().c(connect(1), data(1, GET, END)).s(ok(1), data(1, OK, END)).c(connect(3))
    look(talk.s(ok(3)))
    assert targets(talk) == [("/inside", 200)]


@pytest.mark.parametrize("status", ["403", "502"])
def test_a_tunnel_that_is_refused(status):
    talk = look(Talk().c(connect(1), data(1, GET)).s(ok(1, status=status), data(1, b"no", END)))
    assert kinds(talk) == {}
    assert talk.exchange(1).response.body_bytes == 2


@pytest.mark.parametrize("extensions", [(), (("sec-websocket-extensions", "permessage-deflate"),)])
def test_websocket(extensions):
    talk = Talk(server=ENABLE_CONNECT_PROTOCOL).c(connect(1, protocol="websocket")).s(ok(1, *extensions))
    compressed = bytes([TEXT[0] | 0x40]) + TEXT[1:]
    look(talk.c(data(1, TEXT[:3]), data(1, TEXT[3:]), data(1, compressed)).s(data(1, b"\x88\x02\x03\xe8", END)))
    websocket = talk.exchange(1).tunnel.inner
    assert websocket.frames == ({"text": 2}, {"close": 1})
    assert websocket.close_code == 1000
    assert bool(websocket.faults) == (not extensions)  # a reserved bit without an extension


def test_any_other_protocol_is_counted_only():
    talk = Talk(server=ENABLE_CONNECT_PROTOCOL).c(connect(1, protocol="connect-udp"), data(1, GET)).s(ok(1))
    look(talk.c(data(1, GET)))
    assert kinds(talk) == {1: None}
    assert talk.exchange(1).tunnel.target == "connect-udp /chat"
    assert talk.exchange(1).tunnel.bytes == [2 * len(GET), 0]


def test_bulk_in_a_tunnel_is_skipped_and_lost_bytes_are_a_gap():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"
    talk = look(Talk().c(connect(1), data(1, GET)).s(ok(1), data(1, answer)))
    whole = data(1, bytes(9000), END)
    dissector = talk.dissector
    dissector.feed(SERVER, whole[:100], 100, 100)
    look(talk)
    assert dissector.skippable(SERVER) == len(whole) - 100
    dissector.skip(SERVER, 5000, 110, 110)
    dissector.gap(SERVER, 1000, "lost-in-capture", 111)
    dissector.feed(SERVER, whole[6100:], 120, 120)
    (inside,) = talk.exchange(1).tunnel.inner.exchanges
    assert (inside.response.body_bytes, inside.response.body_lost, inside.response.complete) == (9000, 1000, True)
    assert talk.exchange(1).response.body_lost == 1000


def test_after_frames_were_missed_what_comes_is_not_taken_for_the_rest():
    talk = look(Talk().c(connect(1), data(1, GET)).s(ok(1), data(1, OK[:10])))
    gap = talk.unseen(SERVER, data(1, OK[10:]), ping())
    look(talk.gap(SERVER, gap).s(ping(), ping(), data(1, OK)))
    assert targets(talk) == [("/inside", None)]


@pytest.mark.parametrize("end", [
    lambda talk: talk.c(rst(1, 8)), lambda talk: talk.close("rst"), lambda talk: talk.close("fin"),
])  # fmt: skip
def test_how_the_stream_ends_is_how_the_tunnel_does(end):
    talk = look(Talk().c(connect(1), data(1, GET)).s(ok(1), data(1, OK[:-2])))
    look(end(talk))
    inside = talk.exchange(1).tunnel.inner
    assert [fault.message for fault in inside.faults] == [
        "the connection ended inside a body, 2 bytes before its end (RFC 9112 §8)"
    ]


def test_no_more_than_so_many_are_looked_into():
    talk = Talk()
    streams = range(1, 2 * 70, 2)
    talk.c(*[connect(stream) for stream in streams]).s(*[ok(stream) for stream in streams])
    look(talk.c(*[data(stream, GET) for stream in streams]))
    assert list(kinds(talk).values()) == ["http1"] * tunnels.MOST_AT_ONCE
    assert talk.dissector._tunnels.beyond == 70 - tunnels.MOST_AT_ONCE


def test_nor_in_all(monkeypatch):
    monkeypatch.setattr(tunnels, "MOST_IN_ALL", 100)
    talk = Talk()
    for stream in range(1, 300, 2):
        look(talk.c(connect(stream), data(stream, GET, END)).s(ok(stream), data(stream, OK, END)))
    assert list(kinds(talk).values()) == ["http1"] * 100
    assert len(talk.dissector.tunnels) < 5


def test_what_nobody_recognises_is_not_held_for_ever():
    talk = Talk()
    for stream in range(1, 400, 2):
        look(talk.c(connect(stream), data(stream, b"P" * 3, END)).s(ok(stream), data(stream, b"", END)))
    assert len(talk.dissector.tunnels) <= tunnels.MOST_AT_ONCE


def test_a_tunnel_holds_no_more_than_it_may():
    talk = Talk(client={}, server={}).c(connect(1))
    for _ in range(HELD_LIMIT // 10_000 + 2):
        talk.c(data(1, bytes(10_000)))
    look(talk.s(ok(1)))
    assert talk.exchange(1).tunnel.dropped


PIECES = st.lists(
    st.tuples(
        st.sampled_from([CLIENT, SERVER]),
        st.one_of(
            st.builds(connect, st.sampled_from([1, 3]), protocol=st.sampled_from([None, "websocket", "x"])),
            st.builds(ok, st.sampled_from([1, 3]), status=st.sampled_from(["100", "200", "404"])),
            st.builds(data, st.sampled_from([1, 3]), st.sampled_from([GET, OK, TEXT, b"\x16\3\1\0\5"]) | st.binary(),
                      st.sampled_from([0, END])),
            st.builds(rst, st.sampled_from([1, 3]), st.just(8)),
            st.integers(1, 60),  # bytes that are missing
        ),
    ),
    max_size=14,
)  # fmt: skip


@given(PIECES, st.sampled_from(["fin", "rst", "end"]))
def test_any_conversation(pieces, how):
    talk = Talk(server=ENABLE_CONNECT_PROTOCOL)
    for side, piece in pieces:
        if isinstance(piece, int):
            talk.gap(side, piece)
        else:
            (talk.s if side else talk.c)(piece)
        look(talk)
    look(talk.close(how))
    for one in talk.exchanges:
        if one.tunnel is not None:
            assert one.tunnel.over
            assert one.tunnel.bytes[CLIENT] <= one.request.body_bytes
