"""Which protocol is it? Told by its bytes alone."""

from __future__ import annotations

import pytest

from analyzer.dissector import unknown
from analyzer.dissector.handover import Handover
from analyzer.dissector.http1 import connection as http1
from analyzer.dissector.layer import EVERYTHING
from analyzer.dissector.probing import Probe
from analyzer.dissector.recognition import MOST_LAYERS, MOST_UNANSWERED, Recognizer, inside, proxy_header
from analyzer.dissector.tls import connection as tls
from analyzer.dissector.undecided import Undecided

CLIENT, SERVER = 0, 1
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CONNECT = b"CONNECT b:80 HTTP/1.1\r\nHost: b:80\r\n\r\n"
CLIENT_HELLO = bytes.fromhex("1603010006010000020303")  # the beginning of one
SERVER_HELLO = bytes.fromhex("1603030006020000020303")
PROXY = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n"


def undecided(client: bytes = b"", server: bytes = b"") -> Undecided:
    found = Undecided()
    for packet, (side, data) in enumerate(((CLIENT, client), (SERVER, server)), 1):
        if data:
            found.feed(side, data, packet, packet)
    return found


def decided(client: bytes = b"", server: bytes = b"", **options) -> Undecided:
    found = undecided(client, server)
    Recognizer().decide(found, **options)
    return found


@pytest.mark.parametrize("talk", [(GET, b""), (b"", OK), (b"?\r\n", OK)])
def test_http(talk):
    assert isinstance(decided(*talk).inner, http1.Dissector)


@pytest.mark.parametrize("talk", [(b"", b""), (b"GET ", b""), (b"", b"HTT")])
def test_too_little_to_tell(talk):
    assert decided(*talk).open


@pytest.mark.parametrize("talk", [(b"\x00\x01\x02\x03", b"\x80\x81\x82"), (b"\n\n{}", b"\x80\x81\x82")])
def test_nobodys(talk):
    assert isinstance(decided(*talk).inner, unknown.Dissector)


def test_tls_behind_a_protocol_that_nobody_knows():
    layer = decided(b"\x01\x02\x03\x04", b"\x7f" * 9).inner
    layer.feed(CLIENT, CLIENT_HELLO, 3, 3)
    assert layer.handover is None
    layer.feed(SERVER, SERVER_HELLO, 4, 4)
    Recognizer().look_inside(layer)
    assert isinstance(layer.handover.inner, tls.Dissector)
    assert layer.handover.bytes == [len(CLIENT_HELLO), len(SERVER_HELLO)]


def test_what_only_looks_like_a_hello():
    layer = decided(b"\x01\x02\x03\x04", b"\x7f" * 9).inner
    layer.feed(CLIENT, CLIENT_HELLO, 3, 3)
    layer.feed(SERVER, b"no, thanks", 4, 4)
    layer.feed(SERVER, SERVER_HELLO, 5, 5)
    assert layer.handover is None


def test_the_unknown_is_watched_for_so_long_and_no_longer():
    layer = decided(b"\x01\x02\x03\x04", b"\x7f" * 9).inner
    for packet in range(9):
        assert layer.over == (packet * 4000 > unknown.WATCHED_BYTES)
        layer.feed(CLIENT, bytes(4000), packet, packet)
    assert layer.skippable(CLIENT) == EVERYTHING


@pytest.mark.parametrize("side", [0, 1])
def test_what_is_nobodys_waits_for_the_answer_but_not_for_ever(side):
    talk = [b"", b""]
    talk[side] = b"\x00\x01\x02\x03"
    assert decided(*talk).open
    talk[side] *= MOST_UNANSWERED // 4
    assert isinstance(decided(*talk).inner, unknown.Dissector)


def test_the_middle_of_a_connection():
    assert decided(b"...body\r\n\r\n" + GET, midstream=True).inner.exchanges[0].request.target == "/"


def test_a_tunnel_is_looked_into():
    outer = decided(CONNECT).inner
    outer.feed(SERVER, b"HTTP/1.1 200 OK\r\n\r\n", 2, 2)
    (tunnel,) = inside(outer)
    assert isinstance(tunnel, Handover)
    tunnel.feed(CLIENT, GET, 3, 3)
    Recognizer().look_inside(outer)
    assert [one.request.target for one in tunnel.inner.exchanges] == ["/"]


def test_a_tunnel_in_a_tunnel():
    outer = decided(CONNECT).inner
    outer.feed(SERVER, b"HTTP/1.1 200 OK\r\n\r\n", 2, 2)
    outer.feed(CLIENT, CONNECT, 3, 3)
    Recognizer().look_inside(outer)
    outer.feed(SERVER, b"HTTP/1.1 200 OK\r\n\r\n", 4, 4)
    outer.feed(CLIENT, GET, 5, 5)
    Recognizer().look_inside(outer)
    innermost = outer.handover.inner.handover.inner
    assert [one.request.target for one in innermost.exchanges] == ["/"]


def test_tunnels_in_tunnels_have_an_end():
    outer = decided(CONNECT).inner
    for packet in range(2, 100, 2):
        outer.feed(SERVER, b"HTTP/1.1 200 OK\r\n\r\n", packet, packet)
        outer.feed(CLIENT, CONNECT, packet + 1, packet + 1)
        Recognizer().look_inside(outer)
    depth, layer = 1, outer
    while layer.handover.inner is not None:
        depth, layer = depth + 1, layer.handover.inner
    assert depth == MOST_LAYERS
    assert layer.handover.dropped


def test_what_an_unknown_upgrade_leads_to_is_not_guessed():
    outer = decided(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n").inner
    outer.feed(SERVER, b"HTTP/1.1 101 \r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n" + OK, 2, 2)
    Recognizer().look_inside(outer)
    assert outer.handover.dropped


class TestProxyHeader:
    def test_it_is_taken_out(self):
        found = undecided(PROXY + GET)
        assert proxy_header(found).source.address == "192.0.2.1"
        assert found.pending(CLIENT) == GET

    def test_only_the_clients_side_has_one(self):
        assert proxy_header(undecided(b"", PROXY)) is Probe.NO_MATCH

    @pytest.mark.parametrize(("begin", "answer"), [(b"PROX", Probe.NEED_MORE), (GET, Probe.NO_MATCH)])
    def test_there_may_be_none(self, begin, answer):
        found = undecided(begin)
        assert proxy_header(found) is answer
        assert found.pending(CLIENT) == begin
