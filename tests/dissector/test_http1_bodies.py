"""Where a message ends: RFC 9112 §6 and §7, and what may be skipped on the way."""

from __future__ import annotations

import pytest

from analyzer.dissector.http1.states import CLIENT, SERVER
from tests.dissector.http_talk import GET, OK, brief, faults, only_fault, say, steps, talk

NEXT = OK.replace("200 OK", "204 No Content").replace("Content-Length: 0", "Server: next")

# Each: the server's answer to a GET, with the body's size; a second exchange must be found behind it.
DELIMITED = [
    ("HTTP/1.1 200 OK|Content-Length: 5||hello", 5),
    ("HTTP/1.1 200 OK|content-length:5||hello", 5),
    ("HTTP/1.1 200 OK|Content-Length: \t 5 ||hello", 5),
    ("HTTP/1.1 200 OK|Content-Length: 0005||hello", 5),
    ("HTTP/1.1 200 OK|Content-Length: 0||", 0),
    ("HTTP/1.1 200|Content-Length: 2||ok", 2),
    ("HTTP/1.1 204 No Content||", 0),
    ("HTTP/1.1 304 Not Modified|Content-Length: 1000||", 0),
    ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|0||", 5),
    ("HTTP/1.1 200 OK|Transfer-Encoding: Chunked||5|hello|0||", 5),
    ("HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked||5|hello|0||", 5),
    ("HTTP/1.1 200 OK|Transfer-Encoding: gzip|Transfer-Encoding: chunked||5|hello|0||", 5),
    ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||5;name=value;other|hello|0;last||", 5),
    ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||5   |hello|0  ||", 5),
    ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||00A|0123456789|000||", 10),
    ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||a|0123456789|1|x|0|Digest: x|More: y||", 11),
    ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||0||", 0),
]


@pytest.mark.parametrize(("answer", "size"), DELIMITED)
@pytest.mark.parametrize("chunk", [0, 1, 3])
def test_bodies_that_say_where_they_end(answer, size, chunk):
    found = talk(GET, f"S {answer}", GET, NEXT, chunk=chunk)
    assert brief(found)[1] == "GET / -> 204"
    assert found.exchanges[0].response.body_bytes == size
    assert found.exchanges[0].response.complete
    assert faults(found) == []
    assert steps(found) == ["C HTTP Request", "S HTTP Response"] * 2


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_response_to_head_has_no_body(chunk):
    found = talk(GET.replace("GET", "HEAD"), "S HTTP/1.1 200 OK|Content-Length: 5||", GET, OK, chunk=chunk)
    assert brief(found) == ["HEAD / -> 200", "GET / -> 200"]
    assert faults(found) == []


def test_one_without_length_ends_with_its_connection():
    found = talk(GET, "S HTTP/1.1 200 OK||hel", "S lo", "S fin")
    response = found.exchanges[0].response
    assert brief(found) == ["GET / -> 200 +5"]
    assert (response.packet, response.last_packet, found.exchanges[0].finished_ns) == (2, 3, 40)
    assert found.events[-1].packet == 4
    assert not found.exchanges[0].persistent


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        ("HTTP/1.1 200 OK|Content-Length: 9||hello", "fin"),
        ("HTTP/1.1 200 OK|Content-Length: 9||hello", "rst"),
        ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||9|hello", "fin"),
        ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|", "fin"),
        ("HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|0|", "fin"),
        ("HTTP/1.1 200 OK||hello", "rst"),
    ],
)
def test_what_ends_before_its_end_is_cut(answer, last):
    found = talk(GET, f"S {answer}", f"S {last}")
    assert brief(found) == ["GET / -> 200 +5…"]
    assert found.exchanges[0].response.cut == last
    assert found.exchanges[0].finished_ns is None
    assert "RFC 9112 §8" in only_fault(found)
    assert steps(found) == ["C HTTP Request", "S Cut Response"]


def test_a_reset_by_the_client_cuts_it_as_well():
    found = talk(GET, "S HTTP/1.1 200 OK|Content-Length: 9||hello", "C rst", "S too late")
    assert brief(found) == ["GET / -> 200 +5…"]
    assert steps(found)[-1] == "S Cut Response"


@pytest.mark.parametrize("answer", ["HTTP/1.1 200 OK|Content-Length: 9||hello", "HTTP/1.1 200 OK||hello"])
def test_where_the_capture_ends_nothing_is_known(answer):
    found = talk(GET, f"S {answer}", "end")
    assert brief(found) == ["GET / -> 200 +5…"]
    assert (steps(found), faults(found)) == (["C HTTP Request"], [])


