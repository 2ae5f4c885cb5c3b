"""How frames are cut out of the bytes: headers, padding, sizes, loss; and how HTTP/2 is recognised."""

from __future__ import annotations

import pytest

from analyzer.dissector.http2 import lifecycles
from analyzer.dissector.http2.connection import CLIENT, SERVER, probe
from analyzer.dissector.probing import Probe
from analyzer.dissector.registries import name
from tests.dissector.http2_talk import (
    END,
    PREFACE,
    SETTINGS_ACK,
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
    ping,
    post,
    settings,
    steps,
    update,
)


def test_names():
    assert name("http2-frame-types", 16) == "PRIORITY_UPDATE"
    assert name("http2-settings", 3) == "MAX_CONCURRENT_STREAMS"
    assert name("http2-error-codes", 7) == "REFUSED_STREAM"
    assert name("http2-error-codes", 0xDEADBEEF) == "0xdeadbeef"


def test_the_beginning_of_a_connection():
    talk = Talk(client={3: 100, 4: 1 << 20}, server={3: 128})
    assert steps(talk) == ["C Preface", "C SETTINGS", "S SETTINGS", "S SETTINGS ACK", "C SETTINGS ACK"]
    assert talk.dissector.settings == (
        {"MAX_CONCURRENT_STREAMS": 100, "INITIAL_WINDOW_SIZE": 1 << 20},
        {"MAX_CONCURRENT_STREAMS": 128},
    )
    assert talk.dissector.version == "HTTP/2"
    assert faults(talk) == []


def test_frames_are_counted_by_type():
    talk = Talk().c(get(1), frame(0xBE, 7, 3, b"grease")).s(ok(1), data(1, b"x", END), frame(10, 0, 1, b"\0\0"))
    assert talk.dissector.frames == {"SETTINGS": 4, "HEADERS": 2, "0xbe": 1, "DATA": 1, "ALTSVC": 1}
    assert talk.dissector.frame_counts[CLIENT] == {"SETTINGS": 2, "HEADERS": 1, "0xbe": 1}
    assert faults(talk) == []


def test_padding_is_no_content():
    talk = Talk().c(post(1)).c(data(1, b"hello", padding=200), data(1, b"", END, padding=0)).s(ok(1, flags=END))
    assert brief(talk) == ["1 POST / +5 -> 200"]
    talk.c(headers(3, (":method", "GET"), (":scheme", "http"), (":path", "/p"), flags=END, padding=9)).s(
        ok(3, flags=END)
    )
    assert brief(talk)[1] == "3 GET /p -> 200"
    assert faults(talk) == []


def test_priority_in_headers_is_no_part_of_the_block():
    talk = Talk()
    block = talk.encoders[CLIENT].encode([(":method", "GET"), (":scheme", "http"), (":path", "/")])
    talk.c(frame(1, 32 | 5, 1, number(0x80000000) + b"\x10" + block)).s(ok(1, flags=END))
    assert brief(talk) == ["1 GET / -> 200"]
    assert talk.exchange(1).request.header_bytes_on_wire == len(block)
    assert faults(talk) == []


def test_the_reserved_bit_of_a_stream_means_nothing():
    talk = Talk()
    block = talk.encoders[CLIENT].encode([(":method", "GET"), (":scheme", "http"), (":path", "/")])
    assert brief(talk.c(frame(1, 5, 0x80000001, block))) == ["1 GET / -> ?"]


