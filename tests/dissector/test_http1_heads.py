"""Start lines and fields, and the shapes that smuggle requests: each is a fault, the exchanges around it survive."""

from __future__ import annotations

import pytest

from tests.dissector.http_talk import GET, OK, brief, faults, only_fault, talk


@pytest.mark.parametrize(
    ("line", "target", "authority"),
    [
        ("GET / HTTP/1.1", "/", "a"),
        ("GET http://b:8080/x?y#z HTTP/1.1", "http://b:8080/x?y#z", "b:8080"),
        ("GET http://user@b HTTP/1.1", "http://user@b", "b"),
        ("OPTIONS * HTTP/1.1", "*", "a"),
        ("CONNECT b:443 HTTP/1.1", "b:443", "b:443"),
        ("M-SEARCH * HTTP/1.1", "*", "a"),
        ("get / HTTP/1.1", "/", "a"),
        ("BREW /pot-0 HTTP/1.1", "/pot-0", "a"),
        ("QUERY /search HTTP/1.0", "/search", "a"),
        ("GET /caf\xc3\xa9 HTTP/1.1", "/café", "a"),
        ("GET /caf\xe9 HTTP/1.1", "/caf\\xe9", "a"),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1])
def test_request_lines(line, target, authority, chunk):
    found = talk(f"C {line}|Host: a||", "end", chunk=chunk)
    request = found.exchanges[0].request
    assert (request.method, request.target, request.authority) == (line.split()[0], target, authority)
    assert faults(found) == []


# Each is read all the same: what was asked is known, and the connection goes on.
ODD_LINES = [
    ("GET  / HTTP/1.1", "GET /", "§3)"),
    (" GET / HTTP/1.1", "GET /", "§3)"),
    ("GET\t/\tHTTP/1.1", "GET /", "§3)"),
    ("GET / HTTP/1.1 ", "GET /", "§3)"),
    ("GET /a b HTTP/1.1", "GET /a b", "§3.2)"),
    ("GET /a\0b HTTP/1.1", "GET /a\0b", "§3.2)"),
    ("GET / http/1.1", "GET /", "§2.3)"),
    ("GET / HTTP/1.01", "GET /", "§2.3)"),
    ("GET / HTTP/2.0", "GET /", "§2.3)"),
    ("GET file HTTP/1.1", "GET file", "§3.2)"),
    ("GET * HTTP/1.1", "GET *", "§3.2.4)"),
    ("CONNECT /x HTTP/1.1", "CONNECT /x", "§3.2.3)"),
    ("CONNECT b:25 / HTTP/1.0", "CONNECT b:25", "§3)"),
    ("GET HTTP/1.1", "GET ", "§3)"),
]


@pytest.mark.parametrize(("line", "asked", "section"), ODD_LINES)
def test_odd_request_lines(line, asked, section):
    found = talk(f"C {line}|Host: a||", GET)
    assert brief(found)[0] == f"{asked} -> ?"
    assert only_fault(found).endswith(section)


@pytest.mark.parametrize("line", ["HELLO", "/ HTTP/1.1", "G@T / HTTP/1.1", "GET / RTSP/1.0", "SIP/2.0 200 OK"])
def test_what_is_no_request_line_is_passed_over(line):
    found = talk(GET, OK, f"C {line}|Host: a||", GET, OK)
    assert brief(found) == ["GET / -> 200", "GET / -> 200"]
    assert "is no request" in faults(found)[0]
    assert faults(found)[1].endswith("bytes skipped before this message")


def test_a_method_that_follows_garbage_in_its_line_is_recognised_if_it_is_known():
    assert brief(talk(GET, "C (GET / HTTP/1.1|Host: a||"))[1:] == ["GET / -> ?"]
    assert brief(talk(GET, "C (BREW / HTTP/1.1|Host: a||"))[1:] == []


@pytest.mark.parametrize(
    ("line", "status", "section"),
    [
        ("HTTP/1.1 200", 200, ""),
        ("HTTP/1.1 200 ", 200, ""),
        ("HTTP/1.1  200 OK", 200, "§4)"),
        ("HTTP/1.1 2000 OK", 200, "§4)"),
        ("HTTP/1.1 700 What", 700, "RFC 9110 §15)"),
        ("HTTP/1.01 200 OK", 200, "§2.3)"),
        ("HTTP/2 200", 200, "§2.3)"),
    ],
)
def test_status_lines(line, status, section):
    found = talk(GET, f"S {line}|Content-Length: 0||")
    assert brief(found) == [f"GET / -> {status}"]
    assert all(fault.endswith(section) for fault in faults(found))
    assert len(found.faults) == bool(section)


@pytest.mark.parametrize("line", ["HTTP/1.1 OK", "HTTP/1.1 20 OK", "HTTP/1.1", "ICY 200 OK", "+OK ready"])
def test_what_is_no_status_line(line):
    found = talk(GET, f"S {line}|a: b||", OK)
    assert brief(found) == ["GET / -> 200"]


