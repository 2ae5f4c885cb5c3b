"""The table, the evidence and the summary, as a terminal of 80 and one of 200 columns show them.

The expected texts are in `golden/`; after a wanted change `UPDATE_GOLDEN=1 pytest tests/reporter` writes them anew.
"""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import model
from analyzer.reporter import words
from analyzer.reporter.outputs.counts import Histogram
from analyzer.reporter.outputs.evidence import Evidence
from analyzer.reporter.outputs.summary import Summary
from analyzer.reporter.outputs.table import Table, distinct_names
from tests.reporter.builders import (
    Totals,
    certificate,
    closed,
    connection,
    diverged,
    exchange,
    handshake,
    http,
    http2,
    http2_showcase,
    on_stream,
    opened,
    refused,
    showcase,
    stream,
    tls,
    tls_showcase,
    unknown,
    web_showcase,
)
from tests.reporter.terminal import printed, summed_up

GOLDEN = Path(__file__).parent / "golden"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def everything(width, **options):
    totals = Totals(packets=20432, udp=100, quic=12, icmp=1, damaged=2, connections=6, dropped_by_interface=3)
    return {
        "http-table": printed(Table, web_showcase(), width=width, **options),
        "http-evidence": printed(Evidence, web_showcase(), width=width, **options),
        "http-summary": summed_up(web_showcase(), width=width, **options),
        "http2-table": printed(Table, http2_showcase(), width=width, **options),
        "http2-evidence": printed(Evidence, http2_showcase(), width=width, **options),
        "http2-summary": summed_up(http2_showcase(), width=width, **options),
        "tls-table": printed(Table, tls_showcase(), width=width, **options),
        "tls-evidence": printed(Evidence, tls_showcase(), width=width, **options),
        "tls-summary": summed_up(tls_showcase(), width=width, **options),
        "table": printed(Table, showcase(), width=width, **options),
        "evidence": printed(Evidence, showcase(), width=width, **options),
        "summary": summed_up(showcase(), totals, width=width, **options),
    }


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    "kind", [f"{of}{output}" for of in ("", "http-", "http2-", "tls-") for output in ("table", "evidence", "summary")]
)
def test_golden(kind, width):
    text = everything(width)[kind]
    expected = GOLDEN / f"{kind}-{width}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 200])
def test_colours_change_nothing_else(width):
    plain, coloured = everything(width), everything(width, colour=True)
    for kind in plain:
        assert "\x1b[" in coloured[kind]
        assert "\x1b[" not in plain[kind]
        assert [line.rstrip() for line in ANSI.sub("", coloured[kind]).splitlines()] == plain[kind].splitlines()


@given(st.integers(40, 250))
@settings(max_examples=60, deadline=None)
def test_table_and_summary_fit_every_width(width):
    shown = everything(width)
    lines = [line for kind in shown if kind.endswith("table") for line in shown[kind].splitlines()]
    if width >= 60:
        lines += [line for kind in shown if kind.endswith("summary") for line in shown[kind].splitlines()]
    assert max(map(words.cells, lines)) <= width


@pytest.mark.parametrize("width", [80, 120, 200])
def test_rows_printed_one_by_one_keep_their_columns(width):
    live = printed(Table, showcase(), width=width, live=True).splitlines()
    assert all(words.cells(line) <= width for line in live)
    dashes = live[1]
    gaps = [match.start() for match in re.finditer(" ", dashes)]
    for line in live:
        assert all(line[gap : gap + 1].strip() == "" for gap in gaps), line


def test_a_live_row_is_printed_at_once():
    written: list[str] = []
    table = Table(written.append, width=100, live=True)
    table.add(connection())
    assert "10.0.0.1:50112" in written[-1]
    table.add(refused())
    assert "refused" in written[-1]
    assert "client" not in written[-1]  # the header came once


def test_a_table_is_sorted_by_the_first_packet():
    lines = printed(Table, showcase()).splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["0", "1", "2", "3", "4", "5"]


def test_a_long_table_has_one_header_and_all_rows():
    many = [connection(id=number) for number in range(2500)]
    lines = printed(Table, many, width=100).splitlines()
    assert len(lines) == 2502
    assert sum("client" in line and "server" in line for line in lines) == 1


