"""HTTP/2 in the table, the evidence and the summary. What they look like as a whole is in `golden/http2-*.txt`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter import words, words_of_http2
from analyzer.reporter.outputs.evidence import Evidence
from analyzer.reporter.outputs.summary import Summary
from analyzer.reporter.outputs.table import Table
from tests.reporter.builders import (
    connection,
    exchange,
    http,
    http2,
    on_stream,
    opened,
    showcase,
    stream,
    unknown,
    web_showcase,
)
from tests.reporter.terminal import printed, summed_up

CANCELLED = model.Reset("client", "CANCEL", 9)
ASTRAY = on_stream(
    "", **unknown("diverged", None), script="C HEADERS 7 1.0, S DATA 9 1.2",
    divergence=model.Divergence(9, "server", "DATA", ["server HEADERS"], None, []),
)  # fmt: skip


def lines_below(one, width=100):
    return [line[4:] for line in printed(Table, [one], width=width).splitlines() if line.startswith("    ")]


def line_of(one, width=100):
    return "".join(text for text, _ in words_of_http2.exchange(one, width, 1))


# The table.


def test_a_table_has_a_line_for_the_connection_and_one_for_each_stream():
    one = connection(http=http2(stream(9), stream(11, "GET /b", 404, 0), max_concurrent=2))
    assert lines_below(one) == [
        "HTTP/2  ✓ over-tls  2 streams, up to 2 at once",
        " 9  GET /index.html → 200  5.12 kB  0.42 ms",
        "11  GET /b → 404  0 B  0.42 ms",
    ]


def test_a_table_says_how_many_streams_there_were():
    many = [stream(2 * n + 1, interleaved=n == 7) for n in range(20)]
    lines = lines_below(connection(http=http2(*many, max_concurrent=20, exchanges_not_listed=4)))
    assert lines[0] == "HTTP/2  ✓ over-tls  24 streams, up to 20 at once, interleaved"
    assert lines[-1] == "… and 19 more"
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (120, "HTTP/2  ✓ over-tls  1 stream  1 stall of 3.00 ms  2 head-of-line waits"),
        (70, "HTTP/2  ✓ over-tls  1 stream  1 stall of 3.00 ms"),
        (50, "HTTP/2  ✓ over-tls  1 stream"),
        (30, "HTTP/2  ✓ over-tls"),
    ],
)
def test_a_table_says_who_waited_where_there_is_room(width, said):
    one = http2(stream(1), stalls=[model.Stall(1, "server", 0, 3_000_000, 9)], head_of_line_waits=2)
    assert lines_below(connection(http=one), width)[0] == said


def test_a_table_does_not_overlook_an_error_that_ended_the_connection():
    goaway = [model.Goaway("client", "NO_ERROR", 0, 7), model.Goaway("server", "PROTOCOL_ERROR", 3, 9)]
    one = connection(http=http2(stream(1), goaway=goaway))
    assert lines_below(one)[1] == "! GOAWAY PROTOCOL_ERROR by the server at packet 9"
    assert "!" not in "".join(lines_below(connection(http=http2(stream(1), goaway=goaway[:1]))))


def test_a_table_says_that_streams_need_keys():
    hidden = http2(connection=opened("", **unknown(cause="no-keys")), max_concurrent=0)
    assert lines_below(connection(http=hidden)) == ["HTTP/2  ? no-keys"]
    assert lines_below(connection(http=http2(max_concurrent=0))) == ["HTTP/2  ✓ over-tls  no streams"]


def test_a_table_shows_an_upgrade_in_its_order():
    tunnel = model.Tunnel(
        "Upgrade h2c", model.PerSide(), http=http2(stream(1), connection=opened(flow="http2/upgraded"))
    )
    assert lines_below(connection(http=http(exchange("GET /", 101, 0)), tunnel=tunnel)) == [
        "GET / → 101  0 B  0.42 ms",
        "HTTP/2  ✓ upgraded  1 stream  after Upgrade h2c",
        "1  GET /index.html → 200  5.12 kB  0.42 ms",
    ]


def test_http2_of_a_socks_tunnel_stands_there_alone():
    talk = http2(stream(1))
    one = connection(http=talk, tunnel=model.Tunnel("SOCKS5 a:80", model.PerSide(), http=talk))
    assert [line.split()[0] for line in lines_below(one)] == ["HTTP/2", "1"]
    assert printed(Evidence, [one]).count("stream 1") == 1


@pytest.mark.parametrize(
    ("given", "mark"),
    [
        ({}, None),
        ({"verdict": None}, None),
        ({"verdict": on_stream("reset"), "reset": CANCELLED}, "~ reset CANCEL by client"),
        ({"verdict": on_stream("refused"), "reset": model.Reset("server", "REFUSED_STREAM", 9)}, "~ refused by server"),
        ({"verdict": on_stream("refused"), "reset": CANCELLED}, "~ refused  reset CANCEL by client"),
        ({"verdict": on_stream("refused")}, "~ refused"),  # above the last stream of a GOAWAY
        ({"reset": model.Reset("server", "NO_ERROR", 9)}, "reset NO_ERROR by server"),
        ({"verdict": on_stream("pushed"), "pushed": True}, "~ pushed"),
        ({"verdict": on_stream("reset"), "pushed": True, "reset": CANCELLED}, "~ reset CANCEL by client  pushed"),
        ({"verdict": on_stream("exchange-with-trailers")}, "~ with trailers"),
        ({"verdict": on_stream("exchange-with-trailers"), "grpc": model.Grpc(0, model.PerSide())}, "~ gRPC OK"),
        ({"verdict": on_stream("exchange-with-trailers"), "grpc": model.Grpc(14, model.PerSide())},
         "~ gRPC 14 UNAVAILABLE"),
        ({"verdict": on_stream(), "grpc": model.Grpc(17, model.PerSide())}, "gRPC 17"),
        ({"verdict": on_stream(), "grpc": model.Grpc(None, model.PerSide())}, "gRPC no status"),
        ({"verdict": on_stream("tunnel"), "protocol": "websocket"}, "~ tunnel  websocket"),
        ({"verdict": on_stream(outcome="incomplete", cause="open-at-end")}, "… exchange (open-at-end)"),
        ({"verdict": on_stream("", **unknown())}, "? mid-stream"),
        ({"verdict": ASTRAY}, "✗ diverged"),
        ({"verdict": ASTRAY, "reset": CANCELLED}, "✗ diverged  reset CANCEL by client"),
    ],
)  # fmt: skip
def test_a_stream_has_a_mark_where_there_is_more_to_say(given, mark):
    assert line_of(stream(1, **given)) == "1  GET /index.html → 200  5.12 kB  0.42 ms" + (f"  {mark}" if mark else "")


def test_marks_stay_longer_than_sizes_and_times():
    one = stream(1, "GET /a/long/way/to/index.html", verdict=on_stream("reset"), reset=CANCELLED)
    assert line_of(one, 74) == "1  GET /a/long/way/to/i… → 200  5.12 kB  0.42 ms  ~ reset CANCEL by client"
    assert line_of(one, 55) == "1  GET /a/long/way/to/… → 200  ~ reset CANCEL by client"
    assert line_of(one, 45) == "1  GET /a/long/way/to… → 200  ~ reset CANCEL…"


@given(st.text(max_size=60), st.text(max_size=60), st.integers(12, 200))
def test_a_stream_fits_every_width(target, error, width):
    one = stream(1, f"GET {target}", verdict=on_stream("reset"), reset=model.Reset("client", error, 9), protocol=error)
    line = line_of(one, width)
    assert words.cells(line) <= width
    assert line.isprintable()


def test_a_status_that_was_not_captured_is_unknown():
    one = stream(1, response=model.Response(None, 6, 0, 44, 9, 6, True))
    assert line_of(one) == "1  GET /index.html → unknown status  9 B  0.42 ms"
    assert "statuses   unknown 2" in summed_up([connection(http=http2(one))] * 2)


def test_a_table_says_on_which_stream_no_flow_fits():
    text = printed(
        Table, [connection(http=http2(stream(1), stream(3, verdict=ASTRAY), stream(5, verdict=ASTRAY)))], width=250
    )
    assert "  stream 3: server DATA at packet 9, expected server HEADERS\n" in text


def test_a_row_that_is_held_back_keeps_few_streams():
    table = Table(lambda text: None)
    table.add(connection(http=http2(*[stream(1)] * 5000, goaway=[model.Goaway("server", "CANCEL", 1, 9)] * 5000)))
    (held,) = table._pending
    assert len(held.below) == 8
    assert sum(len(text) for line in held.below for text, _ in line) < 1000


# The evidence.


def test_evidence_tells_of_the_connection():
    stalls = [model.Stall(5, "server", 3_100_000, 12_400_000, 33), model.Stall(0, "client", 0, 950_000, 41)]
    goaway = [model.Goaway("server", "NO_ERROR", 2**31 - 1, 90), model.Goaway("server", "NO_ERROR", 5, 95)]
    one = http2(stream(1), stream(5), stalls=stalls, goaway=goaway, frame_switches=3, head_of_line_waits=1,
                max_concurrent=2, frames={"HEADERS": 4, "DATA": 6},
                settings=model.Settings({"ENABLE_PUSH": 0, "MAX_CONCURRENT_STREAMS": 100}))  # fmt: skip
    text = printed(Evidence, [connection(http=one)], width=120)
    assert (
        "  http     ✓ http2/over-tls   documented (F8, RFC 9113 §3.2)   HTTP/2, 2 streams, up to 2 at once\n"
    ) in text
    assert re.search(r"  4  \+0.500 ms  │─+ Preface ─+▶│  ✓ Preface \[tls\]\n", text)
    assert (
        "  settings client: ENABLE_PUSH 0, MAX_CONCURRENT_STREAMS 100\n"
        "  frames   HEADERS 4, DATA 6; another stream's frame followed 3 times\n"
        "  headers  210 B on the wire of 1.44 kB, 15 %\n"
        "  goaway   packet 90: server NO_ERROR, last stream not yet said\n"
        "           packet 95: server NO_ERROR, last stream 5\n"
        "  stalls   packet 33: the server waited 12.4 ms from +3.100 ms on, for the window of stream 5\n"
        "           packet 41: the client waited 0.95 ms from +0.000 ms on, for the window of the connection\n"
        "  waits    1 lost segment held up streams whose bytes had arrived already\n"
    ) in text


def test_evidence_tells_of_each_stream():
    one = stream(1, multiplexed_with=[*range(3, 25, 2)], multiplexed_with_not_listed=2, interleaved=True, interim=[103],
                 grpc=model.Grpc(5, model.PerSide(1, 1200)), trailers=[("grpc-status", "5")], reset=CANCELLED,
                 headers=[("a", "b")])  # fmt: skip
    text = printed(Evidence, [connection(http=http2(one))], width=120)
    assert (
        "          5  +1.050 ms  stream 1  GET /index.html → 103, 200  5.12 kB  0.42 ms\n"
        "             request: packet 5, 412 B header (61 B on the wire)\n"
    ) in text
    assert "   multiplexed with 3, 5, 7, 9, 11, 13, 15, 17 and 5 more, interleaved\n" in text
    assert "gRPC 5 NOT_FOUND, 1 message sent, 1,200 received   reset CANCEL by the client at packet 9\n" in text
    assert text.index("             < a: b\n") < text.index("             trailer grpc-status: 5\n")


def test_evidence_says_where_messages_could_not_be_counted():
    text = printed(Evidence, [connection(http=http2(stream(1, grpc=model.Grpc(0, None))))], width=120)
    assert "gRPC OK, messages not counted: bytes are missing\n" in text


def test_evidence_has_a_ladder_where_a_stream_is_more_than_an_exchange():
    plain = printed(Evidence, [connection(http=http2(stream(1)))])
    assert "http2-stream" not in plain
    assert "─ DATA" not in plain
    text = printed(Evidence, [connection(http=http2(stream(1, verdict=on_stream("pushed"), pushed=True)))])
    assert (
        "             ~ http2-stream/pushed   variant (RFC 9113 §8.1)\n"
        "                          client         server  as documented\n"
    ) in text
    assert "            4  +1.000 ms  │─── HEADERS ────▶│" in text
    text = printed(Evidence, [connection(http=http2(stream(1, verdict=ASTRAY)))])
    assert text.count("✗ here") == 1
    assert "             expected: server HEADERS\n" in text


def test_evidence_of_many_streams_is_bounded():
    streams = [stream(2 * n + 1, verdict=on_stream("reset"), multiplexed_with=[1] * 1000) for n in range(1200)]
    one = http2(*streams, stalls=[model.Stall(0, "client", 0, 1, 1)] * 900,
                goaway=[model.Goaway("server", "NO_ERROR", 0, 1)] * 900,
                frames={f"type {n}": n for n in range(900)},
                settings=model.Settings({f"setting {n}": n for n in range(900)}))  # fmt: skip
    text = printed(Evidence, [connection(http=one)], width=100)
    assert text.count("─ DATA") == 100
    assert text.count("… and 800 more\n") == 2
    assert len(text.splitlines()) < 7000
    astray = printed(Evidence, [connection(http=http2(*[stream(1, verdict=ASTRAY)] * 150))])
    assert astray.count("✗ here") == 150


# The summary.


def test_a_summary_counts_streams():
    calls = [stream(1, grpc=model.Grpc(status, model.PerSide())) for status in (0, 0, 5, None)]
    resets = [stream(3, verdict=on_stream("reset"), reset=CANCELLED)] * 2
    goaway = [model.Goaway("server", "NO_ERROR", 1, 9)]
    stalls = [model.Stall(0, "server", 0, ms * 1_000_000, 9) for ms in (1, 2, 3)]
    ones = [
        connection(http=http2(*calls, max_concurrent=20, goaway=goaway, stalls=stalls)),
        connection(http=http2(*resets, stream(5, interleaved=True), max_concurrent=2, head_of_line_waits=2)),
        connection(http=http2(stream(7))),
        connection(http=http(exchange())),
    ]
    text = summed_up(ones, width=120)
    assert (
        "  streams    6  ✓ exchange  F9, RFC 9113 §8.1\n"
        "             2  ~ reset     RFC 9113 §8.1\n"
        "  versions   HTTP/2 3, HTTP/1.1 1\n"
    ) in text
    assert (
        "  grpc       OK 2, 5 NOT_FOUND 1, no status 1\n"
        "  at once    up to 20 streams; several on 2 of 3 connections, interleaved on 1\n"
        "  headers    840 B on the wire of 5.78 kB, 15 %\n"
        "  resets     client CANCEL 2\n"
        "  goaways    server NO_ERROR 1\n"
    ) in text
    assert "  stalls     min 1.00 ms, median 2.00 ms, max 3.00 ms (of 3)\n" in text
    assert "  waits      2 lost segments held up other streams\n" in text


def test_a_summary_names_the_stream_that_diverged():
    text = summed_up([connection(http=http2(stream(1), stream(3, verdict=ASTRAY), stream(5, verdict=ASTRAY)))] * 2)
    assert text.count("stream 3: server DATA at packet 9") == 2  # one of each connection
    assert "stream 5" not in text
    assert re.search(r"^ +4  ✗ diverged$", text, re.MULTILINE)


def test_a_summary_counts_what_runs_inside_a_tunnel():
    tunnel = model.Tunnel(
        "Upgrade h2c", model.PerSide(), http=http2(stream(1), connection=opened(flow="http2/upgraded"))
    )
    text = summed_up([connection(http=http(exchange("GET /", 101, 0)), tunnel=tunnel)] * 2)
    assert "  versions   HTTP/1.1 2, HTTP/2 2\n" in text
    assert "✓ upgraded" in text
    assert "  statuses   1xx 2, 2xx 2 (101: 2, 200: 2)\n" in text


def test_a_summary_of_streams_is_bounded():
    summary = Summary(width=100)
    for n in range(3000):
        reset = model.Reset("client", f"error {n} " + 60_000 * "x", 9)
        goaway = [model.Goaway("server", f"error {n} " + 60_000 * "x", 1, 9)]
        summary.add(connection(http=http2(stream(1, reset=reset), goaway=goaway)))
    assert len(summary._http2.resets) == len(summary._http2.goaways) == 1000
    assert len(summary.text()) < 20_000


def test_a_ratio_is_said_only_of_what_was_captured_whole():
    text = printed(
        Evidence, [connection(http=http2(stream(1, None, response=model.Response(200, 6, 0, 44, 9, 6, True))))]
    )
    assert "  headers  44 B on the wire\n" in text
    assert "headers" not in printed(Evidence, [connection(http=http2())])


def test_what_is_no_http2_does_not_speak_of_it():
    text = summed_up([*showcase(), *web_showcase()])
    for word in ("streams", "grpc", "at once", "headers", "resets", "goaways", "stalls", "waits"):
        assert f"  {word}  " not in text
