"""Bytes that were not captured, and beginnings that were not: what survives, and what is said about it."""

from __future__ import annotations

import pytest

from tests.dissector.http_talk import GET, OK, brief, faults, only_fault, steps, talk

BODY = "S HTTP/1.1 200 OK|Content-Length: 10||012"
CHUNKED = "S HTTP/1.1 200 OK|Transfer-Encoding: chunked||a|012"


def test_a_gap_in_a_body_is_counted():
    for begin, rest in ((BODY, "S 789"), (CHUNKED, "S 789|0||")):
        found = talk(GET, begin, "S gap 4", rest, GET, OK)
        assert brief(found) == ["GET / -> 200 +10", "GET / -> 200"]
        assert found.exchanges[0].response.body_lost == 4
        assert faults(found) == []


@pytest.mark.parametrize(
    ("turns", "cause"),
    [
        ([GET, OK], None),
        ([GET, BODY, "S gap 4", "S 789"], None),
        (["C GET / HTTP/1.1|X", "C fin"], None),
        ([GET, BODY, "S gap 9"], "lost-in-capture"),
        ([GET, "S HTTP/1.1 200 OK|X", "S gap 9"], "lost-in-capture"),
        ([GET, CHUNKED, "S gap 9"], "lost-in-capture"),
        (["S neither head nor body", OK], "framing"),
        ([GET, "S HTTP/1.1 200 OK|Transfer-Encoding: chunked||?|x"], "framing"),
    ],
)
def test_it_is_said_whether_steps_may_be_missing(turns, cause):
    assert talk(*turns).lost == cause


def test_a_capture_that_began_later_than_the_connection():
    assert talk("S rest of a body", OK, midstream=True).lost == "mid-stream"
    assert talk(GET, OK, "S gap 9", midstream=True).lost == "lost-in-capture"


def test_a_gap_to_the_very_end_of_a_body():
    found = talk(GET, BODY, "S gap 7", GET, OK)
    assert brief(found) == ["GET / -> 200 +10", "GET / -> 200"]
    assert found.exchanges[0].response.last_packet == 3


def test_a_gap_in_a_body_until_close():
    found = talk(GET, "S HTTP/1.1 200 OK||abc", "S gap 1000", "S x", "S fin")
    assert brief(found) == ["GET / -> 200 +1004"]


def test_a_gap_beyond_a_body():
    found = talk(GET, BODY, "S gap 8", "S more of it", GET, OK)
    assert brief(found) == ["GET / -> 200 +10", "GET / -> 200"]
    assert faults(found) == [
        "1 bytes are missing between two messages: lost-in-capture",
        "10 bytes skipped before this message",
    ]


def test_a_gap_over_the_size_of_a_chunk():
    found = talk(GET, CHUNKED, "S gap 20", "S yz|0||", GET, OK)
    assert brief(found) == ["GET / -> 200 +10", "GET / -> 200"]
    assert found.exchanges[0].response.cut == "lost-in-capture"
    assert "where the size of a chunk stood" in faults(found)[0]
    assert steps(found) == ["C HTTP Request", "S HTTP Response"] * 2
    assert [event.outstanding for event in found.events] == [0, 0, 0, 0]


def test_a_lost_response_is_not_mistaken_for_the_next_one():
    found = talk(
        GET, OK, "C GET /b HTTP/1.1|Host: a||", "S gap 300", "S rest of a body", "C GET /c HTTP/1.1|Host: a||", OK
    )
    assert brief(found) == ["GET / -> 200", "GET /b -> ?", "GET /c -> 200"]
    assert found.lost == "lost-in-capture"
    assert [event.outstanding for event in found.events] == [0, 0, 0, 0, 0]


def test_where_a_chunked_body_ends_after_a_gap_is_not_known():
    found = talk(GET, CHUNKED, "S gap 20", "S yz|0||", "S fin")
    assert brief(found) == ["GET / -> 200 +10…"]
    assert steps(found) == ["C HTTP Request"]
    assert found.exchanges[0].response.cut == "lost-in-capture"


