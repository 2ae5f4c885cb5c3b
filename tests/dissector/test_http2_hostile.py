"""Traffic that means harm: bounded, said once, and the rest of the connection unharmed."""

from __future__ import annotations

import hpack
import pytest

from analyzer.dissector.http2 import conversation, findings, header_blocks, lifecycles
from analyzer.dissector.http2.connection import CLIENT, SERVER
from tests.dissector.http2_talk import (
    END,
    END_HEADERS,
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
    promise,
    rst,
    settings,
    steps,
    update,
)


def test_a_bomb():
    """One byte that stands for four thousand."""
    talk = Talk()
    talk.c(get(1, "/", ("bomb", "x" * 4000)), frame(1, 5, 3, b"\xbe" * 1000), get(5, "/after"))
    assert only_fault(talk) == (
        "a block of 1000 bytes has more than 1048576 bytes of fields: not read: ENHANCE_YOUR_CALM (RFC 7541 §7.3)"
    )
    assert brief(talk) == ["1 GET / -> ?", "3 ? ? -> ?", "5 GET /after -> ?"]
    assert talk.dissector.fields_lost == "a field block that cannot be read"


@pytest.mark.parametrize("block", [
    b"\0\0\0" * 80_000,
    b"\x82" * 200_000,
    b"\x40\1a\1b" * 60_000,
    b"\0\x7f\xff\xff\xff\xff\x0f" + bytes(100_000),
    b"\x3f\xff\xff\xff\x0f" + b"\x82",
])  # fmt: skip
def test_blocks_that_cost_much(block):
    found = header_blocks.HeaderDecoder().decode(block)
    assert found.error is not None
    assert found.fields == []


def test_a_long_block_is_read_like_a_short_one():
    fields = [(f"name-{number % 50}", str(number) * (number % 9)) for number in range(3000)]
    block = hpack.Encoder().encode(fields)
    decoder = header_blocks.HeaderDecoder()
    found = decoder.decode(block)
    assert found.fields == [(name.encode(), value.encode()) for name, value in fields]
    whole = hpack.Decoder(max_header_list_size=1 << 20)
    whole.decode(block, raw=True)
    entries = list(whole.header_table.dynamic_entries)
    assert len(entries) > 50
    for index, entry in enumerate(entries, 62):
        assert decoder.decode(bytes([0x80 | index]) if index < 127 else bytes([0xFF, index - 127])).fields == [entry]
    assert decoder.decode(bytes([0xFF, 62 + len(entries) - 127])).error is not None


def test_a_table_size_that_comes_late_in_a_long_block():
    block = b"\0\1a\1b" * 2000 + b"\x20" + b"\0\1a\1b"
    error = header_blocks.HeaderDecoder().decode(block).error
    assert error is not None
    assert error[0] == "COMPRESSION_ERROR"


def test_texts_out_of_the_table_are_kept_once():
    talk = Talk().c(*[get(stream, "/" + "x" * 3000) for stream in range(1, 2001, 2)])
    assert len({id(exchange.request.target) for exchange in talk.exchanges}) == 1


def test_kept_fields_have_a_limit(monkeypatch):
    monkeypatch.setattr(conversation, "MOST_KEPT", 1000)
    talk = Talk(keep_fields=True).c(*[get(stream) for stream in range(1, 21, 2)])
    assert talk.exchange(1).request.fields
    assert not talk.exchange(19).request.fields


def test_a_flood_of_continuation():
    talk = Talk().c(frame(1, 1, 1, b"\x82"), *[frame(9, 0, 1, bytes(16_000))] * 40, frame(9, END_HEADERS, 1), get(3))
    assert only_fault(talk) == "a field block of more than 262144 bytes: ENHANCE_YOUR_CALM (RFC 9113 §10.5.1)"
    assert brief(talk) == ["1 ? ? -> ?", "3 GET / -> ?"]
    assert len(talk.dissector._blocks[CLIENT].data) == 0


def test_a_flood_of_empty_continuation():
    talk = Talk().c(frame(1, 1, 1, b"\x82"), *[frame(9, 0, 1)] * 5000, frame(9, END_HEADERS, 1))
    assert faults(talk)[0] == "a field block of 1000 frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5.1)"
    assert talk.exchange(1).request.method == "GET"


def test_a_flood_of_empty_data():
    talk = Talk().c(get(1)).s(ok(1), *[data(1)] * 3000, data(1, b"x", END))
    assert only_fault(talk) == "more than 1000 empty DATA frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
    assert steps(talk, 1) == ["C HEADERS", "C END_STREAM", "S HEADERS", "S DATA", "S END_STREAM"]


def test_a_flood_of_settings():
    talk = Talk().c(*[settings({4: 1})] * 3000, settings(dict.fromkeys(range(100, 2100), 1)), get(1))
    assert faults(talk) == [
        "more than 1000 SETTINGS frames: ENHANCE_YOUR_CALM (RFC 9113 §10.5)",
        "more than 1000 settings in a frame: ENHANCE_YOUR_CALM (RFC 9113 §10.5)",
    ]
    assert len(talk.dissector.settings[CLIENT]) <= 100
    assert len(talk.dissector.events) < 1100