def test_fields_are_kept_if_asked_for():
    turns = ("C GET / HTTP/1.1|Host: a|X:|X: \tone two ||", "S HTTP/1.1 200 OK|Transfer-Encoding: chunked||0|T: u||")
    found = talk(*turns, keep_fields=True).exchanges[0]
    assert found.request.fields == [("Host", "a"), ("X", ""), ("X", "one two")]
    assert found.response.fields == [("Transfer-Encoding", "chunked"), ("T", "u")]
    assert talk(*turns).exchanges[0].request.fields == []


def test_sizes_and_packets_of_a_head():
    found = talk("C |GET / HTT", "C P/1.1|Host: a||", "S HTTP/1.1 200 OK|Content-Leng", "S th: 2||o", "S k")
    exchange = found.exchanges[0]
    assert (exchange.request.packet, exchange.request.head_packet, exchange.request.header_bytes) == (1, 2, 27)
    assert (exchange.response.packet, exchange.response.head_packet, exchange.response.last_packet) == (3, 4, 5)
    assert (exchange.started_ns, exchange.first_byte_ns, exchange.finished_ns) == (10, 30, 50)
    assert exchange.request.header_bytes_on_wire == 27


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("X : y", "blanks before the colon of `X` (RFC 9112 §5.1)"),
        ("X: y|  folded", "obsolete line folding (RFC 9112 §5.2)"),
        ("no colon", "a line without a colon among the fields: `no colon` (RFC 9112 §5)"),
        ("(X): y", "`(X)` is no field name (RFC 9110 §5.1)"),
        (": y", "`` is no field name (RFC 9110 §5.1)"),
        ("X: a\0b", "a bare CR or a NUL in a field line (RFC 9112 §2.2, RFC 9110 §5.5)"),
        ("X: a\rb", "a bare CR or a NUL in a field line (RFC 9112 §2.2, RFC 9110 §5.5)"),
        ("X: y\nZ: z", "a line ends with LF alone (RFC 9112 §2.2)"),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1])
def test_fields_in_fault(field, fault, chunk):
    """The other fields of the message are read all the same."""
    found = talk(f"C GET / HTTP/1.1|{field}|Host: a|Content-Length: 2||xy", GET, OK, OK, chunk=chunk)
    assert brief(found) == ["GET / +2 -> 200", "GET / -> 200"]
    assert only_fault(found) == fault
    found = talk(GET, f"S HTTP/1.1 200 OK|Server: a|{field}|Content-Length: 2||xy", chunk=chunk)
    assert (brief(found), only_fault(found)) == (["GET / -> 200 +2"], fault)


def test_blanks_before_the_first_field():
    found = talk("C GET / HTTP/1.1| X: y|Host: a||", GET)
    assert only_fault(found) == "blanks between the start line and the first field (RFC 9112 §2.2)"


@pytest.mark.parametrize("chunk", [0, 1])
def test_lines_may_end_with_lf_alone(chunk):
    found = talk("C GET / HTTP/1.0\n\n", "S HTTP/1.0 200 OK\nContent-Length: 2\n\nok", chunk=chunk)
    assert brief(found) == ["GET / -> 200 +2"]
    assert faults(found) == ["a line ends with LF alone (RFC 9112 §2.2)"] * 2


@pytest.mark.parametrize(("hosts", "count"), [("X: y", "no"), ("Host: a|Host: a", "2")])
def test_hosts(hosts, count):
    assert only_fault(talk(f"C GET / HTTP/1.1|{hosts}||")) == f"{count} Host fields in a request (RFC 9112 §3.2)"


def test_http_1_0_needs_no_host():
    assert faults(talk("C GET / HTTP/1.0||")) == []


# What a POST says about its length, the body it has, that body's size, and the section.
SMUGGLING = [
    ("Content-Length: 5|Transfer-Encoding: chunked", "0||", 0, "§6.3, §11.2)"),
    ("Transfer-Encoding: chunked|Content-Length: 5", "0||", 0, "§6.3, §11.2)"),
    ("Transfer-Encoding : chunked", "0||", 0, "§5.1)"),
    ("Transfer-Encoding:| chunked", "0||", 0, "§5.2)"),
    ("Transfer-Encoding: chunked, chunked", "0||", 0, "§6.1)"),
    ("Content-Length: 5, 5", "hello", 5, "§6.3)"),
    ("Content-Length: 5|Content-Length: 5", "hello", 5, "§6.3)"),
    ("Content-Length : 5", "hello", 5, "§5.1)"),
]


@pytest.mark.parametrize(("fields", "body", "size", "section"), SMUGGLING)
def test_smuggling_with_an_end_that_can_be_found(fields, body, size, section):
    found = talk(f"C POST /1 HTTP/1.1|Host: a|{fields}||{body}GET /2 HTTP/1.1|Host: a||", OK, OK)
    asked = "POST /1 +5" if size else "POST /1"
    assert brief(found) == [f"{asked} -> 200", "GET /2 -> 200"]
    assert only_fault(found).endswith(section)