def test_request_bodies():
    found = talk(
        "C POST /a HTTP/1.1|Host: a|Content-Length: 3||abcPUT /b HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|xy|0||",
        OK + "HTTP/1.1 201 Created|Content-Length: 2||ok",
    )
    assert brief(found) == ["POST /a +3 -> 200", "PUT /b +2 -> 201 +2"]


def test_a_request_body_cut_short():
    found = talk("C POST / HTTP/1.1|Host: a|Content-Length: 9||abc", "C fin")
    assert brief(found) == ["POST / +3… -> ?"]
    assert "6 bytes before its end" in only_fault(found)


@pytest.mark.parametrize("side", ["C", "S"])
def test_bodies_need_not_be_fed(side):
    head = "POST / HTTP/1.1|Host: a" if side == "C" else "HTTP/1.1 200 OK"
    found = talk(*([] if side == "C" else [GET]))
    number = CLIENT if side == "C" else SERVER
    assert found.skippable(number) == 0
    say(found, f"{side} {head}|Content-Length: 1000||0123456789", 2)
    assert found.skippable(number) == 990
    say(found, f"{side} skip 900", 3)
    assert found.skippable(number) == 90
    say(found, f"{side} skip 90", 4)
    assert found.skippable(number) == 0
    message = found.exchanges[0].request if side == "C" else found.exchanges[0].response
    assert (message.body_bytes, message.complete, message.last_packet) == (1000, True, 4)


def test_chunks_and_bodies_until_close_may_be_skipped_too():
    found = talk(GET, "S HTTP/1.1 200 OK|Transfer-Encoding: chunked||ff|", "S skip 255", "S |0||")
    assert brief(found) == ["GET / -> 200 +255"]
    found = talk(GET, "S HTTP/1.1 200 OK||", "S skip 1000000", "S fin")
    assert brief(found) == ["GET / -> 200 +1000000"]


def test_more_skipped_than_may_be_is_a_loss():
    found = talk(GET, "S HTTP/1.1 200 OK|Content-Length: 3||")
    found.skip(SERVER, 10, 30, 3)
    assert brief(found) == ["GET / -> 200 +3"]
    assert only_fault(found) == "7 bytes are missing between two messages: not looked at"


def test_views_of_larger_buffers_do():
    data = memoryview(b"..HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + bytes(40000) + b"HTTP/1.1 204 N\r\n\r\n")[
        2:
    ]
    found = talk(GET, GET)
    found.feed(SERVER, data, 30, 3)
    assert brief(found) == ["GET / -> 200 +40000", "GET / -> 204"]


def test_http_0_9_is_a_line_and_a_body():
    for chunk in (0, 1):
        found = talk("C GET /old|", "S <html>", "S </html>", "S fin", chunk=chunk)
        assert brief(found) == ["GET /old -> body +13"]
        assert (found.version, faults(found)) == ("HTTP/0.9", [])
        assert found.exchanges[0].response.status is None


@pytest.mark.parametrize("body", ["", "ok", "HTTP", "HTTP is fine"])
@pytest.mark.parametrize("chunk", [0, 1])
def test_any_body_may_answer_http_0_9(body, chunk):
    found = talk("C GET /old|", *([f"S {body}"] if body else []), "S fin", chunk=chunk)
    assert (brief(found)[0] == "GET /old -> ?") == (body == "")
    assert sum(exchange.response.body_bytes for exchange in found.exchanges if exchange.response) == len(body)


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_server_of_today_may_answer_http_0_9_with_a_head(chunk):
    found = talk("C GET /old|", "S HTTP/1.0 400 Bad Request||no", "S fin", chunk=chunk)
    assert brief(found) == ["GET /old -> 400 +2"]


@pytest.mark.parametrize("line", ["GET|", "POST /old|", "GET old|", "EHLO mail|", "\x16\x03\x01\x02|", "get /old|"])
def test_other_lines_are_no_http_0_9(line):
    found = talk(f"C {line}", "C fin")
    assert found.exchanges == []
    assert "bytes skipped up to the end" in only_fault(found)


def test_after_http_0_9_nothing_more_is_expected_of_the_client():
    found = talk("C GET /old|Host: a||", "S x", "S fin", "C fin")
    assert brief(found) == ["GET /old -> body +1"]
    assert "is no request" in faults(found)[0]