@pytest.mark.parametrize("live", [True, False])
def test_numbers_are_never_shortened(live):
    numbers = [9, 99_999, 3, 12_345_678]
    many = [connection(id=n, packets=model.PerSide(n, 0)) for n in (numbers if live else numbers * 600)]
    lines = printed(Table, many, width=120, live=live).splitlines()
    assert {line.split()[0] for line in lines} == {"#", "9", "99999", "3", "12345678"} | {
        line.split()[0] for line in lines if line.lstrip().startswith("--")
    }
    assert any("12,345,678" in line for line in lines)
    assert all(words.cells(line) <= 120 for line in lines)


def test_several_captures_have_a_column_of_their_own():
    captures = ["web.pcapng", "long/way/to/\x1b[2J.pcap"]
    lines = printed(Table, [connection(capture=path) for path in captures], width=80, captures=captures).splitlines()
    assert "capture" in lines[0]
    assert "web.pcapng " in lines[2]
    assert " \\x1b[2J.pcap " in lines[3]


@pytest.mark.parametrize(
    ("captures", "names"),
    [
        (["a/web.pcap", "a/mail.pcap"], ["web.pcap", "mail.pcap"]),
        (["tcp/reset/capture.pcap", "tcp/vlan/capture.pcapng"], ["reset", "vlan"]),
        (["tcp/vlan/capture.pcap", "tcp/vlan/capture.pcapng"], ["capture.pcap", "capture.pcapng"]),
        (["x.pcap", "x.pcap"], ["x.pcap", "x.pcap"]),
        (["x.pcap", "b/x.pcap"], ["x.pcap", "b/x.pcap"]),
        (["a/x.pcap", "a/b/x.pcap", "a/y.pcap"], ["a/x.pcap", "b/x.pcap", "y.pcap"]),
        (["/tmp/x.pcap", "y.pcap"], ["x.pcap", "y.pcap"]),
        (["/tmp/x.pcap", "x.pcap"], ["tmp/x.pcap", "x.pcap"]),
        (["missing.pcap", "tcp/reset/capture.pcap", "tcp/vlan/capture.pcap"], ["missing.pcap", "reset", "vlan"]),
        (["monday/web/a.pcap", "tuesday/web/a.pcap"], ["monday/web", "tuesday/web"]),
        (["-", "tcp/y.pcap"], ["-", "y.pcap"]),
        (["-"], ["-"]),
    ],
)
def test_captures_are_told_apart_in_few_words(captures, names):
    found = distinct_names(captures)
    assert [found.get(path, path) for path in captures] == names


def test_what_a_capture_says_cannot_reach_the_terminal():
    evil = "\x1b]0;owned\x07\u202e\n"
    name = "\x1b[2J=\u202etest"
    step = model.Step("server", evil, 4, 4, 0, seen="hidden")
    worn = tls(
        handshake(flow=f"tls/{evil}", standard=evil, branches=[evil], differs=[evil], steps=[step]),
        handshake("S Alert 6 1.0", flow="tls/rejected"),
        version=name, cipher_suite=name, key_exchange=evil, server_name=name, alpn=name, alpn_offered=[name, evil],
        strength="weak", strength_reason=evil, ja3=evil, ja3s=evil, ja4=evil, decrypted=False, decryption=evil,
        alerts=[model.Alert("server", evil, evil, 6), model.Alert("client", "fatal", evil, 7)],
        certificates=[
            certificate(subject=name, issuer=name, names=[name, evil], not_before=evil, not_after=evil, sha256=evil,
                        serial=evil, key=evil, signature=evil, problems=[evil, name]),
            certificate(subject=None, issuer=None, not_before=None, problems=[evil]),
        ],
        client_certificates=[certificate(subject=evil, problems=[evil])],
    )  # fmt: skip
    decrypted = tls(decryption=evil, server_name=name)
    astray = model.Divergence(1, "client", evil, [evil], evil, [evil])
    streams = http2(
        stream(
            1, f"{evil} {evil}", headers=[(evil, evil)], trailers=[(evil, evil)], protocol=evil,
            reset=model.Reset("client", evil, 9), grpc=model.Grpc(77, model.PerSide(1, 1)),
            verdict=on_stream(evil, standard=evil, differs=[evil], branches=[evil], steps=[step]),
        ),
        stream(3, verdict=on_stream(**unknown("diverged", None), divergence=astray, steps=[step])),
        settings=model.Settings({evil: 1}, {evil: 2}), frames={evil: 3}, goaway=[model.Goaway("client", evil, 1, 2)],
        connection=opened(flow=f"http2/{evil}", differs=[evil], steps=[step]), max_concurrent=2,
    )  # fmt: skip
    hostile = connection(
        capture=evil,
        tls=worn,
        faults=[model.Fault(1, evil, evil)],
        proxy_protocol=1,
        proxied_for=model.Endpoint(evil, 1),
        lifecycle=opened(flow=evil, differs=[evil], standard=evil),
        http=http(
            exchange(f"{evil} {evil}", headers=[(evil, evil)]),
            version=evil,
            connection=opened(flow=evil, differs=[evil], branches=[evil]),
            websocket=model.WebSocket(model.Frames({evil: 1}), 1000),
        ),
        tunnel=model.Tunnel(f"CONNECT {evil}", model.PerSide(1, 1), decrypted, streams),
        open=opened(differs=[evil], branches=[evil], flow=f"tcp-open/{evil}", standard=evil),
        close=closed(**unknown("diverged", None), divergence=model.Divergence(1, "client", evil, [evil], evil, [evil])),
    )
    texts = [
        printed(Table, [hostile], width=250, captures=[evil, "b"]),
        printed(Evidence, [hostile], several=True),
        summed_up([hostile, hostile], captures=2),
    ]
    for text in texts:
        assert text.replace("\n", "").isprintable()
        assert r"\x1b[2J=\u202etest" in text