@pytest.mark.parametrize(("wrong", "said"), [
    (frame(0, 8, 1, b"\x05abc"), "padding in a frame of 4: PROTOCOL_ERROR (RFC 9113 §6.1)"),
    (frame(0, 8, 1), "padded DATA without a pad length: FRAME_SIZE_ERROR (RFC 9113 §4.2, §6.1)"),
    (frame(0, 0, 0, b"x"), "DATA on stream 0: PROTOCOL_ERROR (RFC 9113 §6.1)"),
    (frame(1, 5, 0, b""), "HEADERS on stream 0: PROTOCOL_ERROR (RFC 9113 §6.2)"),
    (frame(2, 0, 1, b"1234"), "PRIORITY of 4 bytes: FRAME_SIZE_ERROR (RFC 9113 §6.3)"),
    (frame(3, 0, 1, b"12345"), "RST_STREAM of 5 bytes: FRAME_SIZE_ERROR (RFC 9113 §6.4)"),
    (frame(4, 0, 1), "SETTINGS on stream 1: PROTOCOL_ERROR (RFC 9113 §6.5)"),
    (frame(4, 0, 0, b"12345"), "SETTINGS of 5 bytes, which is no multiple of six: FRAME_SIZE_ERROR (RFC 9113 §6.5)"),
    (frame(4, 1, 0, b"123456"), "SETTINGS ACK of 6 bytes: FRAME_SIZE_ERROR (RFC 9113 §6.5)"),
    (settings({2: 2}), "ENABLE_PUSH of 2: PROTOCOL_ERROR (RFC 9113 §6.5.2)"),
    (settings({4: 1 << 31}), "INITIAL_WINDOW_SIZE of 2147483648: FLOW_CONTROL_ERROR (RFC 9113 §6.5.2)"),
    (settings({5: 1000}), "MAX_FRAME_SIZE of 1000: PROTOCOL_ERROR (RFC 9113 §6.5.2)"),
    (settings({8: 2}), "ENABLE_CONNECT_PROTOCOL of 2: PROTOCOL_ERROR (RFC 8441 §3)"),
    (frame(6, 0, 0, b"1234"), "PING of 4 bytes: FRAME_SIZE_ERROR (RFC 9113 §6.7)"),
    (frame(6, 0, 3, b"12345678"), "PING on stream 3: PROTOCOL_ERROR (RFC 9113 §6.7)"),
    (frame(7, 0, 0, b"1234"), "GOAWAY of 4 bytes: FRAME_SIZE_ERROR (RFC 9113 §6.8)"),
    (update(0, 0), "WINDOW_UPDATE by 0: PROTOCOL_ERROR (RFC 9113 §6.9)"),
    (update(0, 0x7FFFFFFF), "window of more than 2147483647 bytes: FLOW_CONTROL_ERROR (RFC 9113 §6.9.1)"),
    (frame(8, 0, 0, b"123"), "WINDOW_UPDATE of 3 bytes: FRAME_SIZE_ERROR (RFC 9113 §6.9)"),
    (frame(9, 4, 1, b""), "CONTINUATION of no field block: PROTOCOL_ERROR (RFC 9113 §6.10)"),
    (frame(16, 0, 0, b"123"), "PRIORITY_UPDATE of 3 bytes: FRAME_SIZE_ERROR (RFC 9218 §7.1)"),
    (data(1, bytes(16_385)), "DATA of 16385 bytes, 16384 are allowed: FRAME_SIZE_ERROR (RFC 9113 §4.2)"),
])  # fmt: skip
def test_what_a_frame_must_not_be(wrong, said):
    talk = Talk().c(post(1)).c(wrong)
    assert said in only_fault(talk)
    # The connection is followed all the same.
    talk.c(data(1, b"", END)).s(ok(1, flags=END))
    assert brief(talk)[-1].endswith("-> 200")


def test_a_larger_frame_may_be_sent_once_its_receiver_has_said_so():
    talk = Talk(server={5: 20_000}).c(post(1), data(1, bytes(20_000), END)).s(ok(1, flags=END))
    assert brief(talk) == ["1 POST / +20000 -> 200"]
    assert faults(talk) == []


def test_the_first_frame_is_settings():
    talk = Talk(begun=False).c(PREFACE, get(1), settings())
    assert only_fault(talk) == "HEADERS before SETTINGS: PROTOCOL_ERROR (RFC 9113 §3.4)"


