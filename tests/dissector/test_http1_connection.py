"""The life of an HTTP/1 connection: persistence, pipelining, interim responses, changes of protocol. RFC 9112 §9."""

from __future__ import annotations

import pytest

from analyzer.dissector.http1 import pairing
from analyzer.dissector.http1.connection import Dissector, probe
from analyzer.dissector.http1.states import CLIENT, SERVER
from analyzer.dissector.layer import EVERYTHING, Layer
from analyzer.dissector.probing import Probe
from tests.dissector.http_talk import GET, OK, brief, encoded, faults, only_fault, say, steps, talk

TUNNEL = ("C CONNECT b:443 HTTP/1.1|Host: b:443||", "S HTTP/1.1 200 Connection established||")
UPGRADE = "C GET /chat HTTP/1.1|Host: a|Connection: keep-alive, Upgrade|Upgrade: {}|{}|"
SWITCH = "S HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: {}|{}|"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==|"  # RFC 6455 §1.3
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=|"


class Recorder(Layer):
    """Takes a connection over and writes down what it gets."""

    def __init__(self):
        self.log = []

    def feed(self, side, data, at_ns, packet):
        self.log.append(("feed", side, bytes(data), packet))

    def skippable(self, side):
        return 7

    def skip(self, side, length, at_ns, packet):
        self.log.append(("skip", side, length, packet))

    def gap(self, side, length, cause, packet):
        self.log.append(("gap", side, length, packet))

    def close(self, side, how, at_ns, packet):
        self.log.append(("close", side, how, packet))


@pytest.mark.parametrize(
    ("request_", "response", "persistent"),
    [
        ("HTTP/1.1|Host: a", "HTTP/1.1", True),
        ("HTTP/1.1|Host: a|Connection: close", "HTTP/1.1", False),
        ("HTTP/1.1|Host: a", "HTTP/1.1|Connection: Close", False),
        ("HTTP/1.1|Host: a", "HTTP/1.1|Connection: x|Connection: y, close", False),
        ("HTTP/1.0", "HTTP/1.0", False),
        ("HTTP/1.0", "HTTP/1.1", False),
        ("HTTP/1.0|Connection: keep-alive", "HTTP/1.0", False),
        ("HTTP/1.0|Connection: keep-alive", "HTTP/1.0|Connection: Keep-Alive", True),
        ("HTTP/1.0|Connection: keep-alive, x", "HTTP/1.1", True),
    ],
)
def test_persistence(request_, response, persistent):
    version, _, fields = response.partition("|")
    found = talk(f"C GET / {request_}||", f"S {version} 200 OK|{fields and fields + '|'}Content-Length: 0||")
    assert found.exchanges[0].persistent is persistent


def test_version_is_the_lowest_used():
    assert talk(GET).version == "HTTP/1.1"
    assert talk(GET, OK.replace("1.1", "1.0")).version == "HTTP/1.0"
    assert Dissector().version is None


def test_who_says_close_must_stop():  # §9.6
    closing = GET.replace("Host", "Connection: close|Host")
    assert only_fault(talk(closing, GET)) == "a request after one with `Connection: close` (RFC 9112 §9.6)"
    found = talk(GET, GET, OK.replace("Content", "Connection: close|Content"), OK)
    assert only_fault(found) == "a response after one with `Connection: close` (RFC 9112 §9.6)"
    assert brief(found) == ["GET / -> 200"] * 2


def test_pipelining():
    found = talk(GET, GET + GET[2:], OK, OK + OK[2:])
    assert brief(found) == ["GET / -> 200"] * 3
    assert [event.outstanding for event in found.events] == [0, 1, 2, 2, 1, 0]
    assert found.max_outstanding == 3
    assert faults(found) == []


def test_events_carry_what_pages_may_test():
    found = talk("C HEAD http://b/x HTTP/1.0|Host: a||", "S HTTP/1.1 302 Found|Location: y||")
    asked, answered = found.events
    assert (asked.side, asked.step, asked.packet, asked.at_ns) == ("client", "HTTP Request", 1, 10)
    assert (asked.method, asked.target, asked.authority, asked.status) == ("HEAD", "http://b/x", "b", None)
    assert (asked.version, answered.version) == ("HTTP/1.0", "HTTP/1.1")
    assert (answered.method, answered.target, answered.authority, answered.status) == ("HEAD", "http://b/x", "b", 302)


