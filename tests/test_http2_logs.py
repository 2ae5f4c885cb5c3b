"""What the programs of the HTTP/2 captures logged themselves is what is reported of them, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analyzer import model
from tests.cases import CASES, analysed

# Their captures lack packets, so their logs have more than the captures. Each is held against its expect.yaml.
INCOMPLETE = {"http2/loss-in-data", "http2/loss-in-headers", "http2/mid-stream"}
LOGS = [
    (case, name)
    for case, folder in CASES.items()
    if case.startswith("http2/") and case not in INCOMPLETE
    for name in ("client.log", "server.log")
    if (folder / name).exists()
]
UNKNOWN = "-"  # what a program does not log


def https(connection: model.Connection) -> Iterator[model.Http]:
    """What is spoken to the server of the log: inside a tunnel, not with the proxy."""
    inside = connection.tunnel.http if connection.tunnel else None
    for http in (inside or connection.http,):
        if http is not None:
            yield http


def reported(case: str) -> list[str]:
    """The exchanges as the logs have them: `method path status bytes`."""
    found = []
    for connection in analysed(case)[0]:
        for http in https(connection):
            assert http.exchanges_not_listed == 0
            for one in http.exchanges:
                assert one.request is not None, one
                assert one.response is not None, one
                words = one.request.method, one.request.target, one.response.status, one.response.body_bytes
                found.append(" ".join(map(str, words)))
    return found


def logged(case: str, name: str) -> list[str]:
    return (CASES[case] / name).read_text().splitlines()


def unmatched(lines: list[str], exchanges: list[str]) -> list[str]:
    """Lines that are no exchange, and exchanges that are no line. Those that say most choose first."""
    left = list(exchanges)
    missing = []
    for line in sorted(lines, key=lambda line: line.split(" ").count(UNKNOWN)):
        if (one := next((one for one in left if same(line, one)), None)) is None:
            missing.append(f"logged: {line}")
        else:
            left.remove(one)
    return missing + [f"reported: {one}" for one in left]


def same(line: str, exchange: str) -> bool:
    return all(word in (UNKNOWN, theirs) for word, theirs in zip(line.split(" "), exchange.split(" "), strict=True))


@pytest.mark.parametrize(("case", "name"), LOGS)
def test_the_log_is_what_is_reported(case, name):
    lines = logged(case, name)
    assert lines
    assert unmatched(lines, reported(case)) == []


def test_the_captures_that_are_left_out_lack_packets():
    for case in INCOMPLETE:
        assert len(logged(case, "server.log")) > 2
        assert any(
            connection.open.cause == "mid-stream" or connection.notes.lost_segments for connection in analysed(case)[0]
        ), case


def test_every_program_is_there():
    cases = {case for case, _ in LOGS}
    assert {"http2/parallel", "http2/push", "http2/h2load", "http2/many", "http2/page", "http2/grpc-tls"} <= cases


def test_a_difference_is_found():
    assert unmatched(["GET / 200 5", "- - 200 -"], ["GET /a 200 7", "GET / 200 5"]) == []
    assert unmatched(["GET / 200 5"], ["GET / 200 6"]) == ["logged: GET / 200 5", "reported: GET / 200 6"]
    assert unmatched(["- - 200 -"], ["GET / 200 6", "GET / 200 6"]) == ["reported: GET / 200 6"]
