"""What is written into the page: data, texts, bounds. What the page does with it is in `test_html_in_browser.py`."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import model
from analyzer.flows import load_library
from analyzer.reporter import words
from analyzer.reporter.outputs import html
from analyzer.reporter.outputs.html import CAUSES, OUTCOMES, Html, nanoseconds
from analyzer.reporter.outputs.html.details import shown
from analyzer.reporter.outputs.html.packing import NOWHERE, Blocks, packed
from tests.cases import CASES, analysed, capture_of, keys_of
from tests.reporter.builders import connection, exchange, http, showcase, tls_showcase, web_showcase
from tests.test_cli import run

LIBRARY = load_library()


def page_of(connections, **options):
    pieces = []
    report = Html(pieces.append, LIBRARY, **options)
    for one in connections:
        report.add(one)
    report.finish()
    return "".join(pieces)


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


def data_of(page):
    """The index, and the details of all connections."""
    (index,) = re.findall(r'<script type="application/gzip" id="index">([^<]*)</script>', page)
    blocks = re.findall(r'<script type="application/gzip" class="details">([^<]*)</script>', page)
    return unpacked(index), [item for block in blocks for item in unpacked(block)]


def report_of(tmp_path, case, *options):
    path = tmp_path / "report.html"
    keys = [part for key in keys_of(case) for part in ("--keys", key)]
    result = run("read", "-o", str(path), *keys, *options, str(capture_of(case)))
    assert result.exit_code == 0, result.output
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", ["tcp/web-page", "http2/parallel", "tls/1.3-full", "http1/connect-proxy-tls"])
def test_the_data_are_the_json_of_the_connections(tmp_path, case):
    index, details = data_of(report_of(tmp_path, case))
    expected = [msgspec.to_builtins(one) for one in sorted(analysed(case)[0], key=lambda one: one.id)]
    found = [one["connection"] for one in details]
    assert found == json.loads(msgspec.json.encode(expected))
    assert index["rows"]["count"] == len(found)
    for row, (block, item) in enumerate(
        zip(index["rows"]["columns"]["block"], index["rows"]["columns"]["item"], strict=True)
    ):
        assert (block, item) == (0, row)


def test_every_ladder_has_as_many_rungs_as_steps_at_least(tmp_path):
    _, details = data_of(report_of(tmp_path, "http2/parallel"))
    for one in details:
        for path, rungs in one["rungs"].items():
            verdict = one["connection"]
            for part in path.split("."):
                verdict = verdict[int(part)] if part.isdigit() else verdict[part]
            assert [rung[3] for rung in rungs if rung[3] is not None] == list(range(len(verdict["steps"])))


def test_frames_of_http2_are_there_in_their_order(tmp_path):
    _, details = data_of(report_of(tmp_path, "http2/parallel"))
    frames = details[0]["frames"]
    assert len(frames) == 30  # HEADERS of six requests and responses, 18 DATA
    assert [frame[3] for frame in frames] == sorted(frame[3] for frame in frames)
    assert {frame[0] for frame in frames} == {1, 3, 5, 7, 9, 11}


def test_header_fields_are_there_only_if_they_are_asked_for(tmp_path):
    secret = "Basic"
    case = next(case for case in CASES if case == "http1/single-exchange")
    plain = json.dumps(data_of(report_of(tmp_path, case))[1])
    assert "user-agent" not in plain.lower()
    listed = json.dumps(data_of(report_of(tmp_path, case, "--headers"))[1])
    assert "user-agent" in listed.lower()
    assert secret not in plain


FIELDS = [("Authorization", "s3cret"), ("cookie", "s3cret"), ("Host", "a")]


@pytest.mark.parametrize(
    ("headers", "secrets", "expected"),
    [(False, False, None), (True, False, ["(not shown)", "(not shown)", "a"]), (True, True, ["s3cret", "s3cret", "a"])],
)
def test_secrets_stay_out_of_the_page(headers, secrets, expected):
    one = exchange()
    request = msgspec.structs.replace(one.request, headers=FIELDS)
    response = msgspec.structs.replace(one.response, headers=[("Set-Cookie", "s3cret")])
    one = msgspec.structs.replace(one, request=request, response=response, trailers=FIELDS)
    talk = http(one)
    found = shown(
        connection(http=talk, tunnel=model.Tunnel("CONNECT a", model.PerSide(), http=talk)),
        headers=headers, secrets=secrets,
    )  # fmt: skip
    for each in (found.http.exchanges[0], found.tunnel.http.exchanges[0]):
        values = None if each.request.headers is None else [value for _, value in each.request.headers]
        assert values == expected
        assert (each.trailers is None) == (not headers)
    if not secrets:
        assert b"s3cret" not in msgspec.json.encode(found)
        assert "s3cret" not in page_of([connection(http=talk)], headers=headers)


def test_every_word_is_explained():
    assert set(CAUSES) == set(get_args(model.Cause))
    assert set(OUTCOMES) == set(words.MARKS)


def test_without_scripts_the_summary_the_findings_and_the_claims_can_be_read():
    page = page_of([*showcase(), *web_showcase(), *tls_showcase()])
    visible = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.S)
    for text in ("three-way-handshake", "mid-stream", "Each side picks a random initial sequence number.", "HTTP/1.1"):
        assert text in visible
    assert "<noscript>" in page


def test_the_page_allows_itself_nothing_else():
    page = page_of([connection()])
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.findall(
        r'(?:src|href)="(?!#|https://www\.rfc-editor\.org/)', re.sub(r"<script.*", "", page, flags=re.S)
    )
    assert 'style="' not in page


def test_equal_captures_give_equal_pages():
    assert page_of(showcase()) == page_of(showcase())


def test_connections_beyond_the_bound_are_counted(monkeypatch):
    monkeypatch.setattr(html, "MOST_CONNECTIONS", 3)
    page = page_of([connection(id=number) for number in range(10)])
    assert "7 further connections are counted here and not listed" in page
    assert data_of(page)[0]["rows"]["count"] == 3


def test_details_beyond_the_bound_are_left_out(monkeypatch):
    monkeypatch.setattr(html, "MOST_DETAIL_BYTES", 1)
    monkeypatch.setattr("analyzer.reporter.outputs.html.packing._BLOCK_BYTES", 100)
    index, details = data_of(page_of([connection(id=number) for number in range(5)]))
    assert index["rows"]["count"] == 5
    assert len(details) < 5
    assert index["rows"]["columns"]["block"][-1] == -1


def test_names_of_files_that_are_no_text_do_no_harm():
    page = page_of([connection(capture="a\udcff<b>.pcap")])
    page.encode("utf-8")
    assert "<b>.pcap" not in page


@given(st.lists(st.binary(max_size=2000), max_size=40), st.integers(1, 5000))
@settings(max_examples=60, deadline=None)
def test_blocks_give_back_what_they_were_given(items, most):
    blocks = Blocks(most)
    texts = [json.dumps(item.hex()).encode() for item in items]
    places = [blocks.add(text) for text in texts]
    found = [unpacked(text) for text in blocks.texts()]
    for text, place in zip(texts, places, strict=True):
        assert place == NOWHERE or json.dumps(found[place.block][place.item]).encode() == text


@given(st.text())
def test_packed_text_has_nothing_to_act_on(text):
    found = packed(text.encode("utf-8", "replace"))
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", found)
    assert gzip.decompress(base64.b64decode(found)) == text.encode("utf-8", "replace")


def test_nanoseconds():
    assert nanoseconds("1970-01-01T00:00:01.000000002Z") == 1_000_000_002


def test_the_format_follows_the_name(tmp_path, monkeypatch):
    case = str(capture_of("tcp/refused"))
    for name in ("a.html", "B.HTM"):
        assert run("read", "-o", str(tmp_path / name), case).exit_code == 0
        assert (tmp_path / name).read_text().startswith("<!DOCTYPE html>")
    assert run("read", "-o", str(tmp_path / "a.txt"), case).exit_code == 0
    assert "refused" in (tmp_path / "a.txt").read_text().splitlines()[2]
    assert run("read", "--format", "csv", "-o", str(tmp_path / "c.html"), case).exit_code == 0
    assert (tmp_path / "c.html").read_text().startswith("capture,")


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    assert run("read", "-o", str(path), str(tmp_path / "missing.pcap")).exit_code != 0
    assert sorted(Path(tmp_path).iterdir()) == [path]


def test_several_captures_and_filters(tmp_path):
    path = tmp_path / "report.html"
    captures = [str(capture_of(case)) for case in ("tcp/web-page", "tcp/refused", "tcp/half-close")]
    assert run("read", "-o", str(path), "--filter", "open=refused", *captures).exit_code == 0
    index, details = data_of(path.read_text())
    assert len(details) == index["rows"]["count"] == 2
    assert index["several"]
    assert [place >= 0 for place in index["segmentBlock"]] == [True, True]
    assert "2 of 8 connections in 3 captures" in path.read_text()