@pytest.mark.parametrize("chunk", [0, 1])
def test_interim_responses(chunk):
    interim = "S HTTP/1.1 100 Continue||HTTP/1.1 103 Early Hints|Link: </s>||"
    expecting = "C PUT / HTTP/1.1|Host: a|Expect: 100-continue|Content-Length: 2||"
    found = talk(expecting, interim, "C xy", "S HTTP/1.1 201 Created|Content-Length: 0||", chunk=chunk)
    assert brief(found) == ["PUT / +2 -> 100 103 201"]
    assert steps(found) == ["C HTTP Request", "S Interim Response", "S Interim Response", "S HTTP Response"]
    assert (found.exchanges[0].first_byte_ns, found.events[1].status) == (40, 100)


def test_an_interim_response_to_nothing():
    found = talk(GET, OK, "S HTTP/1.1 102 Processing||", GET, OK)
    assert brief(found) == ["GET / -> 200"] * 2
    assert "answers no request" in only_fault(found)


def test_a_response_before_the_request_has_ended():
    found = talk(
        "C POST / HTTP/1.1|Host: a|Content-Length: 5||he",
        "S HTTP/1.1 413 Too Large|Content-Length: 0||",
        "C llo",
        GET,
        OK,
    )
    assert brief(found) == ["POST / +5 -> 413", "GET / -> 200"]
    assert [event.outstanding for event in found.events] == [0, 0, 0, 0]


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_response_before_the_requests_head_has_ended(chunk):
    found = talk(
        "C GET /long HTTP/1.1|Host: a|X: yyyy",
        "S HTTP/1.1 431 Too Large|Content-Length: 0||",
        "C yy||",
        GET,
        OK,
        chunk=chunk,
    )
    assert brief(found) == ["GET /long -> 431", "GET / -> 200"]
    assert found.exchanges[0].request.header_bytes == 42
    assert steps(found) == ["C HTTP Request", "S HTTP Response"] * 2
    assert faults(found) == []


def test_what_is_answered_need_not_be_sent():
    early = "S HTTP/1.1 417 Expectation Failed|Connection: close|Content-Length: 0||"
    found = talk("C PUT / HTTP/1.1|Host: a|Content-Length: 9||", early, "C fin", "S fin")
    assert (brief(found), found.exchanges[0].request.cut, faults(found)) == (["PUT /… -> 417"], "fin", [])


def test_requests_without_response():
    found = talk(GET, GET, OK, "S fin", "C fin")
    assert brief(found) == ["GET / -> 200", "GET / -> ?"]
    assert faults(found) == []


def test_a_response_to_nothing():
    found = talk(GET, OK, "S HTTP/1.1 408 Request Timeout|Content-Length: 0||", "S fin", "C fin")
    assert brief(found) == ["GET / -> 200", "? -> 408"]
    assert only_fault(found) == "a response that answers no request (RFC 9112 §9.2)"
    assert found.faults[0].packet == 3
    assert found.events[-1].outstanding == 0


@pytest.mark.parametrize("turns", [(OK, "C gap 100", GET, OK), (OK, "end"), (OK, OK, "S fin", "end")])
def test_a_response_to_a_request_that_may_be_lost_is_no_fault(turns):
    assert not any("answers no request" in fault for fault in faults(talk(*turns)))
    assert not any("answers no request" in fault for fault in faults(talk(OK, GET, "C fin", midstream=True)))


def test_a_reset_that_ended_nothing():
    found = talk(GET, OK, "S rst", GET, OK)
    assert brief(found) == ["GET / -> 200"] * 2


def test_nothing_counts_after_the_end():
    found = talk(GET, "S HTTP/1.1 200 OK||x", "S fin", "S yz", "C fin", GET, "S gap 5", "S fin")
    assert brief(found) == ["GET / -> 200 +1"]
    assert found.skippable(SERVER) == EVERYTHING


def test_the_connection_ends_inside_a_head():
    found = talk("C GET / HTTP/1.1|Host: a|", "C fin")
    assert brief(found) == ["GET /… -> ?"]
    assert only_fault(found) == "the connection ended inside a head (RFC 9112 §8)"
    assert found.exchanges[0].request.cut == "fin"
    assert steps(found) == []


def test_pipelining_is_bounded(monkeypatch):
    monkeypatch.setattr(pairing, "MOST_OUTSTANDING", 3)
    monkeypatch.setattr(pairing, "MOST_EXCHANGES", 4)
    monkeypatch.setattr(pairing, "MOST_EVENTS", 5)
    found = talk("C " + GET[2:] * 6, "S " + OK[2:] * 3)
    assert (len(found.exchanges), found.exchanges_beyond, len(found.events), found.events_beyond) == (4, 2, 5, 4)
    assert brief(found) == ["GET / -> 200"] * 3 + ["GET / -> ?"]
    assert "more than 3 requests wait" in only_fault(found)


