"""What Jupyter shows of connections: HTML that is whole, escaped, and needs nothing else."""

from __future__ import annotations

import html.parser
import re

import msgspec
import pytest

import analyzer
from analyzer import model
from analyzer.connections import Connections
from analyzer.reporter.outputs import notebook
from tests.cases import CASES, analysed, capture_of

VOID = {"br", "hr", "img", "input", "link", "meta"}
# What is in such a page: no script, no style sheet, no image, no form.
TAGS = {
    "div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "span", "details", "summary", "pre", "code",
}  # fmt: skip
ATTRIBUTES = {"class", "style", "scope", "title", "open"}


class Page(html.parser.HTMLParser):
    """Fails where an element is not closed, and keeps elements and text."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: dict[str, set[str]] = {}
        self.rows: list[list[str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        assert tag not in VOID
        self._open.append(tag)
        self.tags.append(tag)
        for name, value in attributes:
            self.attributes.setdefault(name, set()).add(value)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self._open and ({"td", "th"} & set(self._open)):
            self.rows[-1][-1] += data


@pytest.mark.parametrize("case", CASES)
def test_connections_show_themselves(case):
    for connection in analysed(case)[0][:3]:
        page = Page(connection._repr_html_())
        assert set(page.tags) <= TAGS
        assert page.attributes.keys() <= ATTRIBUTES
        (head, row) = page.rows
        assert len(head) == len(row)
        assert row[0] == str(connection.id)
        assert row[1].endswith(f":{connection.client.port}")
        assert f"#{connection.id}  " in page.text
        for step in connection.open.steps:
            assert step.step in page.text


def test_the_ladder_stands_in_it():
    web = analyzer.read(capture_of("tcp/web-page"))
    text = Page(web[2]._repr_html_()).text
    assert re.search(r"client +server +as documented", text)
    assert "│───── SYN ──────▶│  ✓" in text
    assert "tcp-close/four-way" in text


def test_a_capture_shows_a_table_and_its_summary():
    web = analyzer.read(capture_of("tcp/web-page"))
    page = Page(web._repr_html_())
    assert set(page.tags) <= TAGS
    assert [row[0] for row in page.rows] == ["#", "0", "1", "2", "3", "4"]
    assert page.rows[3][4] == "✓ four-way"
    assert "5 connections" in page.text
    assert "F1, RFC 9293 §3.5" in page.text
    assert len(Page(web.where("close=four-way")._repr_html_()).rows) == 2
    assert len(Page(web[:2]._repr_html_()).rows) == 3


def test_nothing_from_the_capture_is_markup():
    evil = "</pre><script>alert('\"')</script>\x1b[31m\u202e<img src=x onerror=a>"
    (connection,) = analysed("tls/1.3-full")[0]

    tls = msgspec.structs.replace(connection.tls, server_name=evil, alpn=evil, decryption=evil)
    request = msgspec.structs.replace(connection.http.exchanges[0].request, target=evil, method=evil, authority=evil)
    exchange = msgspec.structs.replace(connection.http.exchanges[0], request=request)
    http = msgspec.structs.replace(connection.http, exchanges=[exchange], version=evil)
    fault = model.Fault(1, evil, evil)
    bad = msgspec.structs.replace(connection, capture=evil, tls=tls, http=http, faults=[fault])
    shown = Connections(evil, [bad], analyzer.read(capture_of("tcp/refused")).totals, [evil])
    for text in (bad._repr_html_(), shown._repr_html_()):
        page = Page(text)
        assert set(page.tags) <= TAGS
        assert page.attributes.keys() <= ATTRIBUTES
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<script" in page.text


def test_it_needs_nothing_else_and_sets_no_colour_of_its_own():
    text = analyzer.read(capture_of("tcp/web-page"))._repr_html_()
    assert not re.search(r"https?:|url\(|@import|src=|href=", text)
    assert not re.search(r"(?<![-\w])color:(?!inherit)|#[0-9a-f]{3,6}\b|rgba?[(]", text)


def test_much_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(notebook, "MOST_ROWS", 2)
    monkeypatch.setattr(notebook, "MOST_LINES", 5)
    web = analyzer.read(capture_of("tcp/web-page"))
    page = Page(web._repr_html_())
    assert len(page.rows) == 3
    assert "and 3 more" in page.text
    text = Page(web[2]._repr_html_()).text
    assert re.search(r"… \d+ more lines", text)
    assert len(text.splitlines()) < 12


def test_a_capture_without_connections():
    empty = analyzer.read(capture_of("tcp/web-page")).where("server.port=9")
    assert "0 connections" in Page(empty._repr_html_()).text
