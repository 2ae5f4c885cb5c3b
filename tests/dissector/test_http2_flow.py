"""Windows and who waited for them; streams at the same time; what TCP held up; settings; upgrades."""

from __future__ import annotations

import pytest

from analyzer.dissector.http2 import lifecycles
from analyzer.dissector.http2.connection import CLIENT, SERVER, Upgraded
from tests.dissector.http2_talk import (
    END,
    SETTINGS_ACK,
    Talk,
    brief,
    data,
    faults,
    frame,
    get,
    number,
    ok,
    only_fault,
    ping,
    post,
    promise,
    rst,
    settings,
    steps,
    update,
)


def stalls(talk):
    return [(stall.stream, stall.side, stall.from_ns, stall.length_ns, stall.packet) for stall in talk.dissector.stalls]


def test_a_server_waits_for_the_stream_s_window():
    talk = Talk(client={4: 10}).c(get(1)).s(ok(1), data(1, b"x" * 10)).c(update(1, 10)).s(data(1, b"y" * 5, END))
    assert stalls(talk) == [(1, "server", 50, 10, 6)]
    assert talk.dissector.flow.stalled_ns == [0, 10]
    assert faults(talk) == []


def test_a_client_waits_for_the_connection_s_window():
    talk = Talk(server={4: 100_000}).c(post(1), *[data(1, bytes(13_107))] * 5)
    talk.s(ping()).s(update(0, 1000)).c(data(1, b"z", END))
    assert stalls(talk) == [(0, "client", 40, 20, 6)]
    assert faults(talk) == []


def test_nobody_waited_if_there_was_nothing_more_to_send():
    talk = Talk(client={4: 10}).c(get(1)).s(ok(1), data(1, b"x" * 10)).c(update(1, 10)).s(data(1, b"", END))
    assert stalls(talk) == []


def test_a_stream_opened_later_did_not_wait():
    talk = Talk(server={4: 1 << 20}).c(post(1), *[data(1, bytes(13_107))] * 4, data(1, bytes(13_107), END))
    talk.s(ok(1, flags=END), update(0, 1000)).c(post(3), data(3, b"x"))
    assert stalls(talk) == []


def test_settings_enlarge_the_windows_of_open_streams():
    talk = Talk(client={4: 0}).c(get(1)).s(ok(1)).c(settings({4: 100})).s(SETTINGS_ACK, data(1, b"abc", END))
    assert stalls(talk) == [(1, "server", 50, 20, 7)]
    assert faults(talk) == []


def test_settings_are_followed_from_the_ack_on():
    """What was on its way when they were sent may use the window as it was."""
    talk = Talk().c(get(1), settings({4: 1})).s(ok(1), data(1, b"abc")).s(SETTINGS_ACK)
    assert faults(talk) == []
    talk.s(data(1, b"d"))
    assert only_fault(talk) == "stream 1: 3 bytes more than the stream's window: FLOW_CONTROL_ERROR (RFC 9113 §6.9.1)"


def test_more_than_the_connection_s_window():
    talk = Talk(client={4: 1 << 20}).c(get(1)).s(ok(1), *[data(1, bytes(16_384))] * 4)
    assert only_fault(talk).startswith("stream 1: 1 bytes more than the connection's window: FLOW_CONTROL_ERROR")


def test_padding_counts():
    talk = Talk(client={4: 10}).c(get(1)).s(ok(1), data(1, b"x" * 5, padding=4)).c(update(1, 1)).s(data(1, b"y", END))
    assert stalls(talk) == [(1, "server", 50, 10, 6)]
    assert faults(talk) == []


def test_windows_are_not_known_after_a_loss():
    talk = Talk(client={4: 10}).gap(0, 100).c(get(1), ping(), ping()).s(ok(1), data(1, b"x" * 100, END))
    assert not talk.dissector.flow.known
    assert faults(talk) == []


# Multiplexing


def overlaps(talk):
    return {each.stream: (each.multiplexed_with, each.interleaved) for each in talk.exchanges}


def test_one_after_the_other():
    talk = Talk().c(get(1)).s(ok(1, flags=END)).c(get(3)).s(ok(3, flags=END))
    assert overlaps(talk) == {1: ([], False), 3: ([], False)}
    assert talk.dissector.max_concurrent == 1
    assert talk.dissector.frame_switches == (1, 1)