# CONNECT


def test_a_tunnel_is_handed_over():
    found = talk(*TUNNEL, "C hello", "S world", "C gap 3", "S fin")
    handover = found.handover
    assert (handover.protocol, handover.target, handover.packet) == ("tunnel", "b:443", 2)
    assert steps(found) == ["C HTTP Request", "S Tunnel"]
    assert brief(found) == ["CONNECT b:443 -> 200"]
    assert (handover.pending(CLIENT), handover.pending(SERVER)) == (b"hello", b"world")
    assert found.skippable(CLIENT) == 0
    inner = Recorder()
    handover.take(inner)
    assert inner.log == [("feed", 0, b"hello", 3), ("feed", 1, b"world", 4), ("gap", 0, 3, 5), ("close", 1, "fin", 6)]
    assert found.skippable(CLIENT) == 7
    say(found, "C more", 7)
    say(found, "C skip 5", 8)
    say(found, "C fin", 9)
    assert inner.log[4:] == [("feed", 0, b"more", 7), ("skip", 0, 5, 8), ("close", 0, "fin", 9)]
    assert handover.bytes == [17, 5]


def test_an_http_connection_in_a_tunnel():
    found = talk(*TUNNEL, GET)
    inner = Dissector()
    found.handover.take(inner)
    say(found, OK, 4)
    assert (brief(inner), brief(found)) == (["GET / -> 200"], ["CONNECT b:443 -> 200"])


def test_bytes_sent_before_the_tunnel_stands_are_the_tunnels():
    found = talk(TUNNEL[0] + "\x16\x03\x01", "C \x02\x00", TUNNEL[1], "S x")
    assert found.handover.pending(CLIENT) == b"\x16\x03\x01\x02\x00"
    assert faults(found) == []


def test_fields_that_speak_of_a_body_mean_nothing_in_the_answer_to_connect():  # RFC 9110 §9.3.6
    found = talk(TUNNEL[0], "S HTTP/1.1 200 OK|Content-Length: 5||hello")
    assert found.handover.pending(SERVER) == b"hello"


def test_a_refused_connect_is_an_exchange():
    asked = TUNNEL[0]
    refused = "S HTTP/1.1 407 Proxy Authentication Required|Content-Length: 2||no"
    found = talk(asked, refused, asked, TUNNEL[1])
    assert brief(found) == ["CONNECT b:443 -> 407 +2", "CONNECT b:443 -> 200"]
    assert steps(found) == ["C HTTP Request", "S HTTP Response", "C HTTP Request", "S Tunnel"]
    found = talk(asked + GET[2:], refused, OK)
    assert brief(found) == ["CONNECT b:443 -> 407 +2", "GET / -> 200"]


def test_connect_without_answer():
    found = talk(TUNNEL[0] + GET[2:], "C fin", "S fin")
    assert brief(found) == ["CONNECT b:443 -> ?", "GET / -> ?"]
    found = talk(TUNNEL[0], *["C " + "x" * 60000] * 6)
    assert "there is no response" in faults(found)[0]
    assert not found.client.held


def test_what_nobody_takes_over_is_only_counted():
    found = talk(*TUNNEL, *["C " + "x" * 60000] * 6)
    assert found.handover.dropped
    assert found.skippable(CLIENT) == EVERYTHING
    assert found.handover.bytes == [360000, 0]
    assert found.handover.pending(CLIENT) == b""


# Upgrade


def test_websocket():
    hello = "\x81\x85\x00\x00\x00\x00hello"
    found = talk(
        UPGRADE.format("websocket", KEY), SWITCH.format("websocket", ACCEPT) + "\x81\x02ok", f"C {hello}",
        "S \x88\x02\x03\xe8", "C \x88\x82\x01\x02\x03\x04\x02\xea", "S fin", "C fin",
    )  # fmt: skip
    inner = found.handover.inner
    assert steps(found) == ["C HTTP Request", "S Upgrade"]
    assert (found.events[1].protocol, found.events[1].status) == ("websocket", 101)
    assert inner.frames == ({"text": 1, "close": 1}, {"text": 1, "close": 1})
    assert (inner.close_code, inner.closed_by, inner.faults, faults(found)) == (1000, SERVER, [], [])
    assert brief(found) == ["GET /chat -> 101"]