# Its length is anyone's guess, so the next message is looked for by its content.
UNKNOWN = [
    ("Content-Length: 5|Content-Length: 6", "§6.3)"),
    ("Content-Length: 5, 6", "§6.3)"),
    ("Content-Length: five", "§6.3)"),
    ("Content-Length: +5", "§6.3)"),
    ("Content-Length: -5", "§6.3)"),
    ("Content-Length: 0x5", "§6.3)"),
    ("Content-Length: 5 5", "§6.3)"),
    ("Content-Length:", "§6.3)"),
    ("Content-Length: ٥", "§6.3)"),
    (f"Content-Length: {'9' * 5000}", "RFC 9110 §8.6)"),
    ("Transfer-Encoding: chunked, gzip", "§6.1)"),
    ("Transfer-Encoding: xchunked", "§6.3)"),
    ("Transfer-Encoding: chunked\x0b", "§6.3)"),
]


@pytest.mark.parametrize(("fields", "section"), UNKNOWN)
def test_smuggling_without_an_end(fields, section):
    fields = fields.encode().decode("latin-1")
    found = talk(f"C POST /1 HTTP/1.1|Host: a|{fields}||helloGET /2 HTTP/1.1|Host: a||", OK, OK)
    assert brief(found) == ["POST /1… -> 200", "GET /2 -> 200"]
    assert faults(found)[0].endswith(section)
    assert faults(found)[1:] == ["5 bytes skipped before this message"]


@pytest.mark.parametrize(
    ("body", "section"),
    [
        ("5 x|hello|0||", "§7.1)"),
        ("0x5|hello|0||", "§7.1)"),
        ("+5|hello|0||", "§7.1)"),
        ("-1|hello|0||", "§7.1)"),
        ("|hello|0||", "§7.1)"),
        ("5_0|hello|0||", "§7.1)"),
        ("fffffffffffffffff|hello|0||", "§7.1)"),
        ("4|hello|0||", "§7.1)"),
        ("5|helloX|0||", "§7.1)"),
        ("x" * 20000 + "|", "§7.1)"),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1])
def test_bad_chunks(body, section, chunk):
    """The exchange before and the one after survive; that a response follows shows that this one ended."""
    bad = f"S HTTP/1.1 200 OK|Transfer-Encoding: chunked||{body}"
    found = talk(GET, OK, GET, bad, GET, "S HTTP/1.1 201 Created|Content-Length: 0||", chunk=chunk)
    assert [exchange.response.status for exchange in found.exchanges] == [200, 200, 201]
    assert faults(found)[0].endswith(section)
    assert found.exchanges[1].response.cut == "framing"


@pytest.mark.parametrize("body", ["5\nhello|0||", "5|hello\n0||", "5;a\rb|hello|0||"])
def test_line_ends_of_chunks(body):
    found = talk(GET, f"S HTTP/1.1 200 OK|Transfer-Encoding: chunked||{body}", GET, OK)
    assert brief(found) == ["GET / -> 200 +5", "GET / -> 200"]
    assert "§7.1" in only_fault(found)


def test_http_1_0_does_not_know_transfer_codings():
    found = talk("C GET / HTTP/1.0||", "S HTTP/1.0 200 OK|Transfer-Encoding: chunked||2|ok|0||")
    assert brief(found) == ["GET / -> 200 +2"]
    assert only_fault(found) == "Transfer-Encoding in a message of HTTP/1.0 (RFC 9112 §6.1)"


def test_a_response_whose_last_coding_is_not_chunked_ends_with_the_connection():
    found = talk(GET, "S HTTP/1.1 200 OK|Transfer-Encoding: chunked, gzip||hello", "S fin")
    assert brief(found) == ["GET / -> 200 +5"]
    assert only_fault(found) == "chunked is not the last transfer coding (RFC 9112 §6.1)"


def test_identity_means_that_there_is_no_coding():
    found = talk(GET, "S HTTP/1.1 200 OK|Transfer-Encoding: identity|Content-Length: 2||ok", GET, OK)
    assert brief(found) == ["GET / -> 200 +2", "GET / -> 200"]


@pytest.mark.parametrize("chunk", [0, 1, 1000])
def test_a_head_has_a_limit(chunk):
    long = "C GET /long HTTP/1.1|Host: a|X: " + "y" * 2000
    found = talk(long + "||", GET, OK, chunk=chunk, head_limit=1024)
    assert brief(found)[1:] == ["GET / -> ?"]
    assert found.exchanges[0].request.target == "/long"
    assert "a head of more than 1024 bytes" in faults(found)[0]
    assert faults(talk(long + "||", chunk=chunk, head_limit=len(long) + 4)) == []


def test_a_line_without_end_is_not_kept():
    found = talk("C " + "x" * 5000, GET, head_limit=1024)
    assert "a head of more than" in faults(found)[0] or "bytes skipped" in faults(found)[0]
    assert brief(found) == ["GET / -> ?"]


def test_faults_are_bounded():
    found = talk(*["C GET / HTTP/1.1||"] * 150)
    assert (len(found.faults), found.faults_beyond) == (100, 50)
    assert len(found.exchanges) == 150