def test_at_the_same_time_but_in_turn():
    talk = Talk().c(get(1), get(3)).s(ok(1), data(1, b"x", END)).s(ok(3), data(3, b"x", END))
    assert overlaps(talk) == {1: ([3], False), 3: ([1], False)}
    assert talk.dissector.max_concurrent == 2


def test_interleaved():
    talk = Talk().c(get(1), get(3), get(5))
    talk.s(ok(1), ok(3), data(1, b"x"), data(3, b"x"), data(1, b"x", END), data(3, b"x", END), ok(5, flags=END))
    assert overlaps(talk) == {1: ([3, 5], True), 3: ([1, 5], True), 5: ([1, 3], False)}
    assert talk.dissector.max_concurrent == 3
    assert talk.dissector.frame_switches == (2, 6)


def test_a_response_inside_another_one():
    talk = Talk().c(get(1), get(3), get(5)).s(ok(5, flags=END))
    talk.s(ok(1), data(1, b"x"), ok(3), data(3, b"x", END), data(1, b"x", END))
    assert {stream: found[1] for stream, found in overlaps(talk).items()} == {1: True, 3: True, 5: False}


def test_requests_interleave_too():
    talk = Talk().c(post(1), post(3), data(1, b"x", END), data(3, b"x", END)).s(ok(1, flags=END), ok(3, flags=END))
    assert overlaps(talk) == {1: ([3], True), 3: ([1], True)}


def test_a_promise_counts_from_when_it_is_made():
    talk = Talk().c(get(1)).s(promise(1, 2, "/x"), ok(1, flags=END)).s(ok(2, flags=END))
    assert overlaps(talk) == {1: ([2], False), 2: ([1], False)}


def test_long_lists_are_cut_and_counted():
    talk = Talk().c(*[get(stream) for stream in range(1, 2401, 2)])
    talk.close("end")
    assert talk.dissector.max_concurrent == 1200
    for exchange in (talk.exchange(1), talk.exchange(2399)):
        assert len(exchange.multiplexed_with) == 1000
        assert exchange.multiplexed == 1199


def lose_the_end(talk, stream=1):
    """The end of a response, and frames after it that it takes to find the framing again."""
    gap = talk.unseen(SERVER, data(stream, b"end", END), ping())
    return talk.gap(SERVER, gap).s(ping(), ping(), ping())


def test_a_stream_whose_end_was_missed_is_open_up_to_there():
    talk = Talk().c(get(1), get(3)).s(ok(1), ok(3, flags=END))
    lose_the_end(talk).c(get(5)).s(ok(5, flags=END)).c(get(7)).s(ok(7, flags=END)).close()
    assert overlaps(talk) == {1: ([3], False), 3: ([1], False), 5: ([], False), 7: ([], False)}
    assert [exchange.multiplexed for exchange in talk.exchanges] == [1, 1, 0, 0]
    assert talk.dissector.max_concurrent == 2


def test_it_was_open_all_the_time_if_it_goes_on():
    talk = Talk().c(get(1), get(3)).s(ok(1), ok(3, flags=END))
    lose_the_end(talk, 99).c(get(5)).s(ok(5, flags=END)).c(get(7)).s(ok(7), data(1, b"more", END)).c(get(9))
    talk.s(data(7, b"", END), ok(9, flags=END)).close()
    assert overlaps(talk) == {
        1: ([3, 5, 7], True), 3: ([1], True), 5: ([1], True), 7: ([1, 9], True), 9: ([7], False),
    }  # fmt: skip
    assert [exchange.multiplexed for exchange in talk.exchanges] == [3, 1, 1, 2, 1]


def test_a_request_and_an_end_that_were_missed():
    talk = Talk().c(get(1)).s(ok(1, flags=END))
    talk.gap(CLIENT, talk.unseen(CLIENT, get(3))).c(ping(), ping(), ping()).s(ok(3))
    lose_the_end(talk, 3).c(get(5), get(7)).s(ok(5, flags=END), ok(7, flags=END)).close()
    assert overlaps(talk) == {1: ([], False), 3: ([], False), 5: ([7], False), 7: ([5], False)}