def test_evidence_marks_where_no_flow_fits():
    lines = printed(Evidence, [diverged()]).splitlines()
    assert sum("✗ here" in line for line in lines) == 1
    (here,) = [line for line in lines if "✗ here" in line]
    assert here.split()[:1] == ["9"]
    assert "expected: server FIN" in printed(Evidence, [diverged()])


def test_evidence_says_what_was_inferred():
    step = model.Step("server", "Finished", 9, 9, 0, seen="inferred")
    assert "✓ inferred" in printed(Evidence, [connection(open=opened("", steps=[step]))])


def test_evidence_says_once_in_what_a_connection_differs():
    text = printed(Evidence, [connection(open=opened(branches=["variant: late", "again"], differs=["late"]))])
    assert "differs: late\n" in text
    assert "with: again\n" in text


@pytest.mark.parametrize(("width", "shown"), [(64, "✓ three-way  "), (80, "✓ three-way-handshake")])
def test_a_flow_is_named_in_full_before_further_columns_are_shown(width, shown):
    lines = printed(Table, [connection(server=("10.0.0.2", 50000)), refused()], width=width).splitlines()
    assert shown in lines[2]
    assert "packets" not in lines[0]


def test_a_column_of_flows_is_no_wider_than_what_it_shows():
    for width in range(40, 130):
        lines = printed(Table, [connection()] * 2, width=width).splitlines()
        assert max(map(words.cells, lines[2:])) == len(lines[1]), width


def test_what_never_opened_is_not_unseen():
    text = summed_up([refused()])
    assert "– never opened" in text
    assert "unseen" not in text
    assert "– never opened" in printed(Table, [refused()])
    assert "  close    – never opened\n" in printed(Evidence, [refused()])


def test_a_summary_of_nothing():
    assert summed_up([], Totals(packets=7, udp=7)).splitlines() == [
        "No TCP connections (7 packets read)",
        "  left out   packets: 7 UDP",
    ]


def test_a_summary_says_how_many_the_filter_let_through():
    assert summed_up([connection()], Totals(packets=99, connections=30)).startswith("1 of 30 connections: 42 packets")


def test_a_summary_says_how_many_captures_could_be_read():
    assert summed_up([connection()], captures=3).startswith("1 connection in 1 of 3 captures: ")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([], None),
        ([4], "4.00 ms"),
        (range(1, 4), "min 1.00 ms, median 2.00 ms, max 3.00 ms (of 3)"),
        (range(1, 21), "min 1.00 ms, median 10.0 ms, 95 % 19.0 ms, max 20.0 ms (of 20)"),
    ],
)
def test_handshake_times_in_as_many_words_as_there_is_to_say(times, said):
    text = summed_up([connection(timing=model.Timing(handshake_ns=ms * 1_000_000)) for ms in times] or [refused()])
    found = re.search(r"^  handshake  (.*)$", text, re.MULTILINE)
    assert (found and found[1]) == said


def test_below_evidence_a_summary_does_not_repeat_it():
    totals = Totals(packets=50, connections=9, udp=3)
    assert summed_up([connection()], totals, below_evidence=True).splitlines() == [
        "1 of 9 connections: 42 packets, 42.0 kB of payload (50 packets read)",
        "  left out   packets: 3 UDP",
    ]
    two = summed_up([connection(), refused()], below_evidence=True)
    assert "opened" in two
    assert "marks" not in two


