"""What the HTTP/2 dissector finds in real bytes, as the report tells it; HTTP/2 in the whole life of a connection."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.dissector.http2.connection import Dissector, Upgraded
from analyzer.flows import load_library
from analyzer.reporter.http import MOST_EXCHANGES, REDACTED
from analyzer.reporter.http2 import Http2Labeler
from analyzer.reporter.lifecycle import HIDDEN, LifecycleLabeler
from analyzer.reporter.verdicts import Circumstances, faults_of
from tests.dissector.http2_talk import (
    END,
    PREFACE,
    SETTINGS_ACK,
    Talk,
    data,
    frame,
    get,
    goaway,
    headers,
    ok,
    ping,
    post,
    promise,
    rst,
    update,
)
from tests.dissector.http2_talk import (
    settings as settings_frame,
)

LIBRARY = load_library()
LABELER = Http2Labeler(LIBRARY)
LIFE = LifecycleLabeler(LIBRARY)
START = 5  # ns, of the connection; Talk's packets come every ten

TRAILERS = [("grpc-status", "0"), ("x-end", "1")]


def label(
    talk: Talk, *, lost: model.Cause | None = None, ended: bool = True, tls: bool = False, **options
) -> model.Http:
    labeler = Http2Labeler(LIBRARY, **options) if options else LABELER
    around = Circumstances(START, lost, ended, False)
    http, judged = labeler.label(talk.dissector, around, tls=tls)
    assert http.connection == judged.verdict
    written, _ = labeler.label(talk.dissector, around._replace(written=True), tls=tls)
    assert msgspec.json.encode(written) == msgspec.json.encode(http)
    return http


def flows(http: model.Http) -> dict[int, str | None]:
    return {one.stream: one.verdict.flow and one.verdict.flow.partition("/")[2] for one in http.exchanges}


def test_two_exchanges_at_once():
    talk = Talk(client={3: 100, 4: 20_000}, server={3: 128})
    talk.c(get(1, "/a"), get(3, "/b"))
    talk.s(ok(1), ok(3), data(1, b"aa"), data(3, b"bbb"), data(1, b"", END), data(3, b"", END))
    http = label(talk.c(goaway(0)).close(), tls=True)
    assert (http.version, http.max_concurrent, http.exchanges_not_listed) == ("HTTP/2", 2, 0)
    assert (http.connection.flow, http.connection.outcome) == ("http2/over-tls", "documented")
    assert flows(http) == {1: "exchange", 3: "exchange"}
    first, second = http.exchanges
    assert (first.multiplexed_with, first.interleaved, second.multiplexed_with) == ([3], True, [1])
    assert (first.request.method, first.request.target, first.request.authority) == ("GET", "/a", "a.test")
    assert (first.response.status, first.response.body_bytes, second.response.body_bytes) == (200, 2, 3)
    assert (first.started_ns, first.first_byte_ns, first.finished_ns) == (40 - START, 50 - START, 50 - START)
    assert first.request.header_bytes > first.request.header_bytes_on_wire > 0
    assert [(step.side, step.step, step.packet, step.times) for step in first.verdict.steps] == [
        ("client", "HEADERS", 4, 1), ("client", "END_STREAM", 4, 1),
        ("server", "HEADERS", 5, 1), ("server", "DATA", 5, 2), ("server", "END_STREAM", 5, 1),
    ]  # fmt: skip
    assert http.settings == model.Settings(
        {"MAX_CONCURRENT_STREAMS": 100, "INITIAL_WINDOW_SIZE": 20_000}, {"MAX_CONCURRENT_STREAMS": 128}
    )
    assert http.goaway == [model.Goaway("client", "NO_ERROR", 0, 6)]
    assert http.frames == {"SETTINGS": 4, "HEADERS": 4, "GOAWAY": 1, "DATA": 4}
    assert http.frame_switches == 6
    assert (http.stalls, http.head_of_line_waits, http.websocket) == ([], 0, None)


def test_what_becomes_of_streams():
    talk = Talk(server={8: 1})
    talk.c(get(1), post(3), get(5), get(7), headers(9, (":method", "CONNECT"), (":authority", "b.test:443")), get(11))
    talk.s(ok(1, status="103"), ok(1), promise(1, 2, "/pushed"), data(1, b"x", END), ok(2, flags=END))
    talk.c(data(3, b"abc"), headers(3, ("x-end", "1"), flags=END)).s(
        ok(3), data(3, b"y"), headers(3, *TRAILERS, flags=END)
    )
    talk.s(rst(5, 7), ok(7), ok(9), data(9, b"server")).c(rst(7, 8), data(9, b"client"))
    http = label(talk.close())
    assert flows(http) == {
        1: "interim-response", 2: "pushed", 3: "exchange-with-trailers", 5: "refused", 7: "reset", 9: "tunnel",
        11: "unanswered",
    }  # fmt: skip
    found = {one.stream: one for one in http.exchanges}
    assert (found[1].interim, found[2].pushed, found[1].pushed) == ([103], True, False)
    assert found[5].reset == model.Reset("server", "REFUSED_STREAM", 8)
    assert found[7].reset == model.Reset("client", "CANCEL", 9)
    assert (found[1].reset, found[11].response) == (None, None)
    assert (found[9].request.method, found[9].request.target) == ("CONNECT", "b.test:443")
    assert found[9].verdict.branches == []
    assert http.connection.differs == ["no GOAWAY"]


def test_an_extended_connect_names_its_protocol():
    talk = Talk(server={8: 1})
    talk.c(
        headers(1, (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"),
                (":authority", "a.test"))
    ).s(ok(1), data(1, b"hi"))  # fmt: skip
    (one,) = label(talk).exchanges
    assert (one.protocol, one.request.target, one.verdict.flow) == ("websocket", "/chat", "http2-stream/tunnel")


def test_grpc():
    message = b"\0\0\0\0\2hi"
    talk = Talk().c(post(1, "/Greeter/Hello", ("content-type", "application/grpc")), data(1, message * 2, END))
    talk.s(ok(1, ("content-type", "application/grpc")), data(1, message), headers(1, *TRAILERS, flags=END))
    (one,) = label(talk.close()).exchanges
    assert one.grpc == model.Grpc(0, model.PerSide(2, 1))
    assert one.verdict.flow == "http2-stream/exchange-with-trailers"


def test_header_fields_are_listed_if_asked_for_and_secrets_are_not_shown():
    talk = Talk(keep_fields=True).c(get(1, "/", ("cookie", "a=b"), ("x-a", "1")))
    talk.s(ok(1, ("set-cookie", "c=d")), data(1, b"x"), headers(1, ("x-end", "1"), flags=END)).close()
    (plain,) = label(talk).exchanges
    assert (plain.request.headers, plain.response.headers, plain.trailers) == (None, None, None)
    (one,) = label(talk, headers=True).exchanges
    assert one.request.headers[-2:] == [("cookie", REDACTED), ("x-a", "1")]
    assert one.response.headers == [(":status", "200"), ("set-cookie", REDACTED)]
    assert one.trailers == [("x-end", "1")]
    (all_,) = label(talk, headers=True, secrets=True).exchanges
    assert all_.response.headers[-1] == ("set-cookie", "c=d")


def test_how_a_connection_begins_tells_its_flow():
    talk = Talk().c(get(1)).s(ok(1, flags=END)).c(goaway(0)).close()
    assert label(talk, tls=True).connection.flow == "http2/over-tls"
    prior = label(talk).connection
    assert (prior.flow, prior.outcome, prior.branches) == (
        "http2/prior-knowledge", "variant", ["requests", "GOAWAY of the client"],
    )  # fmt: skip
    asked = Upgraded("GET", "/", "a.test", 60, 1, START)
    talk = Talk(begun=False, upgraded=asked)
    talk.s(settings_frame()).c(PREFACE, settings_frame(), SETTINGS_ACK).s(SETTINGS_ACK, ok(1, flags=END)).close()
    upgraded = label(talk)
    assert (upgraded.connection.flow, flows(upgraded)) == ("http2/upgraded", {1: "exchange"})
    assert upgraded.exchanges[0].started_ns == 0


def test_an_error_that_the_peer_answers_is_a_variant_and_else_a_divergence():
    talk = Talk().c(get(1)).s(ok(1, flags=END)).c(data(0, b"x"))
    ignored = label(talk)
    assert (ignored.connection.outcome, ignored.connection.divergence.saw) == ("diverged", "Violation")
    assert ignored.connection.divergence.packet == 6
    answered = label(talk.s(goaway(1, 1)).close())
    assert (answered.connection.flow, answered.connection.differs) == (
        "http2/prior-knowledge", ["the server ends it with an error"],
    )  # fmt: skip
    assert len(faults_of(talk.dissector)) == 1


def test_a_malformed_response_diverges_though_the_exchange_is_complete():
    talk = Talk().c(get(1)).s(ok(1, ("content-length", "5")), data(1, b"abc", END)).close()
    (one,) = label(talk).exchanges
    assert (one.verdict.outcome, one.verdict.divergence.saw) == ("diverged", "Violation")
    assert one.verdict.divergence.nearest == "http2-stream/exchange"
    assert one.verdict.divergence.edits == ["server Violation at packet 5 is not in this flow"]


def test_a_request_captured_after_its_response():
    talk = Talk().s(ok(1), data(1, b"x", END)).c(get(1)).close()
    (one,) = label(talk).exchanges
    assert one.verdict.flow == "http2-stream/exchange"
    assert [step.packet for step in one.verdict.steps] == [5, 4, 4, 4, 5]


def test_a_connection_captured_from_its_middle():
    talk = Talk(begun=False, midstream=True)
    talk.c(get(5), ping(), get(7), get(9)).s(
        ping(1), ok(7, flags=END), ok(3, flags=END), ok(9, flags=END), ok(5)
    ).close()
    http = label(talk, lost="mid-stream")
    assert (http.connection.outcome, http.connection.cause) == ("unseen", "mid-stream")
    assert flows(http) == {5: None, 7: "exchange", 9: "exchange", 3: None}
    assert {one.verdict.cause for one in http.exchanges if one.verdict.flow is None} == {"mid-stream"}


def test_a_connection_not_used_before_the_capture_began():
    talk = Talk(midstream=True).c(get(1)).s(ok(1, flags=END)).close()
    assert label(talk, lost="mid-stream").connection.flow == "http2/prior-knowledge"


def test_requests_that_nobody_can_read():
    talk = Talk().c(frame(1, 5, 1, b"\xfe")).s(goaway(1, 9)).close()
    (one,) = label(talk).exchanges
    assert (one.request, one.response) == (None, None)
    assert one.verdict.flow == "http2-stream/unanswered"


def test_stalls_are_told_in_the_connections_time():
    talk = Talk(client={4: 10}).c(get(1)).s(ok(1), data(1, b"0123456789")).c(update(1, 10)).s(data(1, b"0", END))
    (stall,) = label(talk.close()).stalls
    assert stall == model.Stall(1, "server", 50 - START, 10, 6)


def test_exchanges_above_goaways_last_stream():
    talk = Talk().c(get(1), get(3)).s(goaway(1), ok(1, flags=END))
    http = label(talk, ended=False)
    assert [one.verdict.outcome for one in http.exchanges] == ["documented", "variant"]
    assert http.exchanges[1].verdict.branches == ["GOAWAY says that it was not processed"]


def test_many_streams_are_listed_up_to_a_limit_and_judged_once():
    talk = Talk()
    for stream in range(1, 2 * MOST_EXCHANGES + 11, 2):
        talk.c(get(stream, "/a" if stream % 4 == 1 else "/b")).s(ok(stream), data(stream, b"x", END))
    labeler = Http2Labeler(LIBRARY)
    http, _ = labeler.label(talk.close().dissector, Circumstances(START, None, True, False))
    assert (len(http.exchanges), http.exchanges_not_listed) == (MOST_EXCHANGES, 5)
    assert {one.verdict.flow for one in http.exchanges} == {"http2-stream/exchange"}
    assert len(labeler._streams._shapes) == 1
    assert {one.verdict.steps[-1].packet for one in http.exchanges} == set(range(5, 5 + 2 * MOST_EXCHANGES, 2))


def test_nothing_was_said():
    http = label(Talk(begun=False))
    assert (http.connection.outcome, http.connection.cause, http.exchanges) == ("incomplete", "connection-ended", [])
    assert label(Talk(begun=False), lost="snaplen").connection.cause == "snaplen"


PIECES = [
    get(1), get(3, "/b"), post(1), post(5), ok(1), ok(3, flags=END), ok(1, status="103"), data(1, b"x"),
    data(3, b"x", END), data(0, b"x"), headers(1, ("x", "1"), flags=END), promise(1, 2, "/p"), ok(2, flags=END),
    rst(1, 7), rst(3, 0), goaway(1), goaway(1, 1), settings_frame({4: 10}), SETTINGS_ACK, ping(), update(0, 0),
    frame(1, 5, 7, b"\xfe"), b"junk" * 5,
]  # fmt: skip


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(PIECES))), st.booleans(), st.sampled_from(["fin", "rst", "end"])
)
def test_any_conversation_can_be_told(turns, midstream, how):
    talk = Talk(begun=not midstream, midstream=midstream)
    for server, piece in turns:
        (talk.s if server else talk.c)(piece)
    talk.close(how)
    for lost in (None, "mid-stream" if midstream else "lost-in-capture"):
        http = label(talk, lost=lost)
        afresh, _ = Http2Labeler(LIBRARY).label(talk.dissector, Circumstances(START, lost, True, False))
        assert http == afresh  # what the labeller of all tests remembers is what is worked out afresh
        assert msgspec.json.decode(msgspec.json.encode(http), type=model.Http) == http
        for verdict in (http.connection, *(one.verdict for one in http.exchanges)):
            assert (verdict.divergence is not None) == (verdict.outcome == "diverged")
            assert not lost or verdict.outcome != "diverged" or (lost == "mid-stream" and talk.dissector.lost is None)


# The whole life.

PARTS = {
    "O": ("tcp-open", "tcp-open/three-way-handshake"),
    "T": ("tls", "tls/1.2-rsa"),
    "T+": ("tls", "tls/1.3-full"),
    "R": ("tls", "tls/1.2-renegotiation"),
    "U": ("http1", "http1/upgrade-h2c"),
    "H": ("http2", "http2/over-tls"),
    "P": ("http2", "http2/prior-knowledge"),
    "H+": ("http2", "http2/upgraded"),
    "C": ("tcp-close", "tcp-close/four-way"),
}


def life(text: str, exchanges: int | None = None, unread: str | None = None, **http: object) -> model.Verdict:
    parts = []
    for packet, letter in enumerate(text.split(), 1):
        scope, flow = PARTS[letter]
        steps = [model.Step("client", "x", packet, packet, packet)]
        more = http if scope == "http2" else {}
        parts.append((scope, model.Verdict(**{"flow": flow, "outcome": "documented", "steps": steps} | more)))
    return LIFE.label(parts, exchanges, unread=unread)


def test_a_life_as_drawn():
    found = life("O T H C", 2)
    assert (found.flow, found.outcome, found.drawn_in_article) == ("lifecycle/http2-connection", "documented", "F5")
    assert found.differs == []
    assert [step.step for step in found.steps] == ["ref tcp-open", "ref tls", "ref http2", "ref tcp-close"]


@pytest.mark.parametrize(
    ("text", "exchanges", "differs"),
    [
        ("O T H C", 8, ["eight streams, drawn: two"]),
        ("O T H C", 1, ["one stream, drawn: two"]),
        ("O T H C", 0, ["no streams, drawn: two"]),
        ("O T+ H C", 2, ["TLS 1.3 handshake, drawn: TLS 1.2 handshake with RSA key exchange"]),
        ("O P C", 2, ["without TLS"]),
        ("O P C", 31, ["without TLS", "31 streams, drawn: two"]),
        ("O U H+ C", 2, ["without TLS", "upgraded from HTTP/1.1"]),
        ("O T R H C", 2, ["negotiated anew", "TLS 1.2 handshake on a connection already encrypted, drawn: TLS 1.2 "
                                             "handshake with RSA key exchange"]),
    ],
)  # fmt: skip
def test_lives_that_differ(text, exchanges, differs):
    found = life(text, exchanges)
    assert (found.flow, found.outcome, found.differs) == ("lifecycle/http2-connection", "variant", differs)


def test_what_differs_in_http2_differs_in_the_life():
    found = life("O T H C", 2, outcome="variant", differs=["no GOAWAY"])
    assert (found.outcome, found.differs) == ("variant", ["no GOAWAY"])


def test_a_life_is_no_better_known_than_its_http2():
    divergence = model.Divergence(3, "client", "Violation", [], None, [])
    diverged = life("O T H C", 2, flow=None, outcome="diverged", divergence=divergence)
    assert (diverged.flow, diverged.outcome, diverged.divergence) == (None, "diverged", divergence)
    going_on = life("O T H", 2, flow=None, outcome="incomplete", cause="open-at-end")
    assert (going_on.flow, going_on.outcome) == ("lifecycle/http2-connection", "incomplete")


def test_http2_that_nobody_could_read():
    named = life("O T+ C", unread="http2")
    assert (named.flow, named.outcome) == ("lifecycle/http2-connection", "variant")
    assert named.differs[-1] == "the exchanges could not be read"
    assert [step.step for step in named.steps] == ["ref tcp-open", "ref tls", "ref tcp-close"]
    assert life("O T+ C", unread=HIDDEN).cause == "no-keys"


def test_faults_not_listed_are_counted():
    dissector = Dissector()
    dissector.faults = [model.Fault(4, "http2", "a")]
    dissector.faults_beyond = 7
    assert faults_of(dissector)[-1] == model.Fault(4, "http2", "7 further faults are not listed")
