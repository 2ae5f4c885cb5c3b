"""HTTP Archive 1.2: every log is one, says what the report says, and hides what the report hides."""

from __future__ import annotations

import datetime
import io
import json

import msgspec
import pytest
from jsonschema import Draft202012Validator

from analyzer.reporter import words
from analyzer.reporter.http import REDACTED
from analyzer.reporter.outputs import har
from analyzer.reporter.outputs.har import Har
from tests.cases import CASES, capture_of, keys_of, report_of
from tests.reporter.builders import connection, exchange, http

# The objects of the format's text, with the fields that it does not call optional.
TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number", "minimum": -1}, {"type": "integer", "minimum": -1}


def of(optional: tuple[str, ...] = (), **fields: object) -> dict:
    """An object; fields of its own begin with an underscore."""
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name not in optional],
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def several(one: dict) -> dict:
    return {"type": "array", "items": one}


PAIR = of(name=TEXT, value=TEXT)
COMMENT = ("comment",)
REQUEST = of(
    ("postData", *COMMENT),
    method=TEXT, url={"type": "string", "format": "uri", "pattern": "^[A-Za-z][A-Za-z0-9+.-]*://"}, httpVersion=TEXT,
    cookies=several(PAIR), headers=several(PAIR), queryString=several(PAIR), headersSize=WHOLE, bodySize=WHOLE,
    postData=of(COMMENT, mimeType=TEXT, params=several(PAIR), text=TEXT, comment=TEXT), comment=TEXT,
)  # fmt: skip
RESPONSE = of(
    COMMENT,
    status=WHOLE, statusText=TEXT, httpVersion=TEXT, cookies=several(PAIR), headers=several(PAIR), redirectURL=TEXT,
    content=of(COMMENT, size=WHOLE, mimeType=TEXT, comment=TEXT), headersSize=WHOLE, bodySize=WHOLE, comment=TEXT,
)  # fmt: skip
TIMINGS = of(blocked=NUMBER, dns=NUMBER, connect=NUMBER, ssl=NUMBER, send=NUMBER, wait=NUMBER, receive=NUMBER)
ENTRY = of(
    startedDateTime={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$"}, time=NUMBER,
    request=REQUEST, response=RESPONSE, cache=of(), timings=TIMINGS, serverIPAddress=TEXT, connection=TEXT,
)  # fmt: skip
LOG = of(
    COMMENT,
    version={"const": "1.2"}, creator=of(name=TEXT, version=TEXT), pages={"const": []}, entries=several(ENTRY),
    comment=TEXT,
)  # fmt: skip
SCHEMA = Draft202012Validator(of(log=LOG))


def log_of(*connections) -> dict:
    out = io.BytesIO()
    report = Har(out.write, "1")
    for one in connections:
        report.add(one)
    report.finish()
    found = json.loads(out.getvalue())
    SCHEMA.validate(found)
    return found["log"]


@pytest.mark.parametrize("case", CASES)
def test_every_exchange_that_was_asked_for_is_an_entry(case):
    connections, _, _ = report_of(str(capture_of(case)), keys=keys_of(case), headers=True)
    log = log_of(*connections)
    listed = [one for each in connections for found in words.spoken(each) for one in found.exchanges if one.request]
    assert len(log["entries"]) == len(listed)
    for entry, one in zip(log["entries"], listed, strict=True):
        assert entry["request"]["method"] == (one.request.method or "unknown")
        assert entry["response"]["status"] == ((one.response and one.response.status) or 0)
        assert entry["_request_packet"] == one.request.packet
        timings = entry["timings"]
        spent = sum(ms for name, ms in timings.items() if ms > 0 and name != "ssl")
        assert entry["time"] == pytest.approx(spent, abs=1e-5)
        assert timings["ssl"] <= timings["connect"]


@pytest.mark.parametrize("case", ["tcp/web-page", "http1/keep-alive", "http2/over-tls"])
def test_an_exchange_takes_as_long_as_it_did(case):
    connections, _, _ = report_of(str(capture_of(case)), keys=keys_of(case), headers=True)
    (one, *_) = [one for one in connections if one.http and one.http.exchanges]
    first = one.http.exchanges[0]
    entry = log_of(one)["entries"][0]
    begun = datetime.datetime.fromisoformat(entry["startedDateTime"][:26])
    assert begun == datetime.datetime.fromisoformat(one.start[:26])  # the first one, with the connection
    assert entry["time"] == pytest.approx(first.finished_ns / 1e6, abs=1e-4)


def test_https_and_what_it_said():
    connections, _, _ = report_of(str(capture_of("tls/keep-alive")), keys=keys_of("tls/keep-alive"), headers=True)
    (entry, *_) = log_of(*connections)["entries"]
    assert entry["request"]["url"].startswith("https://")
    assert entry["_tls"]["version"] == "TLS 1.3"
    assert entry["timings"]["ssl"] > 0


def test_what_was_not_decrypted_is_told():
    connections, _, _ = report_of(str(capture_of("tls/no-keys")), headers=True)
    log = log_of(*connections)
    assert log["entries"] == []
    assert "TLS was not decrypted" in log["comment"]


@pytest.mark.parametrize(
    ("value", "cookies"),
    [(REDACTED, []), ("a=b; c=d=e; f", [{"name": "a", "value": "b"}, {"name": "c", "value": "d=e"}])],
)
def test_cookies_are_those_that_are_shown(value, cookies):
    one = exchange("GET /", 200)
    asked = msgspec.structs.replace(one.request, headers=[("Cookie", value)])
    (entry,) = log_of(connection(http=http(msgspec.structs.replace(one, request=asked))))["entries"]
    assert entry["request"]["cookies"] == cookies


@pytest.mark.parametrize(
    ("method", "target", "authority", "url"),
    [
        ("GET", "/a?b=c", "x.test", "http://x.test/a?b=c"),
        ("GET", "http://y.test/", "x.test", "http://y.test/"),
        ("CONNECT", "x.test:443", "x.test:443", "http://x.test:443/"),
        ("OPTIONS", "*", "x.test", "http://x.test/*"),
        ("GET", None, None, "http://unknown"),
    ],
)
def test_urls_are_absolute(method, target, authority, url):
    one = exchange("GET /", 200)
    asked = msgspec.structs.replace(one.request, method=method, target=target, authority=authority)
    one = msgspec.structs.replace(one, request=asked)
    (entry,) = log_of(connection(http=http(one)))["entries"]
    assert entry["request"]["url"] == url


def test_remarks_are_bounded(monkeypatch):
    monkeypatch.setattr(har, "MOST_REMARKS", 1)
    connections, _, _ = report_of(str(capture_of("tls/no-keys")))
    assert "and 2 more" in log_of(*[connections[0]] * 3)["comment"]