def test_a_websocket_answer_that_does_not_fit():
    found = talk(UPGRADE.format("websocket", KEY), SWITCH.format("websocket", ACCEPT.replace("s3", "x3")))
    assert only_fault(found) == "Sec-WebSocket-Accept does not fit the request's key (RFC 6455 §4.2.2)"


def test_an_upgrade_that_is_declined():
    found = talk(UPGRADE.format("websocket", KEY), OK, GET, OK)
    assert brief(found) == ["GET /chat -> 200", "GET / -> 200"]
    found = talk(UPGRADE.format("h2c", "") + GET[2:], "S HTTP/1.1 200 OK||x", "S fin")
    assert brief(found) == ["GET /chat -> 200 +1", "GET / -> ?"]


def test_h2c_waits_for_who_understands_it():
    found = talk(UPGRADE.format("h2c", ""), SWITCH.format("h2c", "") + "\0\0\0\4\0\0\0\0\0", "C PRI * HTTP/2.0||SM||")
    assert (found.handover.protocol, found.events[-1].protocol) == ("h2c", "h2c")
    assert found.handover.pending(SERVER) == b"\0\0\0\4\0\0\0\0\0"
    assert found.handover.pending(CLIENT).startswith(b"PRI * HTTP/2.0")


def test_an_upgraded_request_may_have_a_body():
    asked = UPGRADE.format("h2c", "Content-Length: 4|").replace("GET", "POST")
    found = talk(asked + "ab", SWITCH.format("h2c", ""), "C cdPRI")
    assert brief(found) == ["POST /chat +4 -> 101"]
    assert found.handover.pending(CLIENT) == b"PRI"


def test_other_protocols_keep_their_name():
    found = talk(UPGRADE.format("TLS/1.0", ""), SWITCH.format("TLS/1.0, HTTP/1.1", ""))
    assert found.handover.protocol == "tls/1.0"
    found = talk(GET, "S HTTP/1.1 101 Switching Protocols||")
    assert (found.handover.protocol, only_fault(found)) == ("unknown", "101 without Upgrade (RFC 9110 §15.2.2)")


# Recognition


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("C GET / HTTP/1.1|", Probe.MATCH),
        ("C |GET / HTTP/1.1|", Probe.MATCH),
        ("C GET /", Probe.MATCH),
        ("C BREW coffee://pot HTTP/1.1|", Probe.MATCH),
        ("C GET /old|", Probe.MATCH),
        ("C CONNECT a:1 HTTP/1.0|", Probe.MATCH),
        ("C ", Probe.NEED_MORE),
        ("C |", Probe.NEED_MORE),
        ("C GE", Probe.NEED_MORE),
        ("C BREW /", Probe.NEED_MORE),
        ("C CONNECT a:1", Probe.NEED_MORE),
        ("C \x16\x03\x01\x02\x00\x01", Probe.NO_MATCH),
        ("C PRI * HTTP/2.0|", Probe.NO_MATCH),
        ("C OPTIONS * RTSP/1.0|", Probe.NO_MATCH),
        ("C EHLO mail.example|", Probe.NO_MATCH),
        ("C SSH-2.0-OpenSSH_9|", Probe.NO_MATCH),
        ("C " + "x" * 40, Probe.NO_MATCH),
        ("C GET\0", Probe.NO_MATCH),
        ("S HTTP/1.1 200 OK|", Probe.MATCH),
        ("S HTTP/1.0 404", Probe.MATCH),
        ("S HTTP/1.1", Probe.NEED_MORE),
        ("S HT", Probe.NEED_MORE),
        ("S HTTX", Probe.NO_MATCH),
        ("S HTTP server ready|", Probe.NO_MATCH),
        ("S 220 ready|", Probe.NO_MATCH),
        ("C HTTP/1.1 200 OK|", Probe.NO_MATCH),
        ("S GET / HTTP/1.1|", Probe.NO_MATCH),
    ],
)
def test_probe(text, answer):
    side = CLIENT if text[0] == "C" else SERVER
    assert probe(side, encoded(text[2:])) is answer
    assert probe(side, memoryview(encoded(text[2:]))) is answer


def test_probe_in_the_middle_of_a_connection():
    assert probe(SERVER, b"end of a bodyHTTP/1.1 200 OK\r\nServer: x", anywhere=True) is Probe.MATCH
    assert probe(CLIENT, b"a=b&c=dGET /x HTTP/1.1\r\n", anywhere=True) is Probe.MATCH
    assert probe(CLIENT, b"nothing here", anywhere=True) is Probe.NEED_MORE
