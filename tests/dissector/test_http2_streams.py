"""Streams: requests, responses, what closes them, and what must not happen to them."""

from __future__ import annotations

import pytest

from analyzer.dissector.http2 import STREAM_STEPS
from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.connection import CLIENT, SERVER
from tests.dissector.http2_talk import (
    END,
    Talk,
    brief,
    data,
    faults,
    frame,
    get,
    goaway,
    headers,
    number,
    ok,
    only_fault,
    post,
    promise,
    rst,
    steps,
    update,
)


def test_a_request_and_its_response():
    talk = Talk().c(get(1, "/a?b=c")).s(ok(1, ("content-length", "5")), data(1, b"hello", END))
    exchange = talk.exchange(1)
    assert brief(talk) == ["1 GET /a?b=c -> 200 +5"]
    request = exchange.request
    assert (request.method, request.target, request.authority, request.scheme) == ("GET", "/a?b=c", "a.test", "http")
    assert request.header_bytes == len(":method: GET||:scheme: http||:authority: a.test||:path: /a?b=c||")
    assert 0 < request.header_bytes_on_wire < 20
    assert (request.packet, exchange.response.packet, exchange.response.last_packet) == (4, 5, 5)
    assert (exchange.started_ns, exchange.first_byte_ns, exchange.finished_ns) == (40, 50, 50)
    assert steps(talk, 1) == ["C HEADERS", "C END_STREAM", "S HEADERS", "S DATA", "S END_STREAM"]
    assert steps(talk)[5:] == ["C HEADERS"]
    assert faults(talk) == []


def test_a_request_with_a_body():
    talk = Talk().c(post(1, "/up", ("content-length", "6")), data(1, b"abc"), data(1, b"def")).c(data(1, b"", END))
    talk.s(ok(1, status="204", flags=END))
    assert brief(talk) == ["1 POST /up +6 -> 204"]
    assert steps(talk, 1) == ["C HEADERS", "C DATA", "C END_STREAM", "S HEADERS", "S END_STREAM"]
    run = talk.exchange(1).events[1]
    assert (run.times, run.length, run.packet, run.last_packet) == (3, 6, 4, 5)


def test_the_first_request_only_is_a_step_of_the_connection():
    talk = Talk().c(get(1, "/a")).s(ok(1, flags=END)).c(get(3, "/b"))
    assert steps(talk).count("C HEADERS") == 1
    assert talk.dissector.events[-1].target == "/a"


def test_interim_responses_and_trailers():
    talk = Talk(keep_fields=True).c(post(1), data(1, b"x"), headers(1, ("x-sum", "1"), flags=END))
    talk.s(ok(1, status="100")).s(ok(1, status="103")).s(ok(1), data(1, b"y"), headers(1, ("x-end", "2"), flags=END))
    assert brief(talk) == ["1 POST / +1 -> 100 103 200 +1"]
    assert steps(talk, 1) == [
        "C HEADERS", "C DATA", "C Trailers", "C END_STREAM", "S Interim HEADERS", "S Interim HEADERS", "S HEADERS",
        "S DATA", "S Trailers", "S END_STREAM",
    ]  # fmt: skip
    exchange = talk.exchange(1)
    assert exchange.request.trailers == [("x-sum", "1")]
    assert exchange.response.fields == [(":status", "200"), ("x-end", "2")]
    assert exchange.response.trailer_bytes == len("x-end: 2||")
    assert [event.status for event in exchange.events if event.side == "server"] == [100, 103, 200, None, None, 200]
    assert faults(talk) == []


def test_fields_are_kept_only_if_asked_for():
    talk = Talk().c(get(1)).s(ok(1, flags=END))
    assert talk.exchange(1).request.fields == talk.exchange(1).response.fields == []


