import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter import words
from tests.reporter.builders import connection, exchange, http, http2, on_stream, opened, stream, tls, unknown


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0 ms"), (4_600, "0.005 ms"), (310_000, "0.31 ms"), (12_440_000, "12.4 ms"), (999_400_000, "999 ms"),
        (999_600_000, "1.00 s"), (59_900_000_000, "59.9 s"), (60_000_000_000, "1 min 00 s"),
        (125_000_000_000, "2 min 05 s"), (7_500_000_000_000, "2 h 05 min"),
    ],
)  # fmt: skip
def test_duration(ns, said):
    assert words.duration(ns) == said


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("10", 10 * 10**9), ("0.25", 250_000_000), ("1.5s", 1_500_000_000), ("250ms", 250_000_000), ("7us", 7000),
        ("7µs", 7000), ("3ns", 3), ("2m", 120 * 10**9), ("2min", 120 * 10**9), ("1h", 3600 * 10**9),
        ("1m30s", 90 * 10**9), ("1m30", 90 * 10**9), ("1h 5 min", 3900 * 10**9), (" 1 ms ", 1_000_000),
        ("", None), ("s", None), ("1x", None), ("1 2s", None), ("-1s", None), ("1.s", None), (".5s", None),
        ("1e3", None), ("nan", None), ("1mss", None), ("101" + 5 * "0" + "h", None), (50 * "1", None),
    ],
)  # fmt: skip
def test_parse_duration(text, ns):
    assert words.parse_duration(text) == ns


@given(st.integers(0, 10**18))
def test_durations_as_they_are_printed_can_be_given(ns):
    assert words.parse_duration(words.duration(ns)) == pytest.approx(ns, rel=0.07, abs=1000)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (999, "999 B"), (1834, "1.83 kB"), (40_211, "40.2 kB"), (999_600, "1.00 MB"), (5 * 10**15, "5000 TB")],
)
def test_size(number, said):
    assert words.size(number) == said


def test_an_endpoint_keeps_both_ends_and_the_port():
    full = words.endpoint(model.Endpoint("2001:db8:85a3:1234:5678:8a2e:370:7334", 50115))
    assert full == "[2001:db8:85a3:1234:5678:8a2e:370:7334]:50115"
    assert words.short_endpoint(full, 21) == "[2001:d…0:7334]:50115"
    assert words.short_endpoint("10.0.0.1:80", 21) == "10.0.0.1:80"


@given(st.ip_addresses(v=6), st.integers(0, 65535), st.integers(15, 50))
def test_short_endpoints_fit(address, port, width):
    full = words.endpoint(model.Endpoint(str(address), port))
    short = words.short_endpoint(full, width)
    assert len(short) <= width
    assert short.endswith(f"]:{port}")


@given(st.text(), st.integers(1, 40))
def test_shortened_text_fits(text, width):
    assert words.cells(words.shorten(text, width)) <= width


@given(st.text(), st.integers(5, 40))
def test_shortened_paths_fit(path, width):
    assert words.cells(words.shorten_path(path, width)) <= width


def test_a_path_keeps_its_end():
    assert words.shorten_path("captures/tcp/web-page/capture.pcapng", 28) == "…/web-page/capture.pcapng"
    assert words.shorten_path("icmp-unreachable-retried", 14) == "icmp-un…etried"


def test_wide_characters_count_twice():
    assert words.cells("東京.pcap") == 9
    assert words.shorten("東京東京", 4) == "東…"


def test_notes_are_counted_in_words():
    notes = model.Notes(retransmissions=2, out_of_order=1, zero_windows=1, resets=1, resets_ignored=2)
    assert words.notes_words(notes) == ["2 retransmissions", "1 out of order", "1 zero window", "2 resets ignored"]


def test_marks_stay_apart_in_ascii():
    marks = [mark.translate(words.ASCII) for mark in words.MARKS.values()]
    assert len(set(marks)) == len(marks)
    assert "".join(marks).isascii()


