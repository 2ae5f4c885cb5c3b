"""Every documented flow is seen in a recorded capture: a page that no real traffic follows would only be an opinion."""

from __future__ import annotations

from collections import defaultdict

import pytest

from analyzer.flows import load_library
from analyzer.reporter import words
from tests.cases import CASES, analysed

PAGES = {page.id: page for page in load_library().pages}


def verdicts_of(connection):
    yield from (connection.open, connection.close)
    for tls in words.secured(connection):
        yield from tls.handshakes
    for http in words.spoken(connection):
        yield http.connection
        yield from (one.verdict for one in http.exchanges if one.verdict)
    if connection.lifecycle:
        yield connection.lifecycle


@pytest.fixture(scope="module")
def verdicts():
    """The verdicts that were matched, by flow."""
    found = defaultdict(list)
    for case in CASES:
        for connection in analysed(case)[0]:
            for verdict in verdicts_of(connection):
                if verdict.outcome in ("documented", "variant"):
                    found[verdict.flow].append(verdict)
    return found


@pytest.mark.parametrize("flow", PAGES)
def test_a_capture_follows_it(flow, verdicts):
    assert verdicts[flow], f"no capture in captures/ shows {flow}: record one"


@pytest.mark.parametrize("flow", [page.id for page in PAGES.values() if page.scope == "tcp-close" and page.either_side])
def test_a_close_is_seen_from_both_sides(flow, verdicts):
    assert {verdict.closed_by for verdict in verdicts[flow]} == {"client", "server"}


def test_no_verdict_names_a_flow_without_a_page(verdicts):
    assert set(verdicts) <= set(PAGES)