def test_the_host_stands_in_for_the_authority():
    talk = Talk().c(headers(1, (":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "b.test"), flags=END))
    assert talk.exchange(1).request.authority == "b.test"


# Push


def test_a_pushed_response():
    talk = Talk().c(get(1, "/page")).s(promise(1, 2, "/style.css"), ok(1), data(1, b"page", END))
    talk.s(ok(2), data(2, b"css", END))
    assert brief(talk) == ["1 GET /page -> 200 +4", "2 GET /style.css -> 200 +3"]
    pushed = talk.exchange(2)
    assert (pushed.pushed, pushed.promised_on) == (True, 1)
    assert steps(talk, 2) == ["S PUSH_PROMISE", "S HEADERS", "S DATA", "S END_STREAM"]
    assert steps(talk, 1) == ["C HEADERS", "C END_STREAM", "S HEADERS", "S DATA", "S END_STREAM"]
    assert pushed.events[0].target == "/style.css"
    assert faults(talk) == []


def test_a_push_that_the_client_refuses():
    talk = Talk().c(get(1)).s(promise(1, 2, "/x")).c(rst(2, 8))
    assert steps(talk, 2) == ["S PUSH_PROMISE", "C RST_STREAM"]
    assert (talk.exchange(2).closed_by_reset, talk.exchange(2).error) == ("client", "CANCEL")
    assert faults(talk) == []


@pytest.mark.parametrize(("pushes", "said"), [
    ([promise(1, 3, "/x")], "stream 1: stream 3 is promised, which is no new one of the server: PROTOCOL_ERROR"),
    ([promise(3, 2, "/x")], "stream 3: PUSH_PROMISE on a stream that is idle: PROTOCOL_ERROR (RFC 9113 §5.1)"),
    ([promise(1, 4, "/x"), promise(1, 2, "/y")], "stream 1: stream 2 is promised, which is no new one of the server"),
    ([promise(1, 2, "/x", "POST")], "stream 2: POST is promised, which is not safe: PROTOCOL_ERROR (RFC 9113 §8.4)"),
])  # fmt: skip
def test_what_must_not_be_promised(pushes, said):
    talk = Talk().c(get(1)).s(*pushes).close()
    assert only_fault(talk).startswith(said)


def test_a_client_promises_nothing():
    talk = Talk().c(post(1), promise(1, 2, "/x"))
    assert only_fault(talk) == "stream 1: PUSH_PROMISE on a stream that is open: PROTOCOL_ERROR (RFC 9113 §5.1)"


def test_push_was_disabled():
    talk = Talk(client={2: 0}).c(get(1)).s(promise(1, 2, "/x"))
    said = "stream 1: PUSH_PROMISE though the client has disabled push: PROTOCOL_ERROR (RFC 9113 §6.6)"
    assert only_fault(talk) == said


# Resets and GOAWAY


@pytest.mark.parametrize(("code", "error"), [(0, "NO_ERROR"), (7, "REFUSED_STREAM"), (8, "CANCEL"), (99, "0x63")])
def test_a_reset(code, error):
    talk = Talk().c(post(1), data(1, b"abc")).s(rst(1, code))
    exchange = talk.exchange(1)
    assert (exchange.closed_by_reset, exchange.error, exchange.request.cut) == ("server", error, "RST_STREAM")
    assert exchange.events[-1].error == error
    assert steps(talk, 1) == ["C HEADERS", "C DATA", "S RST_STREAM"]
    # What was on its way is no fault, and no step.
    talk.c(data(1, b"def", END))
    assert steps(talk, 1) == ["C HEADERS", "C DATA", "S RST_STREAM"]
    assert talk.dissector.frames_after_close == 1
    assert faults(talk) == []


def test_a_graceful_close_in_two_steps():
    talk = Talk().c(get(1)).s(goaway(0x7FFFFFFF)).c(get(3)).s(goaway(1, debug=b"bye\n"), ok(1, flags=END))
    assert [(found.side, found.error, found.last_stream) for found in talk.dissector.goaways] == [
        ("server", "NO_ERROR", 0x7FFFFFFF), ("server", "NO_ERROR", 1),
    ]  # fmt: skip
    assert talk.dissector.goaways[1].debug == "bye\\x0a"
    assert [exchange.above_goaway for exchange in talk.exchanges] == [False, True]
    assert talk.dissector.events[-1].last_stream == 1
    talk.c(get(5))
    assert talk.exchange(5).above_goaway
    assert faults(talk) == []


def test_goaway_never_takes_more():
    talk = Talk().s(goaway(1)).s(goaway(3, 1))
    said = "GOAWAY with last stream 3 after one with 1: PROTOCOL_ERROR (RFC 9113 §6.8)"
    assert only_fault(talk) == said
    assert talk.dissector.goaways[1].error == "PROTOCOL_ERROR"


# CONNECT, gRPC


def test_a_tunnel():
    talk = Talk().c(headers(1, (":method", "CONNECT"), (":authority", "b.test:443")))
    talk.s(ok(1)).c(data(1, b"abc")).s(data(1, b"defg")).c(data(1, b"", END)).s(data(1, b"", END))
    assert brief(talk) == ["1 CONNECT b.test:443 +3 -> 200 +4"]
    assert faults(talk) == []


def websocket(stream: int):
    return headers(
        stream, (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat"),
        (":authority", "a.test"),
    )  # fmt: skip


def test_extended_connect():
    talk = Talk(server={8: 1}).c(websocket(1)).s(ok(1), data(1, b"\x81\x02ok"))
    request = talk.exchange(1).request
    assert (request.method, request.target, request.protocol) == ("CONNECT", "/chat", "websocket")
    assert talk.exchange(1).events[0].protocol == "websocket"
    assert faults(talk) == []


def test_extended_connect_that_the_server_has_not_enabled():
    talk = Talk().c(websocket(1))
    said = "stream 1: :protocol though the server has not enabled it: PROTOCOL_ERROR (RFC 8441 §4)"
    assert only_fault(talk) == said


GRPC = ("content-type", "application/grpc+proto")


def message(length: int) -> bytes:
    return b"\0" + number(length) + b"m" * length


def test_a_grpc_call():
    talk = Talk().c(post(1, "/pkg.Svc/Do", GRPC), data(1, message(4) + message(0) + message(9)[:3]))
    talk.c(data(1, message(9)[3:], END))
    talk.s(ok(1, GRPC), data(1, message(3)), headers(1, ("grpc-status", "5"), ("grpc-message", "no"), flags=END))
    call = talk.exchange(1).grpc
    assert (call.status, call.client_messages, call.server_messages) == (5, 3, 1)
    assert talk.exchange(1).events[-2].grpc_status == 5
    assert faults(talk) == []


def test_a_grpc_call_that_fails_at_once():
    talk = Talk().c(post(1, "/s", GRPC), data(1, message(1), END))
    talk.s(ok(1, GRPC, ("grpc-status", "12"), flags=END))
    assert (talk.exchange(1).grpc.status, talk.exchange(1).grpc.server_messages) == (12, 0)


def test_grpc_messages_are_passed_over_up_to_the_next_prefix():
    talk = Talk().c(post(1, "/s", GRPC), frame(0, 0, 1, message(100) + message(50))[:20])
    assert talk.dissector.skippable(CLIENT) == 94
    talk.dissector.skip(CLIENT, 94, 50, 5)
    assert talk.dissector.skippable(CLIENT) == 0


def test_a_lost_prefix_is_not_made_up_for():
    talk = Talk().c(post(1, "/s", GRPC), frame(0, END, 1, message(10) + message(20))[:20]).gap(CLIENT, 20)
    talk.c(message(20)[-9:] + b"").s(ok(1, GRPC, flags=END))
    talk.close()
    assert talk.exchange(1).grpc.client_messages is None


def test_it_is_not_grpc():
    talk = Talk().c(post(1, "/s", ("content-type", "application/grpc-web")), data(1, b"xxxxxxxx", END))
    assert talk.exchange(1).grpc is None


# What must not be


@pytest.mark.parametrize(("fields", "said"), [
    ([("X-Big", "a")], "`X-Big` is not in lower case: PROTOCOL_ERROR (RFC 9113 §8.2.1)"),
    ([("a b", "a")], "`a b` is no field name"),
    ([("", "a")], "`` is no field name"),
    ([("a", " b")], "the value of `a`: PROTOCOL_ERROR (RFC 9113 §8.2.1)"),
    ([("a", "b\nc")], "the value of `a`"),
    ([("connection", "close")], "the field `connection`: PROTOCOL_ERROR (RFC 9113 §8.2.2)"),
    ([("transfer-encoding", "chunked")], "the field `transfer-encoding`"),
    ([("te", "gzip")], "`te` other than trailers"),
    ([("a", "b"), (":method", "GET")], "`:method` after a regular field: PROTOCOL_ERROR (RFC 9113 §8.3)"),
    ([(":path", "/again")], "`:path` twice"),
    ([(":status", "200")], "`:status` in request"),
    ([(":new", "x")], "`:new` in request"),
])  # fmt: skip
def test_malformed_requests(fields, said):
    talk = Talk().c(get(1, "/", *fields))
    assert faults(talk)[0].startswith(f"stream 1: {said}")
    assert "C Violation" in steps(talk, 1)
    assert brief(talk.s(ok(1, flags=END))) == ["1 GET / -> 200"]


def test_te_trailers():
    assert faults(Talk().c(get(1, "/", ("te", "trailers")))) == []


@pytest.mark.parametrize(("fields", "said"), [
    ([(":method", "GET"), (":path", "/")], "a request without :scheme: PROTOCOL_ERROR (RFC 9113 §8.3.1)"),
    ([(":method", "GET"), (":scheme", "http"), (":path", "")], "a request with an empty :path"),
    ([("a", "b")], "a request without :method, :scheme, :path"),
    ([(":method", "CONNECT"), (":scheme", "http"), (":authority", "a:1")], "CONNECT with :scheme or :path"),
    ([(":method", "CONNECT")], "CONNECT without :authority"),
])  # fmt: skip
def test_requests_that_lack_something(fields, said):
    assert only_fault(Talk().c(headers(1, *fields, flags=END))).startswith(f"stream 1: {said}")


@pytest.mark.parametrize(("responses", "said"), [
    ([headers(1, ("a", "b"), flags=END)], "a response without :status: PROTOCOL_ERROR (RFC 9113 §8.3.2)"),
    ([ok(1, status="2OO", flags=END)], "a :status that is not three digits"),
    ([ok(1, status="101")], "status 101, which HTTP/2 does not have: PROTOCOL_ERROR (RFC 9113 §8.6)"),
    ([ok(1, status="103", flags=END)], "an interim response ends the stream: PROTOCOL_ERROR (RFC 9113 §8.1)"),
    ([ok(1), headers(1, ("a", "b"))], "HEADERS after those of the message do not end the stream"),
    ([ok(1), headers(1, (":status", "200"), flags=END)], "`:status` in trailers"),
    ([data(1, b"x", END)], "DATA before the response: PROTOCOL_ERROR (RFC 9113 §8.1)"),
    ([ok(1, ("content-length", "7")), data(1, b"12345", END)], "content-length of 7 and 5 bytes of DATA"),
])  # fmt: skip
def test_malformed_responses(responses, said):
    talk = Talk().c(get(1)).s(*responses)
    assert only_fault(talk).startswith(f"stream 1: {said}")
    assert "S Violation" in steps(talk, 1)


def test_the_length_of_what_is_not_sent():
    length = ("content-length", "100")
    talk = (
        Talk().c(get(1, method="HEAD")).s(ok(1, length, flags=END)).c(get(3)).s(ok(3, length, status="304", flags=END))
    )
    assert faults(talk) == []


@pytest.mark.parametrize(("turns", "said"), [
    ([("c", data(1, b"x"))], "stream 1: DATA on a stream that is idle: PROTOCOL_ERROR (RFC 9113 §5.1)"),
    ([("c", rst(1, 8))], "stream 1: RST_STREAM on a stream that is idle: PROTOCOL_ERROR (RFC 9113 §5.1)"),
    ([("c", update(3, 1))], "stream 3: WINDOW_UPDATE on a stream that is idle"),
    ([("c", get(1)), ("c", data(1, b"x"))], "stream 1: DATA on a stream that is half-closed by the client"),
    ([("c", get(1)), ("c", get(1))], "stream 1: HEADERS on a stream that is half-closed by the client: STREAM_CLOSED"),
    ([("c", get(1)), ("s", ok(1, flags=END)), ("s", data(1, b"x"))], "stream 1: DATA on a stream that is closed"),
    ([("c", get(1)), ("c", rst(1, 8)), ("c", data(1, b"x"))], "stream 1: DATA on a stream that is reset by the client"),
    ([("c", get(3)), ("c", get(1))], "stream 1: HEADERS after stream 3 was opened: PROTOCOL_ERROR (RFC 9113 §5.1.1)"),
    ([("c", get(2))], "stream 2: HEADERS opens stream 2 for the client: PROTOCOL_ERROR (RFC 9113 §5.1.1)"),
    ([("s", ok(2))], "stream 2: HEADERS opens stream 2 for the server"),
    ([("s", ok(1))], "stream 1: a response to no request: PROTOCOL_ERROR (RFC 9113 §5.1)"),
    ([("s", data(1, b"x"))], "stream 1: DATA on a stream that is idle"),
])  # fmt: skip
def test_what_the_states_do_not_allow(turns, said):
    talk = Talk()
    for side, piece in turns:
        getattr(talk, side)(piece)
    talk.close()
    assert only_fault(talk).startswith(said)


def test_a_response_that_was_captured_before_its_request():
    talk = Talk().s(ok(1), data(1, b"abc", END)).c(get(1, "/late")).close()
    assert brief(talk) == ["1 GET /late -> 200 +3"]
    assert faults(talk) == []


def test_more_streams_than_the_server_allows():
    talk = Talk(server={3: 2}).c(get(1), get(3)).c(get(5))
    assert only_fault(talk) == "stream 5: more than 2 streams are open: REFUSED_STREAM (RFC 9113 §5.1.2)"
    talk.s(rst(5, 7), ok(1, flags=END)).c(get(7))
    assert len(faults(talk)) == 1


def test_a_broken_block_ends_what_is_known_of_fields():
    talk = Talk().c(get(1, "/a"), frame(1, 5, 3, b"\xff\xff\xff\xff\xff\xff\xff"), get(5, "/a"), get(7, "/b"))
    assert only_fault(talk).endswith(": COMPRESSION_ERROR (RFC 9113 §4.3)")
    assert [exchange.request.target for exchange in talk.exchanges] == ["/a", None, None, "/b"]


def test_the_dynamic_table_is_no_larger_than_allowed():
    talk = Talk()
    talk.encoders[CLIENT].header_table_size = 8192
    talk.c(get(1, "/a"), get(3, "/a"))
    said = "a dynamic table of 8192 bytes, 4096 are allowed: COMPRESSION_ERROR (RFC 7541 §6.3)"
    assert only_fault(talk) == said
    assert brief(talk) == ["1 GET /a -> ?", "3 GET /a -> ?"]


def test_a_larger_dynamic_table():
    talk = Talk(server={1: 65_536})
    talk.encoders[CLIENT].header_table_size = 65_536
    talk.c(get(1, "/a", ("x", "y" * 5000)), get(3, "/a", ("x", "y" * 5000)))
    assert talk.exchange(3).request.header_bytes_on_wire < 10
    assert faults(talk) == []


def test_data_that_must_not_be_is_counted_all_the_same():
    talk = Talk().c(get(1)).s(ok(1)).c(data(1, b"more")).s(rst(1, 5))
    assert brief(talk) == ["1 GET / +4 -> 200…"]
    assert steps(talk, 1) == ["C HEADERS", "C END_STREAM", "S HEADERS", "C Violation", "S RST_STREAM"]


# The table


def test_every_step_has_its_place_in_the_table():
    steps_of_the_table = {step for _, _, step in states.NEXT}
    assert steps_of_the_table == {"HEADERS", "DATA", "WINDOW_UPDATE", "RST_STREAM", "END_STREAM", "PROMISE", "PROMISES"}
    for (state, _, step), after in states.NEXT.items():
        assert (after in states.OVER) >= (state in states.OVER), "nothing opens again"
        assert step != "RST_STREAM" or after in states.OVER
    assert {step for step in STREAM_STEPS if step in steps_of_the_table} == {
        "HEADERS",
        "DATA",
        "RST_STREAM",
        "END_STREAM",
    }


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_nobody_sends_on_a_stream_that_he_has_ended(side):
    ended = states.CLIENT_ENDED if side == CLIENT else states.SERVER_ENDED
    sends = {step for state, who, step in states.NEXT if (state, who) == (ended, side)}
    assert sends == {"WINDOW_UPDATE", "RST_STREAM"}


# What a message must not say, RFC 9113 §8.3.1, and what its length does not


def request(*fields, method="GET", scheme="https", path="/", authority="a.test"):
    pseudo = ((":method", method), (":scheme", scheme), (":path", path), (":authority", authority))
    return headers(1, *pseudo, *fields, flags=END)


@pytest.mark.parametrize(("said", "fault"), [
    (request(path="a.css"), "a :path that does not begin with a slash"),
    (request(path="*"), "a :path that does not begin with a slash"),
    (request(path=""), "a request with an empty :path"),
    (request(authority="user@a.test"), "an :authority with userinfo"),
    (request(("host", "b.test")), "a host field that differs from :authority"),
    (request(("host", "a.test:8080")), "a host field that differs from :authority"),
])  # fmt: skip
def test_a_target_that_is_malformed(said, fault):
    assert only_fault(Talk().c(said)) == f"stream 1: {fault}: PROTOCOL_ERROR (RFC 9113 §8.3.1)"


@pytest.mark.parametrize("said", [
    request(path="*", method="OPTIONS"), request(("host", "A.test:443")), request(path="a", scheme="coap"),
])  # fmt: skip
def test_a_target_that_is_not(said):
    assert faults(Talk().c(said)) == []


@pytest.mark.parametrize("ask", [
    get(1, method="HEAD"), headers(1, (":method", "CONNECT"), (":authority", "b.test:443")),
])  # fmt: skip
def test_a_length_that_is_not_that_of_the_content(ask):
    """RFC 9110 §8.6, §9.3.2, §9.3.6."""
    assert faults(Talk().c(ask).s(ok(1, ("content-length", "5"), flags=END))) == []
    # Nor is it known to be one before the request is.
    talk = Talk().s(ok(1, ("content-length", "5"), flags=END)).c(ask).close("end")
    assert faults(talk) == []


def test_headers_with_a_priority_are_counted():
    talk = Talk().c(lambda encoder: frame(1, END | 4 | 32, 1, number(0) + b"\x0f" + encoder.encode([
        (":method", "GET"), (":scheme", "http"), (":path", "/")])))  # fmt: skip
    assert (talk.dissector.headers_with_priority, talk.exchange(1).request.target) == (1, "/")