def test_every_note_has_words():
    assert set(words.NOTE_WORDS) == set(model.Notes.__struct_fields__)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (exchange(), "GET /index.html → 200  5.12 kB  0.42 ms"),
        (exchange("POST /a", 201, 0, interim=[100]), "POST /a → 100, 201  0 B  0.42 ms"),
        (exchange("GET /a", 200, 0, interim=[103] * 4), "GET /a → 103, 103, 103, …, 200  0 B  0.42 ms"),
        (exchange("GET /a", None), "GET /a → no response"),
        (exchange("GET /a", None, interim=[100]), "GET /a → 100, no response"),
        (exchange(None, 200, 7), "(no request) → 200  7 B"),
        (exchange("GET /a", 200, 7, complete=False), "GET /a → 200 cut  7 B"),
        (exchange("GET /\x1b[2J", 200, 7), "GET /\\x1b[2J → 200  7 B  0.42 ms"),
        (exchange("GET /" + "a" * 99, 200, 7), "GET /" + "a" * 40 + "… → 200  7 B  0.42 ms"),
        (exchange("M" * 99 + " /a", 200, 7), "M" * 23 + "… /a → 200  7 B  0.42 ms"),
    ],
)
def test_exchange(one, said):
    assert words.exchange(one, 66) == said


def test_what_has_no_status_says_so():
    one = exchange("GET /", 200, 7)
    assert one.response
    old = msgspec.structs.replace(one, response=msgspec.structs.replace(one.response, status=None))
    assert words.exchange(old, 60) == "GET / → no status  7 B  0.42 ms"


def test_what_was_not_captured_is_marked():
    unread = exchange(request=model.Request(None, None, None, 4, 0, 61, 0))
    assert words.exchange(unread, 60) == "? ? → 200  5.12 kB  0.42 ms"


def test_the_target_is_shortened_before_anything_goes():
    one = exchange("GET /a/long/way/to/index.html")
    assert words.exchange(one, 45) == "GET /a/long/way/to/i… → 200  5.12 kB  0.42 ms"
    assert words.exchange(one, 34) == "GET /a/long/way/to… → 200  5.12 kB"
    assert words.exchange(one, 24) == "GET /a/long/way/t… → 200"


@given(st.text(), st.text(), st.integers(10, 200), st.lists(st.integers(100, 199), max_size=6))
def test_an_exchange_fits_every_width(method, target, width, interim):
    said = words.exchange(exchange(f"{method} {target}", interim=interim), width)
    assert words.cells(said) <= width
    assert said.isprintable()


def test_what_is_inside_is_found_once():
    outer, inner = http(exchange("GET /", 101)), http2(stream(1))
    tunnel = model.Tunnel("Upgrade h2c", model.PerSide(), http=inner)
    assert words.spoken(connection()) == []
    assert words.spoken(connection(http=outer)) == [outer]
    assert words.spoken(connection(http=outer, tunnel=tunnel)) == [outer, inner]
    assert words.spoken(connection(http=inner, tunnel=tunnel)) == [inner]


def test_verdicts_are_those_of_each_part():
    inside = model.Tunnel("CONNECT a:443", model.PerSide(), tls(), http2(stream(1), connection=opened(flow="http2/x")))
    one = connection(http=http(), tunnel=inside, lifecycle=opened())
    assert [scope for scope, _ in words.verdicts(one)] == [
        "open", "close", "tls", "http", "http", "http2-stream", "lifecycle",
    ]  # fmt: skip
    assert [scope for scope, _ in words.verdicts(connection())] == ["open", "close"]


def test_of_thousands_of_streams_the_first_of_each_kind_is_judged():
    astray = [on_stream(**unknown("diverged", None) | {"standard": str(n)}) for n in range(2)]
    ends = [on_stream(outcome="incomplete", cause=cause) for cause in ("open-at-end", "connection-ended")]
    streams = [stream(2 * n + 1, verdict=on_stream(), packet=1) for n in range(5000)]
    streams += [stream(20_001, verdict=verdict) for verdict in (*astray, *ends, *astray, *ends)]
    found = [verdict for scope, verdict in words.verdicts(connection(http=http2(*streams))) if scope == words.STREAMS]
    assert found == [on_stream(), astray[0], *ends]