def test_late_segments_are_named():
    assert "left out   packets: 4 that came after their connection was reported" in summed_up(
        [connection()], Totals(packets=50, connections=1, late=4)
    )


def test_examples_are_few_and_say_how_to_see_the_rest():
    text = summed_up([diverged(id=number) for number in range(20)], width=200)
    assert text.count("server RST at packet 9") == 8
    assert "… and 12 more: -v --filter 'outcome=diverged'" in text


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=300))
def test_quantiles_are_right_to_a_fraction_of_a_percent(values):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    assert (histogram.least, histogram.most) == (min(values), max(values))
    for share in (0.5, 0.95):
        exact = sorted(values)[max(0, -(-len(values) * round(share * 100) // 100) - 1)]
        assert abs(histogram.quantile(share) - exact) <= exact * 0.0015 + 1


def test_a_histogram_stays_small():
    histogram = Histogram()
    for value in range(1, 10**9, 10_007):
        histogram.add(value)
    assert len(histogram._buckets) < 15_000


def test_exchanges_are_no_cells():
    """A row is as wide with them as without, one by one or all at once."""
    for options in ({"live": True}, {}):
        with_them = printed(Table, web_showcase(), width=100, **options).splitlines()
        bare = [connection(id=n) for n in range(6)] + [refused(id=6)]
        without = printed(Table, bare, width=100, **options).splitlines()
        rows = [line for line in with_them if not line.startswith("    ")]
        assert [row[:70] for row in rows] == [row[:70] for row in without]
        assert "    GET /index.html → 200  5.12 kB  0.42 ms" in with_them


def test_a_live_row_comes_with_its_exchanges():
    written: list[str] = []
    table = Table(written.append, width=100, live=True)
    table.add(connection(http=http(exchange())))
    assert written[-1].splitlines()[-1] == "    GET /index.html → 200  5.12 kB  0.42 ms"


def test_a_row_that_is_held_back_keeps_few_exchanges():
    table = Table(lambda text: None)
    table.add(connection(http=http(*[exchange()] * 5000)))
    (held,) = table._pending
    assert len(held.below) == 6
    assert held.below[-1] == [("… and 4,995 more", None)]


def test_a_table_says_where_http_diverged():
    divergence = model.Divergence(6, "server", "response", ["client request"], None, [])
    verdict = opened("", divergence=divergence, **unknown("diverged", None))
    one = connection(http=http(connection=verdict), lifecycle=verdict)
    text = printed(Table, [one], width=250)
    assert text.count("server response at packet 6") == 1  # the lifecycle has the divergence of its part
    assert summed_up([one, one], width=250).count("server response at packet 6") == 2


def test_evidence_lists_a_thousand_exchanges():
    text = printed(Evidence, [connection(http=http(*[exchange("GET /x")] * 1200, exchanges_not_listed=10))])
    assert text.count("GET /x") == 1000
    assert "… and 210 more" in text


def test_evidence_lists_header_fields_where_there_are_any():
    headers = [("Host", "example.test"), ("X-Long", "word " * 60)]
    text = printed(Evidence, [connection(http=http(exchange(headers=headers)))], width=80)
    assert "             > Host: example.test\n" in text
    assert "             < Host: example.test\n" in text
    assert max(map(words.cells, text.splitlines())) <= 84
    assert "Host:" not in printed(Evidence, [connection(http=http(exchange()))])


def test_a_summary_counts_methods_in_bounded_memory():
    summary = Summary(width=200)
    for n in range(3000):
        summary.add(connection(http=http(exchange(f"M{n} /"), exchange("GET /"))))
    assert len(summary._http.methods) == 1000
    text = summary.text()
    assert "methods    GET 3,000, M0 1, " in text
    assert "others 2,993" in text
    assert "exchanges  6,000; per connection min 2, median 2, max 2" in text


def test_a_summary_counts_what_has_no_status():
    without = model.Response(None, 6, 0, 0, 9, 6, True)
    text = summed_up([connection(http=http(exchange(), exchange("GET /gone", None), exchange(response=without)))] * 2)
    assert "  statuses   2xx 2 (200: 2); no response 2, no status 2\n" in text


def test_a_summary_without_http_does_not_speak_of_it():
    text = summed_up(showcase())
    for word in ("http", "exchanges", "methods", "statuses", "first byte", "lifecycle"):
        assert f"  {word}" not in text
