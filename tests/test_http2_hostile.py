"""HTTP/2 that means harm, through the whole program: one fault, little memory, and no harm to other connections."""

from __future__ import annotations

import tracemalloc

import hpack
import pytest

from analyzer import model
from tests.conversations import HANDSHAKE, Conversation, capture_of, report, steps
from tests.dissector.http2_talk import (
    END,
    END_HEADERS,
    PREFACE,
    SETTINGS_ACK,
    Piece,
    data,
    frame,
    get,
    goaway,
    ok,
    rst,
    settings,
)

SEGMENT = 1400
GREETING = ("C", PREFACE, settings()), ("S", settings({3: 1 << 30}), SETTINGS_ACK), ("C", SETTINGS_ACK)
Turn = tuple[object, ...]  # the side, and what it says


def spoken(*turns: Turn, client_port: int = 40000) -> Conversation:
    """A conversation of HTTP/2, from the handshake on; what is longer than a segment takes several."""
    conversation = Conversation(client_port=client_port).say(*HANDSHAKE)
    encoders = {"C": hpack.Encoder(), "S": hpack.Encoder()}
    for side, *pieces in (*GREETING, *turns):
        whole = b"".join(piece if isinstance(piece, bytes) else piece(encoders[side]) for piece in pieces)
        for at in range(0, len(whole), SEGMENT):
            conversation.data = {"part": whole[at : at + SEGMENT]}
            conversation.say(f"{side} DATA part")
    return conversation


def harmless() -> Conversation:
    answer = ok(1, ("content-length", "5"))
    return spoken(("C", get(1, "/other")), ("S", answer, data(1, b"hello", END)), ("C", goaway(0)), client_port=40001)


def seen(*turns: Turn) -> model.Connection:
    """What is reported of the hostile connection, after the other one in the same capture was found unharmed."""
    other = harmless()
    other.say("C FIN", "S FIN", "C ACK")
    found = report(capture_of(spoken(*turns), other))
    assert len(found) == 2
    hostile, unharmed = sorted(found, key=lambda connection: connection.client.port)
    (one,) = unharmed.http.exchanges
    assert (one.request.target, one.response.status, one.response.body_bytes) == ("/other", 200, 5)
    assert one.verdict.flow == "http2-stream/exchange"
    assert (unharmed.http.connection.flow, unharmed.http.goaway[0].error) == ("http2/prior-knowledge", "NO_ERROR")
    assert (unharmed.close.flow, unharmed.faults) == ("tcp-close/three-segment", [])
    return hostile


def said(connection: model.Connection) -> list[str]:
    return [fault.message for fault in connection.faults]


def rapid_reset(streams: int) -> list[Turn]:
    return [("C", get(2 * number + 1, f"/{number}"), rst(2 * number + 1, 8)) for number in range(streams)]


def continuation(frames: int) -> list[Turn]:
    flood = [("C", frame(9, 0, 1, bytes(100))) for _ in range(frames)]
    return [("C", frame(1, 1, 1, b"\x82")), *flood, ("C", frame(9, END_HEADERS, 1))]


def bomb(blocks: int) -> list[Turn]:
    """One byte that stands for four thousand, again and again."""
    fields: Piece = get(1, "/", ("bomb", "x" * 4000))
    return [("C", fields), *[("C", frame(1, 5, 2 * number + 3, b"\xbe" * 1000)) for number in range(blocks)]]


def empty_data(frames: int) -> list[Turn]:
    return [("C", get(1)), ("S", ok(1), *[data(1)] * frames), ("S", data(1, b"x", END))]


def test_rapid_reset():
    """CVE-2023-44487."""
    connection = seen(*rapid_reset(3000), ("C", get(6001)), ("S", ok(6001, flags=END)))
    assert said(connection) == [
        "1000 streams were reset by the client before they were answered: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
    ]
    exchanges = connection.http.exchanges
    assert len(exchanges) == 3001
    assert {(one.verdict.flow, one.reset.error) for one in exchanges[:-1]} == {("http2-stream/reset", "CANCEL")}
    assert exchanges[-1].verdict.flow == "http2-stream/exchange"
    assert connection.http.max_concurrent == 1


def test_a_flood_of_continuation():
    connection = seen(*continuation(4000), ("C", get(3, "/after")), ("S", ok(3, flags=END)))
    assert said(connection) == ["a field block of 1000 frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5.1)"]
    assert [one.request and one.request.target for one in connection.http.exchanges] == [None, "/after"]
    assert connection.http.frames["CONTINUATION"] == 4001


def test_a_bomb():
    connection = seen(*bomb(50), ("C", get(201, "/after")), ("S", ok(201, flags=END)))
    assert said(connection) == [
        "a block of 1000 bytes has more than 1048576 bytes of fields: not read: ENHANCE_YOUR_CALM (RFC 7541 §7.3)"
    ]
    # The table is not known any more, so nothing is said of what is out of it.
    assert [one.stream for one in connection.http.exchanges if one.request] == [1, 201]
    assert (connection.http.connection.outcome, steps(connection.http.connection)[-1]) == ("diverged", "C Violation")


def test_a_flood_of_empty_data():
    connection = seen(*empty_data(20_000))
    assert said(connection) == ["more than 1000 empty DATA frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"]
    (one,) = connection.http.exchanges
    assert (one.verdict.flow, one.response.body_bytes) == ("http2-stream/exchange", 1)
    assert steps(one.verdict)[-2:] == ["S DATA ×20001", "S END_STREAM"]


@pytest.mark.parametrize("flood", [continuation, empty_data])
def test_more_of_it_takes_no_more_memory(flood):
    report(capture_of(spoken(*flood(10))))  # what is read and compiled once
    peaks = []
    for count in (3000, 12_000):
        content = capture_of(spoken(*flood(count)))
        tracemalloc.start()
        connections = report(content, chunk_bytes=1 << 14)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(connections) == 1
    assert peaks[1] < peaks[0] + 100_000