def test_nor_where_one_ends_whose_head_is_cut():
    found = talk(GET, "S HTTP/1.1 200 OK|Con", "S gap 50", "S fin")
    assert (brief(found), steps(found)) == (["GET / -> 200…"], ["C HTTP Request"])
    assert found.exchanges[0].response.cut == "lost-in-capture"


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_gap_in_the_head_of_a_response(chunk):
    """That there was one is known from its first line; the next one is found."""
    found = talk(GET, "S HTTP/1.1 302 Found|Loca", "S gap 30", "S : x|y||body", GET, OK, chunk=chunk)
    assert brief(found) == ["GET / -> 302", "GET / -> 200"]
    assert faults(found)[0] == "30 bytes of a head are missing: lost-in-capture"


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_gap_in_the_head_of_a_request(chunk):
    found = talk("C POST /a HTTP/1.1|Host: b|X", "C gap 30", "C x||", OK, GET, OK, chunk=chunk)
    assert brief(found) == ["POST /a… -> 200", "GET / -> 200"]
    assert found.exchanges[0].request.authority == "b"
    assert len(faults(found)) == 2


def test_a_gap_in_a_first_line():
    found = talk(GET, OK, "C GET /lo", "C gap 10", "C P/1.1|Host: a||", GET, OK)
    assert brief(found) == ["GET / -> 200"] * 2
    assert len(faults(found)) == 2


def test_a_gap_between_messages():
    found = talk(GET, OK, "C gap 500", "S gap 500", GET, OK)
    assert brief(found) == ["GET / -> 200"] * 2
    assert faults(found) == [
        "500 bytes are missing between two messages: lost-in-capture",
        "500 bytes are missing between two messages: lost-in-capture",
    ]


@pytest.mark.parametrize("chunk", [0, 1, 5])
def test_a_capture_that_begins_in_a_body(chunk):
    found = talk(
        "S the rest of a body", "S HTTP/1.1 200 OK|Content-Length: 2||ok", GET, OK, chunk=chunk, midstream=True
    )
    assert brief(found) == ["? -> 200 +2", "GET / -> 200"]
    assert only_fault(found).endswith(
        "the capture begins inside a message, or this is not HTTP: 18 bytes skipped before this message"
    )


@pytest.mark.parametrize("chunk", [0, 1, 5])
def test_a_capture_that_begins_in_a_requests_body(chunk):
    found = talk("C a=b&c=dPOST /x HTTP/1.1|Host: a|Content-Length: 1||z", OK, chunk=chunk, midstream=True)
    assert brief(found) == ["POST /x +1 -> 200"]
    assert "7 bytes skipped" in only_fault(found)


def test_what_is_no_http_at_all():
    found = talk("C \x16\x03\x01\x02\x00\x01\x00\x01\xfc", "S \x16\x03\x03", "C fin", "S fin")
    assert (found.exchanges, found.version) == ([], None)
    assert len(faults(found)) == 2


def test_more_bytes_than_a_response_said():
    found = talk(GET, "S HTTP/1.1 200 OK|Content-Length: 2||okay", GET, OK)
    assert brief(found) == ["GET / -> 200 +2", "GET / -> 200"]
    assert faults(found) == [
        "`ayHTTP/1.1 200 OK` is no response",
        "2 bytes skipped before this message",
    ]


def test_a_body_where_none_may_be():
    found = talk(GET.replace("GET", "HEAD"), "S HTTP/1.1 200 OK|Content-Length: 5||hello\n", GET, OK)
    assert brief(found) == ["HEAD / -> 200", "GET / -> 200"]
    assert faults(found)[0] == "`hello` is no response"


@pytest.mark.parametrize("size", [100, 9000, 40000, 200000])
@pytest.mark.parametrize("chunk", [0, 1460])
def test_long_garbage_is_not_kept(size, chunk):
    garbage = "\0HTTP/1.x " * (size // 10)
    for side, message, others in (("S", OK[2:], [GET]), ("C", GET[2:], [])):
        found = talk(*others, f"{side} {garbage}\n{message}", "end", chunk=chunk)
        assert len(found.exchanges) == 1
        assert f"{len(garbage) + 1} bytes skipped" in only_fault(found)
        resync = (found.client if side == "C" else found.server).resync
        assert resync is None or resync.held < 100_000