def test_settings_too_long_to_be_read():
    talk = Talk(client={5: 1 << 24 - 1}).s(frame(4, 0, 0, bytes(600_000))).c(get(1)).s(ok(1, flags=END))
    assert "SETTINGS of 600000 bytes: ENHANCE_YOUR_CALM (RFC 9113 §10.5)" in faults(talk)
    assert brief(talk) == ["1 GET / -> 200"]
    assert not talk.dissector.flow.known


def test_rapid_reset():
    talk = Talk()
    for stream in range(1, 6001, 2):
        talk.c(get(stream), rst(stream, 8))
    said = "1000 streams were reset by the client before they were answered: ENHANCE_YOUR_CALM (RFC 9113 §10.5)"
    assert only_fault(talk) == said
    assert len(talk.dissector._streams) == 0
    assert len(talk.dissector._closed) == lifecycles.MOST_REMEMBERED
    talk.c(get(6001)).s(ok(6001, flags=END))
    assert brief(talk)[-1] == "6001 GET / -> 200"


def test_exchanges_beyond_the_limit_are_counted(monkeypatch):
    monkeypatch.setattr(findings, "MOST_EXCHANGES", 10)
    talk = Talk()
    for stream in range(1, 41, 2):
        talk.c(get(stream)).s(ok(stream, flags=END))
    assert (len(talk.exchanges), talk.dissector.exchanges_beyond) == (10, 10)


def test_streams_beyond_the_limit_are_not_followed(monkeypatch):
    monkeypatch.setattr(lifecycles, "MOST_OPEN", 10)
    talk = Talk().c(*[get(stream) for stream in range(1, 41, 2)]).s(ok(39), data(39, b"x", END), ok(1, flags=END))
    talk.c(get(41)).s(ok(41, flags=END))
    assert brief(talk)[0] == "1 GET / -> 200"
    assert brief(talk)[-1] == "41 GET / -> 200"
    assert len(talk.exchanges) == 11
    assert faults(talk) == []


@pytest.mark.parametrize(
    "piece", [ping(), update(0, 1), goaway(0), frame(2, 0, 1, b""), frame(3, 0, 1, b""), data(9, b"x")]
)
def test_floods_of_anything_are_bounded(piece):
    talk = Talk().c(get(1)).c(*[piece] * 5000).s(ok(1, flags=END)).close()
    assert len(talk.dissector.events) <= 2100
    assert len(talk.dissector.faults) <= 100
    assert len(talk.dissector.goaways) <= 100
    assert len(talk.exchange(1).events) <= 250
    assert brief(talk) == ["1 GET / -> 200"]


def test_floods_on_one_stream_are_bounded():
    talk = Talk().c(get(1)).s(*[ok(1, status="103")] * 5000, ok(1), *[headers(1, ("a", "b"))] * 5000, data(1, b"", END))
    exchange = talk.exchange(1)
    assert len(exchange.interim) == conversation.MOST_INTERIM
    assert len(exchange.events) == findings.MOST_STREAM_EVENTS
    assert exchange.events_beyond > 9000
    assert exchange.response.complete
    assert len(talk.dissector.faults) <= 100


def test_messages_of_faults_are_short_and_print():
    talk = Talk().c(get(1, "/", ("\x1b[2J" + "x" * 3000, "v")), goaway(0, 0, b"\x1b[2J\0" * 1000))
    assert len(only_fault(talk)) < 200
    assert only_fault(talk).isprintable()
    assert talk.dissector.goaways[0].debug.isprintable()


def test_promises_that_nothing_comes_of():
    talk = Talk().c(get(1)).s(*[promise(1, stream, "/x") for stream in range(2, 30_002, 2)])
    assert len(talk.dissector._streams) == lifecycles.MOST_OPEN
    assert len(talk.exchange(2).multiplexed_with) == 1000


def test_a_window_is_overdrawn_again_and_again():
    talk = Talk(client={4: 0}).c(get(1)).s(ok(1), *[data(1, b"x")] * 1000, data(1, b"", END))
    assert only_fault(talk).startswith("stream 1: 1 bytes more than the stream's window: FLOW_CONTROL_ERROR")
    assert brief(talk) == ["1 GET / -> 200 +1000"]


def test_early_answers_are_bounded():
    talk = Talk().s(*[ok(stream, flags=END) for stream in range(1, 2001, 2)]).close()
    assert len(talk.dissector.faults) == lifecycles.MOST_EARLY
    assert len(talk.dissector._early) == 0


def test_unread_frames_of_any_length():
    talk = Talk().s((1 << 24).__sub__(1).to_bytes(3, "big") + b"\xee\0" + number(0))
    assert talk.dissector.skippable(SERVER) == (1 << 24) - 1