@pytest.mark.parametrize("most", [5])
def test_streams_whose_ends_were_missed_make_room(monkeypatch, most):
    monkeypatch.setattr(lifecycles, "MOST_OPEN", most)
    talk = Talk()
    for stream in range(1, 41, 2):
        talk.c(get(stream)).s(ok(stream))
        lose_the_end(talk, stream)
    assert len(talk.exchanges) == 20
    assert {exchange.response.status for exchange in talk.exchanges} == {200}


# What TCP held up


def test_a_lost_segment_holds_up_other_streams():
    talk = Talk().c(get(1), get(3)).s(ok(1), ok(3), at_ns=100)
    dissector = talk.dissector
    # Packet 6 was captured before what it follows, which came again as packet 9.
    dissector.feed(1, data(1, b"lost"), 900, 9)
    dissector.feed(1, data(3, b"early") + data(1, b"x", END), 600, 6)
    dissector.feed(1, data(3, b"", END), 700, 7)
    (wait,) = dissector.head_of_line
    assert (wait.side, wait.packet, wait.from_ns, wait.length_ns) == ("server", 9, 600, 300)
    assert (wait.missing, wait.waiting) == ([1], [3])
    # Nobody could read it before.
    assert talk.exchange(3).finished_ns == 900
    assert talk.exchange(3).response.last_packet == 9


# Upgrades


def upgraded(**more):
    return Upgraded("GET", "/", "a.test", 100, 1, 5, **more)


def test_after_an_upgrade_stream_1_is_the_request():
    talk = Talk(upgraded=upgraded()).s(ok(1), data(1, b"abc", END)).c(get(3)).s(ok(3, flags=END))
    assert brief(talk) == ["1 GET / -> 200 +3", "3 GET / -> 200"]
    assert steps(talk, 1) == ["C HEADERS", "C END_STREAM", "S HEADERS", "S DATA", "S END_STREAM"]
    assert steps(talk)[:2] == ["C HEADERS", "C Preface"]
    assert steps(talk).count("C HEADERS") == 1
    assert talk.exchange(1).started_ns == 5
    assert faults(talk) == []


def test_the_settings_of_an_upgrade_are_in_force_at_once():
    talk = Talk(begun=False, upgraded=upgraded(settings="AAQAAAAK"))
    assert talk.dissector.settings[0] == {"INITIAL_WINDOW_SIZE": 10}
    talk.s(settings(), ok(1), data(1, b"x" * 11))
    assert only_fault(talk).startswith("stream 1: 1 bytes more than the stream's window")


@pytest.mark.parametrize("value", ["AAQAAAA", "???", "é", "A" * 20_000])
def test_settings_of_an_upgrade_that_are_none(value):
    talk = Talk(upgraded=upgraded(settings=value))
    assert only_fault(talk) == "HTTP2-Settings is no payload of SETTINGS (RFC 7540 §3.2.1)"


# Other frames


def test_priorities():
    talk = (
        Talk().c(get(1, "/", ("priority", "u=1, i"))).c(frame(16, 0, 0, number(1) + b"u=5"), frame(2, 0, 3, bytes(5)))
    )
    assert talk.exchange(1).request.priority == "u=5"
    assert "C PRIORITY_UPDATE" in steps(talk)
    assert faults(talk) == []


def test_a_server_does_not_reprioritize():
    talk = Talk().s(frame(16, 0, 0, number(1) + b"u=5"))
    assert only_fault(talk) == "PRIORITY_UPDATE of the server: PROTOCOL_ERROR (RFC 9218 §7.1)"


def test_pings_origins_and_alternatives():
    talk = Talk().c(ping()).s(ping(1), frame(12, 0, 0, b"\0\x05https"), frame(10, 0, 0, b"\0\1ah2"), update(0, 5))
    assert steps(talk)[5:] == ["C PING", "S PING ACK", "S ORIGIN", "S ALTSVC", "S WINDOW_UPDATE"]
    assert faults(talk) == []


def test_a_stream_that_is_reset_is_no_longer_open():
    talk = Talk(server={3: 1}).c(get(1), rst(1, 8), get(3), rst(3, 8), get(5))
    assert talk.dissector.max_concurrent == 1
    assert faults(talk) == []


def test_how_a_connection_ends_is_how_its_streams_do():
    talk = Talk().c(post(1), data(1, b"abc")).s(ok(1)).close("rst")
    exchange = talk.exchange(1)
    assert (exchange.request.cut, exchange.response.cut, exchange.finished_ns) == ("rst", "rst", None)
    assert faults(talk) == []