def test_no_preface():
    talk = Talk(begun=False).c(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", settings(), get(1), ping()).close()
    assert faults(talk)[0] == "the client does not begin with the connection preface: PROTOCOL_ERROR (RFC 9113 §3.4)"
    assert brief(talk) == ["1 GET / -> ?…"] or brief(talk) == ["1 GET / -> ?"]


# CONTINUATION


def test_a_block_in_several_frames():
    talk = Talk().c(get(1, "/first")).s(ok(1, ("x", "y" * 50), flags=END))
    talk.c(headers(3, (":method", "GET"), (":scheme", "http"), (":path", "/" + "x" * 90), flags=END, parts=4))
    assert talk.exchange(3).request.target == "/" + "x" * 90
    assert talk.dissector.frames["CONTINUATION"] == 3
    assert steps(talk, 3) == ["C HEADERS", "C END_STREAM"]
    assert faults(talk) == []


def test_a_block_must_not_be_interrupted():
    talk = Talk().c(get(1, "/x", ("a", "b")), frame(1, 1, 3, b"\x82"), ping(), frame(9, 4, 3, b"\x87"))
    assert faults(talk) == [
        "PING of stream 0 inside the field block of stream 3: PROTOCOL_ERROR (RFC 9113 §6.10)",
        "CONTINUATION of no field block: PROTOCOL_ERROR (RFC 9113 §6.10)",
    ]
    assert brief(talk) == ["1 GET /x -> ?"]
    assert talk.dissector.fields_lost == "a field block that does not end"


# Loss


def test_a_gap_inside_data_is_counted():
    talk = Talk().c(get(1)).s(ok(1), frame(0, END, 1, bytes(100))[:30]).gap(SERVER, 50).s(bytes(29))
    assert brief(talk) == ["1 GET / -> 200 +100"]
    assert talk.exchange(1).response.body_lost == 50
    assert talk.dissector.lost is None
    assert faults(talk) == []


def test_after_a_gap_the_next_frames_are_found():
    talk = Talk().c(get(1), get(3), get(5))
    talk.s(ok(1), data(1, b"hello", END))
    missed = talk.unseen(SERVER, ok(3, ("etag", "abc")), data(3, b"lost", END))
    talk.gap(SERVER, missed).s(ok(5, ("x-new", "1")), data(5, b"abc"), data(5, b"def", END)).close()
    assert brief(talk) == ["1 GET / -> 200 +5", "3 GET / -> ?", "5 GET / -> 200 +6"]
    assert talk.dissector.lost == "lost-in-capture"
    assert faults(talk) == []


def test_a_gap_that_is_longer_than_it_says():
    """What could not be decrypted has an unknown length."""
    talk = Talk().c(get(1)).s(ok(1), frame(0, 0, 1, bytes(100))[:50]).gap(SERVER, 59, "undecrypted")
    talk.s(b"\xff" * 77, data(1, b"abc"), update(0, 10), data(1, b"", END)).close()
    assert talk.exchange(1).response.complete
    assert talk.dissector.lost == "undecrypted"


def test_fields_after_a_loss_are_known_as_far_as_they_can_be():
    talk = Talk().c(get(1, "/known", ("x-token", "abc")))
    lost = talk.unseen(CLIENT, get(3, "/missed"))
    talk.gap(CLIENT, lost).c(get(5, "/known"), get(7, "/new"), get(9, "/new"), ping())
    assert talk.exchange(5).request.method == "GET"  # in the static table
    assert talk.exchange(5).request.target is None  # in the dynamic table
    assert talk.exchange(5).request.fields_unknown == 2
    assert [talk.exchange(stream).request.target for stream in (7, 9)] == ["/new", "/new"]
    assert talk.dissector.fields_lost == "lost-in-capture"
    assert faults(talk) == []


def test_bytes_of_a_header_block_are_missing():
    talk = Talk().c(get(1, "/known"))
    hidden = talk.encoders[CLIENT].encode([(":method", "GET"), (":path", "/hidden")])
    whole = frame(1, 5, 3, hidden)
    talk.c(whole[:12]).gap(CLIENT, 3).c(whole[15:], get(5, "/new")).s(ok(3, flags=END))
    assert brief(talk) == ["1 GET /known -> ?", "3 ? ? -> 200", "5 GET /new -> ?"]
    assert only_fault(talk) == "bytes of a field block are missing: lost-in-capture"
    assert talk.dissector.lost is None


def test_the_middle_of_a_connection():
    whole = Talk().c(get(1, "/a", ("x", "y")))
    talk = Talk(begun=False, midstream=True)
    talk.encoders = whole.encoders
    talk.c(b"tail of something", get(3, "/a"), get(5, "/b"), update(0, 5))
    talk.s(ok(1), data(1, b"abc"), data(1, b"de", END), ok(3, flags=END)).close()
    assert brief(talk) == ["3 GET ? -> 200", "5 GET /b -> ?", "1 ? -> 200 +5"]
    assert talk.dissector.lost == talk.dissector.fields_lost == "mid-stream"
    assert "17 bytes skipped before this frame" in only_fault(talk)


def in_turn(talk: Talk, *streams: int) -> Talk:
    """Requests that are answered one after the other."""
    for stream in streams:
        talk.c(get(stream, f"/{stream}")).s(ok(stream), data(stream, b"abc", END))
    return talk


def test_requests_are_found_after_their_answers():
    """One side needs more packets than the other until its frames are found."""
    whole = in_turn(Talk(), 1)
    talk = Talk(begun=False, midstream=True)
    talk.encoders = whole.encoders
    in_turn(talk, 3, 5, 7, 9).close()
    assert brief(talk) == [f"{stream} GET /{stream} -> 200 +3" for stream in (3, 5, 7, 9)]
    packets = [(one.request.packet, one.response.packet) for one in talk.exchanges]
    assert packets == [(1, 2), (3, 4), (5, 6), (7, 8)]
    assert [(one.started_ns, one.finished_ns) for one in talk.exchanges] == [(10, 20), (30, 40), (50, 60), (70, 80)]
    assert (talk.dissector.max_concurrent, talk.dissector.head_of_line) == (1, [])
    assert faults(talk) == []


def test_a_request_that_was_lost_stays_unknown_when_later_ones_are_found():
    talk = in_turn(Talk(), 1)
    missed = talk.unseen(CLIENT, get(3, "/3", ("x-later", "1")))
    talk.s(ok(3), data(3, b"abc", END)).gap(CLIENT, missed)
    in_turn(talk, 5, 7, 9).close()
    assert brief(talk) == ["1 GET /1 -> 200 +3", "3 ? -> 200 +3"] + [f"{n} GET /{n} -> 200 +3" for n in (5, 7, 9)]
    assert [one.request and one.request.authority for one in talk.exchanges[1:]] == [None] * 4
    assert talk.dissector.max_concurrent == 1
    assert len(talk.dissector._streams) == 0


def test_answers_whose_requests_never_come_are_not_kept_open():
    talk = Talk(begun=False, midstream=True)
    for stream in range(1, 2 * lifecycles.MOST_REMEMBERED + 201, 2):
        talk.s(ok(stream), data(stream, b"abc", END))
    assert len(talk.dissector._streams) == lifecycles.MOST_REMEMBERED
    assert talk.dissector.max_concurrent == 1
    assert all(exchange.response.complete for exchange in talk.close().exchanges)


def test_what_shows_a_gap_may_be_captured_after_what_follows_it():
    talk = Talk().c(get(1, "/1"))
    missed = talk.unseen(CLIENT, frame(2, 0, 1, bytes(5)))
    dissector = talk.dissector
    dissector.gap(CLIENT, missed, "lost-in-capture", 9)
    dissector.feed(CLIENT, get(3, "/3")(talk.encoders[CLIENT]) + ping() + ping(), 70, 7)
    dissector.close(CLIENT, "end", 90, 9)
    assert (talk.exchange(3).request.packet, talk.exchange(3).started_ns) == (7, 70)
    assert dissector.head_of_line == []


def test_a_connection_that_was_open_and_unused_when_the_capture_began():
    talk = Talk(midstream=True).c(get(1)).s(ok(1, flags=END))
    assert steps(talk)[:3] == ["C Preface", "C SETTINGS", "S SETTINGS"]
    assert talk.dissector.lost is None
    assert brief(talk) == ["1 GET / -> 200"]


def test_the_last_frame_is_found_because_it_ends_where_the_bytes_do():
    talk = Talk().gap(SERVER, 100).s(goaway(0)).close()
    assert steps(talk)[-1] == "S GOAWAY"
    assert faults(talk) == []


def test_garbage_to_the_end():
    talk = Talk().gap(SERVER, 100).s(b"\xff" * 99).close()
    assert only_fault(talk) == "99 bytes skipped up to the end"


def test_the_connection_ends_inside_a_frame():
    talk = Talk().c(get(1)).s(ok(1), frame(0, END, 1, bytes(100))[:30]).close()
    assert only_fault(talk) == "the connection ended inside a frame, 79 bytes before its end (RFC 9113 §4.1)"
    assert brief(talk) == ["1 GET / -> 200 +21…"]
    assert talk.exchange(1).response.cut == "fin"


def test_content_need_not_be_fed():
    talk = Talk().c(get(1)).s(ok(1), frame(0, END | 8, 1, b"\x05" + bytes(100))[:12])
    dissector = talk.dissector
    assert dissector.skippable(SERVER) == 98
    dissector.skip(SERVER, 98, 70, 7)
    assert brief(talk) == ["1 GET / -> 200 +95"]
    assert dissector.skippable(SERVER) == 0
    assert dissector.skippable(CLIENT) == 0


# Recognition


@pytest.mark.parametrize(("side", "first", "answer"), [
    (CLIENT, PREFACE, Probe.MATCH),
    (CLIENT, PREFACE[:10], Probe.NEED_MORE),
    (CLIENT, b"PRI * HTTP/1.1\r\n", Probe.NO_MATCH),
    (CLIENT, settings({3: 100}), Probe.NO_MATCH),
    (SERVER, settings({3: 100}), Probe.MATCH),
    (SERVER, settings({3: 100})[:12], Probe.NEED_MORE),
    (SERVER, settings(), Probe.NEED_MORE),
    (SERVER, settings() + SETTINGS_ACK, Probe.MATCH),
    (SERVER, settings() + b"something else", Probe.NO_MATCH),
    (SERVER, settings({0: 1}), Probe.NO_MATCH),
    (SERVER, b"\0\0\0\4" + bytes(20), Probe.NO_MATCH),
    (SERVER, b"HTTP/1.1 200 OK\r\n", Probe.NO_MATCH),
    (SERVER, bytes(100), Probe.NO_MATCH),
])  # fmt: skip
def test_probe(side, first, answer):
    assert probe(side, first) is answer


def test_probe_anywhere():
    chain = data(1, b"x" * 40) + data(3, b"y" * 40) + update(0, 100)
    assert probe(SERVER, b"garbage" + chain, anywhere=True) is Probe.MATCH
    assert probe(SERVER, b"garbage" + chain[:-10], anywhere=True) is Probe.NEED_MORE
    assert probe(SERVER, bytes(1000), anywhere=True) is Probe.NEED_MORE
    assert probe(CLIENT, PREFACE, anywhere=True) is Probe.MATCH
