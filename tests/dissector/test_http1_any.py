"""Any bytes on any side, cut anyhow: no exception, nothing unbounded, and the same exchanges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analyzer.dissector.http1.connection import Dissector, probe
from analyzer.dissector.http1.states import CLIENT, SERVER
from analyzer.dissector.probing import Probe
from tests.capture.strategies import patiently

PIECES = [
    b"GET / HTTP/1.1\r\n",
    b"POST /x HTTP/1.0\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n",
    b"HEAD * HTTP/1.1\r\n",
    b"GET /\r\n",
    b"get",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204 No\r\n",
    b"HTTP/1.1 100 C\r\n\r\n",
    b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.0 304 x\r\n",
    b"HTTP/1.",
    b" HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 3, 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b" folded\r\n",
    b"X : y\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"3;x\r\n",
    b"hello",
    b"\0",
    b" ",
    b"\x81\x02ok",
    b"\x88\x82\0\0\0\0\3\xe8",
    b"zz\r\n",
]

data = st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=12).map(b"".join)
turns = st.lists(
    st.tuples(
        st.sampled_from([CLIENT, SERVER]),
        st.one_of(data, data, data, data, st.integers(1, 40), st.sampled_from(["fin", "rst"])),
    ),
    max_size=10,
)
OPTIONS = {"head_limit": 120, "keep_fields": True}


def play(script, cuts=None, views=False, kind=Dissector):
    """Feeds a script; `cuts`: sizes of the pieces, used one after the other."""
    dissector, sizes = kind(**OPTIONS), iter(cuts or ())
    for packet, (side, what) in enumerate(script, 1):
        if isinstance(what, bytes):
            at = 0
            while at < len(what):
                size = next(sizes, 1) if cuts is not None else len(what)
                piece = what[at : at + size]
                dissector.feed(side, memoryview(piece) if views else piece, packet, packet)
                at += size
        elif isinstance(what, int):
            dissector.gap(side, what, "lost-in-capture", packet)
        else:
            dissector.close(side, what, packet, packet)
        assert dissector.skippable(side) >= 0
    for side in (CLIENT, SERVER):
        dissector.close(side, "end", 99, 99)
    return dissector


def everything(dissector):
    """Whatever must not depend on segments: they all have the packet number and time of their turn."""
    handover = dissector.handover
    inner = handover.inner if handover else None
    return (
        dissector.exchanges,
        dissector.events,
        dissector.faults,
        dissector.version,
        handover and (handover.protocol, handover.bytes, handover.pending(CLIENT), handover.pending(SERVER)),
        inner and (inner.frames, inner.close_code, inner.faults),
    )


@patiently
@given(turns, st.lists(st.integers(1, 9), max_size=60))
def test_segments_do_not_matter(script, cuts):
    whole = everything(play(script))
    assert everything(play(script, cuts)) == whole
    assert everything(play(script, views=True)) == whole


@patiently
@given(turns)
def test_skipping_what_may_be_skipped_does_not_matter(script):
    skipping = Dissector(**OPTIONS)
    for packet, (side, what) in enumerate(script, 1):
        if isinstance(what, bytes):
            at = 0
            while at < len(what):
                count = min(skipping.skippable(side), len(what) - at)
                if count:
                    skipping.skip(side, count, packet, packet)
                else:
                    count = 1
                    skipping.feed(side, what[at : at + 1], packet, packet)
                at += count
        elif isinstance(what, int):
            skipping.gap(side, what, "lost-in-capture", packet)
        else:
            skipping.close(side, what, packet, packet)
    for side in (CLIENT, SERVER):
        skipping.close(side, "end", 99, 99)
    assert everything(skipping) == everything(play(script))


@patiently
@given(turns)
def test_what_is_promised_of_exchanges(script):
    found = play(script)
    for exchange in found.exchanges:
        assert exchange.request is not None or exchange.response is not None
        for message in (exchange.request, exchange.response):
            if message is not None:
                assert message.packet <= message.head_packet <= message.last_packet or message.cut
                assert message.body_lost <= message.body_bytes
                assert all(isinstance(value, str) for pair in message.fields for value in pair)
        if exchange.finished_ns is not None:
            assert exchange.response is not None
            assert exchange.first_byte_ns <= exchange.finished_ns
    assert all(event.outstanding >= 0 for event in found.events)
    asked = sum(event.step == "HTTP Request" for event in found.events)
    assert asked <= sum(exchange.request is not None for exchange in found.exchanges)


@patiently
@given(st.sampled_from([CLIENT, SERVER]), data)
def test_probe_gives_up_only_on_what_can_never_become_http(side, first):
    answers = [probe(side, first[:length]) for length in range(len(first) + 1)]
    if Probe.NO_MATCH in answers:
        assert Probe.MATCH not in answers[answers.index(Probe.NO_MATCH) :]
