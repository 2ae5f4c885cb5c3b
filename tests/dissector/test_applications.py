"""What runs inside the connections, through the whole program: packets in, HTTP out, in chunks of any size."""

from __future__ import annotations

import io

import hpack
import pytest

import analyzer
from analyzer import model
from tests.conversations import HANDSHAKE, Conversation, capture_of, report
from tests.dissector.http2_talk import END, PREFACE, data, get, ok, settings, update

GET = b"GET /page HTTP/1.1\r\nHost: test\r\n\r\n"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + bytes(300)
HEAD = 40  # bytes of PAGE's head
DATA = {"get": GET, "page": PAGE}
# Of TLS 1.2, with one cipher suite and no extensions.
CLIENT_HELLO = b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + bytes(32) + b"\x00\x00\x02\xc0\x2f\x01\x00"
ASK = ("C DATA get", "S ACK")
CLOSE = ("C FIN", "S FIN", "C ACK")

SEGMENT = 1400
LARGE = 200_000
LARGE_HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n".encode()
LARGE_PAGE = LARGE_HEAD + b"\r\n\r\nHTTP/1.1 500 no response but a body\r\n\r\n" * (LARGE // 40) + b"x" * LARGE
LARGE_PAGE = LARGE_PAGE[: len(LARGE_HEAD) + LARGE]
UPLOAD = f"POST /form HTTP/1.1\r\nHost: test\r\nContent-Length: {LARGE}\r\n\r\n".encode() + bytes(LARGE)
BULK = DATA | {"large": LARGE_PAGE, "upload": UPLOAD}

CHUNKS = (64, 1000, 20_000, 100_000, 1 << 20)


def encoded(content: bytes, chunk_bytes: int, **options) -> bytes:
    """The report, in the order in which connections began: when they finish is not the matter here."""
    analysis = analyzer.analyze(io.BytesIO(content), chunk_bytes=chunk_bytes, **options)
    return b"".join(sorted(b"".join(analysis.lines()).splitlines(keepends=True)))


def talk_all(*lines: str, data: dict[str, bytes] | None = None, **options) -> list[model.Connection]:
    """The connections of a conversation, which are the same however much is read at a time."""
    content = capture_of(Conversation(data=data or DATA).say(*lines))
    reports = {size: encoded(content, size, **options) for size in CHUNKS}
    for size, seen in reports.items():
        assert seen == reports[1 << 20], f"chunks of {size} bytes"
    return report(content, **options)


def talk(*lines: str, data: dict[str, bytes] | None = None, **options) -> model.Connection:
    (connection,) = talk_all(*lines, data=data, **options)
    return connection


def in_segments(side: str, name: str, content: bytes, *, ack: bool = True) -> list[str]:
    """Lines that send all of it; the other side acknowledges every second segment."""
    lines = []
    for number, at in enumerate(range(0, len(content), SEGMENT)):
        lines.append(f"{side} DATA {name}[{at}:{min(at + SEGMENT, len(content))}]")
        if ack and number % 2:
            lines.append("C ACK" if side == "S" else "S ACK")
    return lines


def only_exchange(connection: model.Connection) -> model.Exchange:
    assert connection.http is not None
    (exchange,) = connection.http.exchanges
    return exchange


def flow(connection: model.Connection) -> tuple[str | None, str]:
    assert connection.http is not None
    return connection.http.connection.flow, connection.http.connection.outcome


SINGLE = ("http1/single-exchange", "documented")


class TestOneExchange:
    def test_in_a_segment_each(self):
        connection = talk(*HANDSHAKE, *ASK, "S DATA page", "C ACK", "C FIN", "S ACK", "S FIN", "C ACK")
        exchange = only_exchange(connection)
        assert exchange.request.packet == 4
        request, response = exchange.request, exchange.response
        assert (request.method, request.target, request.authority) == ("GET", "/page", "test")
        assert request.header_bytes == len(GET)
        assert (response.status, response.packet, response.last_packet, response.complete) == (200, 6, 6, True)
        assert (response.header_bytes, response.body_bytes) == (HEAD, 300)
        assert exchange.started_ns == 30_000_000
        assert exchange.first_byte_ns == exchange.finished_ns == 50_000_000
        assert connection.timing.first_response_ns == 50_000_000
        assert flow(connection) == SINGLE
        assert (connection.lifecycle.flow, connection.lifecycle.outcome) == ("lifecycle/http1-connection", "documented")
        assert connection.faults == []

    def test_with_heads_over_three_segments(self):
        ask = ("C DATA get[0:2]", "C DATA get[2:20]", "C DATA get[20:]", "S ACK")
        answer = ("S DATA page[0:3]", "S DATA page[3:38]", "S DATA page[38:]", "C ACK")
        connection = talk(*HANDSHAKE, *ask, *answer, *CLOSE)
        exchange = only_exchange(connection)
        assert (exchange.request.packet, exchange.request.header_bytes) == (4, len(GET))
        assert (exchange.response.packet, exchange.response.last_packet) == (8, 10)
        assert (exchange.response.header_bytes, exchange.response.body_bytes) == (HEAD, 300)
        assert flow(connection) == SINGLE

    def test_byte_by_byte(self):
        lines = [f"C DATA get[{at}:{at + 1}]" for at in range(len(GET))]
        lines += [f"S DATA page[{at}:{at + 1}]" for at in range(len(PAGE))]
        connection = talk(*HANDSHAKE, *lines, "C ACK", *CLOSE)
        assert only_exchange(connection).response.body_bytes == 300
        assert flow(connection) == SINGLE

    def test_out_of_order(self):
        answer = ("S DATA page lost", *(f"S DATA page{part}" for part in ("[100:] seq=5101", "[10:100] seq=5011",
                                                                        "[0:10] seq=5001")))  # fmt: skip
        connection = talk(*HANDSHAKE, *ASK, *answer, "C ACK", *CLOSE)
        exchange = only_exchange(connection)
        assert (exchange.response.packet, exchange.response.complete) == (8, True)
        assert exchange.response.body_bytes_lost == 0
        assert flow(connection) == SINGLE
        assert connection.faults == []

    def test_sent_again(self):
        connection = talk(*HANDSHAKE, *ASK, "C DATA again", "S DATA page", "S DATA again", "C ACK", *CLOSE)
        assert only_exchange(connection).response.body_bytes == 300
        assert connection.notes.retransmissions == 2
        assert flow(connection) == SINGLE

    def test_a_lost_and_acknowledged_part_of_the_body(self):
        answer = ("S DATA page[0:100]", "S DATA page[100:200] lost", "S DATA page[200:]", "C ACK")
        connection = talk(*HANDSHAKE, *ASK, *answer, *CLOSE)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (300, True)

    def test_a_lost_part_that_nothing_acknowledges(self):
        answer = ("S DATA page[0:100]", "S DATA page[100:200] lost", "S DATA page[200:]")
        response = only_exchange(talk(*HANDSHAKE, *ASK, *answer)).response
        assert (response.body_bytes, response.complete) == (300, True)

    def test_a_lost_part_of_a_head(self):
        answer = ("S DATA page[0:20]", "S DATA page[20:30] lost", "S DATA page[30:]", "C ACK")
        connection = talk(*HANDSHAKE, *ASK, *answer, *CLOSE)
        assert any("of a head are missing" in fault.message for fault in connection.faults)

    def test_a_cut_packet(self):
        connection = talk(*HANDSHAKE, *ASK, "S DATA page cut=100", "C ACK", *CLOSE)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (300, True)

    @pytest.mark.parametrize("framing", [b"Content-Length: 300", b"Connection: close!!"])
    @pytest.mark.parametrize("acknowledged", ["ack=5101", "ack=5001"])
    def test_a_fin_before_the_hole_is_filled(self, framing, acknowledged):
        answer = ("S DATA page lost", "S DATA page[0:100] seq=5001", "S DATA page[200:] seq=5201", "S FIN",
                  f"C ACK {acknowledged}", "S DATA page[100:200] seq=5101", "C ACK", "C FIN", "S ACK")  # fmt: skip
        data = DATA | {"page": PAGE.replace(b"Content-Length: 300", framing)}
        connection = talk(*HANDSHAKE, *ASK, *answer, data=data)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (300, True)
        assert response.body_bytes_lost == 0
        assert flow(connection) == SINGLE
        assert connection.faults == []

    def test_a_fin_before_a_hole_that_is_never_filled(self):
        answer = ("S DATA page lost", "S DATA page[0:100] seq=5001", "S DATA page[200:] seq=5201", "S FIN")
        data = DATA | {"page": PAGE.replace(b"Content-Length: 300", b"Connection: close!!")}
        for end in ((), ("C ACK",), ("C FIN", "S ACK"), ("C RST",)):
            response = only_exchange(talk(*HANDSHAKE, *ASK, *answer, *end, data=data)).response
            assert (response.body_bytes, response.body_bytes_lost, response.complete) == (300, 100, True)

    def test_a_fin_with_the_last_bytes(self):
        data = DATA | {"page": PAGE.replace(b"Content-Length: 300", b"Connection: close!!")}
        connection = talk(*HANDSHAKE, *ASK, "S DATA page[0:200]", "S FIN page[200:]", "C FIN", "S ACK", data=data)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (300, True)
        assert flow(connection) == SINGLE


class TestMuchData:
    """Bodies of many segments: of these the packet stage hands on only the last ones."""

    def check(self, *lines: str) -> model.Connection:
        return talk(*HANDSHAKE, *lines, data=BULK)

    def test_a_response(self):
        connection = self.check(*ASK, *in_segments("S", "large", LARGE_PAGE), "C ACK", *CLOSE)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (LARGE, True)
        assert flow(connection) == SINGLE
        assert connection.faults == []

    def test_a_request(self):
        connection = self.check(*in_segments("C", "upload", UPLOAD), "S ACK", "S DATA page", "C ACK", *CLOSE)
        request = only_exchange(connection).request
        assert request.body_bytes == LARGE
        assert flow(connection) == SINGLE
        assert connection.faults == []

    def test_several_in_turn(self):
        once = (*ASK, *in_segments("S", "large", LARGE_PAGE), "C ACK")
        connection = talk(*HANDSHAKE, *once, *once, *once, *CLOSE, data=BULK)
        sizes = [exchange.response.body_bytes for exchange in connection.http.exchanges]
        assert sizes == [LARGE, LARGE, LARGE]
        assert flow(connection)[0] == "http1/keep-alive"

    def test_a_segment_lost_another_sent_again_and_two_in_the_wrong_order(self):
        places = list(range(0, len(LARGE_PAGE), SEGMENT))
        order = [*places[:80], places[79], *places[80:100], places[101], places[100], *places[102:]]
        order.remove(places[50])
        lines = ["S DATA large lost"]
        for number, at in enumerate(order):
            lines.append(f"S DATA large[{at}:{min(at + SEGMENT, len(LARGE_PAGE))}] seq={5001 + at}")
            if number % 2:
                lines.append(f"C ACK ack={5001 + max(order[: number + 1])}")
        connection = self.check(*ASK, *lines, "C ACK", *CLOSE)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (LARGE, True)
        assert response.body_bytes_lost == SEGMENT
        assert connection.notes.lost_segments == 2
        assert connection.notes.retransmissions + connection.notes.out_of_order == 2
        assert flow(connection) == SINGLE
        assert connection.faults == []

    def test_the_last_segment_lost(self):
        lines = in_segments("S", "large", LARGE_PAGE)
        last = max(place for place, line in enumerate(lines) if line.startswith("S DATA"))
        lines[last] += " lost"
        connection = self.check(*ASK, *lines, "C ACK", *CLOSE)
        response = only_exchange(connection).response
        assert response.body_bytes == LARGE

    @pytest.mark.parametrize("hole", [20, 60, 141, 142])
    def test_a_segment_that_comes_after_the_end_of_the_body(self, hole):
        both, lines = LARGE_PAGE + LARGE_PAGE, []
        end = len(LARGE_PAGE) // SEGMENT  # the segment with the last bytes of one and the first of the other
        for number, at in enumerate(range(0, len(both), SEGMENT)):
            lines.append(f"S DATA both[{at}:{min(at + SEGMENT, len(both))}]" + " lost" * (number == hole))
            if number == end + 3:
                lines.append(f"S DATA both[{hole * SEGMENT}:{(hole + 1) * SEGMENT}] seq={5001 + hole * SEGMENT}")
        data = BULK | {"both": both, "get": GET + GET}
        connection = talk(*HANDSHAKE, "C DATA get", "S ACK", *lines, "C ACK", *CLOSE, data=data)
        answers = [exchange.response for exchange in connection.http.exchanges]
        assert [(one.status, one.body_bytes, one.body_bytes_lost) for one in answers] == [(200, LARGE, 0)] * 2
        assert connection.faults == []

    def test_a_hole_and_then_a_pipelined_request(self):
        lines = in_segments("S", "large", LARGE_PAGE)
        where = [place for place, line in enumerate(lines) if line.startswith("S DATA")]
        lines[where[50]] += " lost"
        lines.insert(where[-1] + 1, "C DATA get ack=-9000")
        connection = talk(*HANDSHAKE, *ASK, *lines, "S DATA page", "C ACK", *CLOSE, data=BULK)
        assert [exchange.response.body_bytes for exchange in connection.http.exchanges] == [LARGE, 300]

    # Frames of 16 KiB in turn. Segments 23, 35 and 46 have the end of one and the beginning of the next.
    @pytest.mark.parametrize(
        ("hole", "again", "waits"), [(26, 34, 0), (26, 36, 1), (34, 36, 1), (35, 37, 0), (40, 44, 0), (40, 60, 1)]
    )
    def test_a_segment_that_holds_up_another_stream(self, hole, again, waits):
        client, server = hpack.Encoder(), hpack.Encoder()
        ask = b"".join(piece(client) for piece in (get(1, "/a"), get(3, "/b")))
        begin = settings() + b"".join(piece(server) for piece in (ok(1), ok(3)))
        content = begin + b"".join(data(stream, bytes(16384)) for stream in (1, 3) * 8)
        content += data(1, b"", END) + data(3, b"", END)
        lines = []
        for number, at in enumerate(range(0, len(content), SEGMENT)):
            lines.append(f"S DATA answer[{at}:{min(at + SEGMENT, len(content))}]" + " lost" * (number == hole))
            if number == again:
                lines.append(f"S DATA answer[{hole * SEGMENT}:{(hole + 1) * SEGMENT}] seq={5001 + hole * SEGMENT}")
        asked = PREFACE + settings({4: 1 << 20}) + update(0, 1 << 20) + ask
        connection = talk(
            *HANDSHAKE, "C DATA ask", "S ACK", *lines, "C ACK", *CLOSE, data={"ask": asked, "answer": content}
        )
        assert [one.response.body_bytes for one in connection.http.exchanges] == [8 * 16384, 8 * 16384]
        assert sum(one.response.body_bytes_lost for one in connection.http.exchanges) == 0
        assert connection.http.head_of_line_waits == waits
        assert [fault.message for fault in connection.faults] == []

    def test_a_response_before_the_request_is_complete(self):
        lines = in_segments("C", "upload", UPLOAD)
        middle = len(lines) // 2
        connection = self.check(*lines[:middle], "S DATA page", *lines[middle:], "S ACK", *CLOSE)
        assert only_exchange(connection).request.body_bytes == LARGE

    def test_a_request_given_up(self):
        lines = in_segments("C", "upload", UPLOAD)[:151]
        connection = self.check(*lines, "S ACK", "S DATA page", "S FIN", "C RST")
        sent = sum(line.startswith("C DATA") for line in lines) * SEGMENT
        request = only_exchange(connection).request
        assert request.body_bytes == sent - request.header_bytes

    def test_a_reset_in_a_response(self):
        lines = in_segments("S", "large", LARGE_PAGE)[:151]
        connection = self.check(*ASK, *lines, "C ACK", "S RST")
        sent = sum(line.startswith("S DATA") for line in lines) * SEGMENT
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (sent - len(LARGE_HEAD), False)
        assert flow(connection) == ("http1/single-exchange", "variant")
        assert any("ended inside a body" in fault.message for fault in connection.faults)

    def test_a_fin_in_a_response(self):
        lines = in_segments("S", "large", LARGE_PAGE)[:151]
        connection = self.check(*ASK, *lines, "C ACK", "S FIN", "C FIN", "S ACK")
        sent = sum(line.startswith("S DATA") for line in lines) * SEGMENT
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (sent - len(LARGE_HEAD), False)

    def test_the_capture_ends_in_a_response(self):
        lines = in_segments("S", "large", LARGE_PAGE)[:151]
        connection = self.check(*ASK, *lines)
        sent = sum(line.startswith("S DATA") for line in lines) * SEGMENT
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (sent - len(LARGE_HEAD), False)
        assert flow(connection)[1] == "incomplete"

    def test_a_response_until_the_end_of_the_connection(self):
        data = BULK | {"large": b"HTTP/1.0 200 OK\r\n\r\n" + bytes(LARGE)}
        lines = in_segments("S", "large", data["large"])
        connection = talk(*HANDSHAKE, *ASK, *lines, "S FIN", "C FIN", "S ACK", data=data)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (LARGE, True)
        assert flow(connection) == SINGLE


class TestWhatItIs:
    def test_not_http(self):
        data = {"hello": b"220 mail.test ESMTP\r\n", "ehlo": b"EHLO test\r\n"}
        connection = talk(*HANDSHAKE, "S DATA hello", "C DATA ehlo", "S DATA hello", "C ACK", *CLOSE, data=data)
        assert (connection.http, connection.tls, connection.tunnel) == (None, None, None)
        assert connection.lifecycle.flow == "lifecycle/tcp-only"

    def test_a_response_to_garbage(self):
        connection = talk(
            *HANDSHAKE, "C DATA junk", "S DATA page", "C ACK", *CLOSE, data=DATA | {"junk": b"\0\1" * 9 + b"\n"}
        )
        assert (only_exchange(connection).request, only_exchange(connection).response.status) == (None, 200)
        assert connection.faults[0].message.endswith("this is not HTTP: 19 bytes skipped up to the end")
        assert connection.http.connection.cause != "mid-stream"

    def test_no_bytes_at_all(self):
        connection = talk(*HANDSHAKE, *CLOSE)
        assert (connection.http, connection.lifecycle.flow) == (None, "lifecycle/tcp-only")

    def test_midstream(self):
        connection = talk(*ASK, "S DATA page", "C ACK", *CLOSE)
        assert flow(connection) == (None, "unseen")
        assert connection.http.connection.cause == "mid-stream"
        assert only_exchange(connection).response.body_bytes == 300

    def test_midstream_in_a_body(self):
        connection = talk("S DATA page[100:]", *ASK, "S DATA page", "C ACK", *CLOSE)
        answered = [exchange for exchange in connection.http.exchanges if exchange.request]
        assert [exchange.response.status for exchange in answered] == [200]

    @pytest.mark.parametrize("noise", [0, 3000, 9000, 20_000, 60_000])
    def test_midstream_in_what_nobody_knows(self, noise):
        """However long that was, and though no more comes than the request."""
        lines = in_segments("C", "noise", bytes(noise) or b"x", ack=False)
        connection = talk(*lines, "C DATA get", *CLOSE, data=DATA | {"noise": bytes(noise) or b"x"})
        assert [exchange.request.target for exchange in connection.http.exchanges] == ["/page"]

    def test_a_reset_in_a_body(self):
        connection = talk(*HANDSHAKE, *ASK, "S DATA page[0:100]", "C ACK", "S RST")
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (100 - HEAD, False)
        assert flow(connection) == ("http1/single-exchange", "variant")

    def test_bytes_after_a_reset_that_did_not_count(self):
        connection = talk(*HANDSHAKE, "C RST", *ASK, "S DATA page", "C ACK", *CLOSE)
        assert flow(connection) == SINGLE
        assert (connection.lifecycle.flow, connection.lifecycle.outcome) == ("lifecycle/http1-connection", "variant")
        assert connection.close.flow == "tcp-close/three-segment"

    def test_who_sends_on_after_its_own_reset_is_read(self):
        for begin in (HANDSHAKE, HANDSHAKE[:2]):
            connection = talk(*begin, "C RST", "C DATA get", "S RST")
            exchange = only_exchange(connection)
            assert (exchange.request.target, exchange.response) == ("/page", None)

    @pytest.mark.parametrize("end", [(), ("S FIN",), ("C RST",)])
    def test_what_was_on_its_way_to_who_reset_is_read(self, end):
        connection = talk(*HANDSHAKE, *ASK, "S DATA page[0:100]", "C RST", "S DATA page[100:]", *end)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete, response.last_packet) == (300, True, 8)
        assert flow(connection) == SINGLE
        assert (connection.close.flow, connection.notes.resets_ignored) == ("tcp-close/reset", 0)
        assert connection.lifecycle.flow == "lifecycle/http1-connection"

    def test_where_it_was_not_all(self):
        connection = talk(*HANDSHAKE, *ASK, "S DATA page[0:100]", "C RST", "S DATA page[100:200]")
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (200 - HEAD, False)
        assert flow(connection) == ("http1/single-exchange", "variant")

    @pytest.mark.parametrize(("end", "complete"), [((), False), (("S FIN",), True)])
    def test_a_response_until_the_end_of_a_connection_that_was_reset(self, end, complete):
        data = DATA | {"page": b"HTTP/1.0 200 OK\r\n\r\nhello, world"}
        connection = talk(*HANDSHAKE, *ASK, "S DATA page[0:22]", "C RST", "S DATA page[22:]", *end, data=data)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (12, complete)
        assert connection.close.flow == "tcp-close/reset"

    def test_tls_that_was_on_its_way_to_who_reset_is_read(self):
        hello = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(32) + b"\x00\xc0\x2f\x00"
        data = {"hello": CLIENT_HELLO, "answer": hello}
        connection = talk(*HANDSHAKE, "C DATA hello", "C RST", "S DATA answer", data=data)
        assert connection.tls.cipher_suite == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"

    def test_a_second_reset_after_one_that_did_not_count(self):
        begun = ("S DATA page[0:100]", "C ACK")
        connection = talk(*HANDSHAKE, "S RST", *ASK, *begun, "S RST")
        response = only_exchange(connection).response
        assert (response.body_bytes, response.complete) == (100 - HEAD, False)
        assert (connection.close.flow, connection.notes.resets_ignored) == ("tcp-close/reset", 1)

    def test_a_first_segment_cut_by_the_snapshot_length(self):
        connection = talk(*HANDSHAKE, "C DATA get cut=20", "S DATA page", "C ACK", *ASK, "S DATA page", *CLOSE)
        assert any("of a head are missing: snaplen" in fault.message for fault in connection.faults)
        assert [exchange.request.packet for exchange in connection.http.exchanges] == [4, 7]

    def test_a_response_whose_head_is_cut_by_the_snapshot_length(self):
        connection = talk(*HANDSHAKE, *ASK, "S DATA page cut=30", "C ACK", *CLOSE)
        assert (flow(connection), connection.http.connection.cause) == ((None, "unseen"), "snaplen")
        assert (connection.lifecycle.outcome, connection.lifecycle.cause) == ("unseen", "snaplen")
        assert connection.close.flow == "tcp-close/three-segment"

    def test_a_response_whose_body_is_cut_by_the_snapshot_length(self):
        connection = talk(*HANDSHAKE, *ASK, "S DATA page cut=40", "C ACK", *CLOSE)
        response = only_exchange(connection).response
        assert (response.body_bytes, response.body_bytes_lost, response.complete) == (300, 300, True)
        assert flow(connection) == SINGLE

    def test_a_loss_in_the_first_head(self):
        ask = ("C DATA get[0:10]", "C DATA get[10:20] lost", "C DATA get[20:]", "S ACK")
        connection = talk(*HANDSHAKE, *ask, "S DATA page", "C ACK", *ASK, "S DATA page", *CLOSE)
        targets = [exchange.request.target for exchange in connection.http.exchanges if exchange.request]
        assert targets[-1] == "/page"
        assert connection.http.connection.outcome in ("unseen", "diverged", "variant")

    def test_a_request_with_the_fin(self):
        connection = talk(*HANDSHAKE, "C FIN get", "S DATA page", "S FIN", "C ACK")
        assert flow(connection) == SINGLE
        assert connection.faults == []

    def test_a_request_that_ends_before_it_is_one(self):
        connection = talk(*HANDSHAKE, "C DATA get[0:8]", "S ACK", "C FIN get[8:12]", "S FIN", "C ACK")
        assert any("ended inside a head" in fault.message for fault in connection.faults)

    def test_a_server_that_ends_without_a_word(self):
        connection = talk(*HANDSHAKE, "S FIN", *ASK, "C FIN", "S ACK")
        assert flow(connection)[0] == "http1/no-response"
        assert connection.faults == []

    def test_no_response(self):
        connection = talk(*HANDSHAKE, *ASK, "S FIN", "C FIN", "S ACK")
        assert only_exchange(connection).response is None
        assert flow(connection)[0] == "http1/no-response"

    def test_behind_a_proxy_that_says_for_whom(self):
        data = DATA | {"proxy": b"PROXY TCP4 192.0.2.7 192.0.2.9 5678 80\r\n"}
        connection = talk(*HANDSHAKE, "C DATA proxy", "S ACK", *ASK, "S DATA page", "C ACK", *CLOSE, data=data)
        assert (connection.proxy_protocol, connection.proxied_for) == (1, model.Endpoint("192.0.2.7", 5678))
        assert flow(connection) == SINGLE
        assert only_exchange(connection).request.packet == 6

    def test_that_in_the_same_segment(self):
        data = DATA | {"get": b"PROXY TCP4 192.0.2.7 192.0.2.9 5678 80\r\n" + GET}
        for ask in (("C DATA get",), ("C DATA get[0:10]", "C DATA get[10:]"), ("C DATA get[0:50]", "C DATA get[50:]")):
            connection = talk(*HANDSHAKE, *ask, "S DATA page", "C ACK", *CLOSE, data=data)
            assert (connection.proxy_protocol, connection.proxied_for) == (1, model.Endpoint("192.0.2.7", 5678))
            assert only_exchange(connection).request.header_bytes == len(GET)

    @pytest.mark.parametrize("length", [10, 30_000, 300_000])
    @pytest.mark.parametrize("answer", [(), ("S DATA junk[0:10]", "C ACK")])
    def test_that_before_what_nobody_knows(self, length, answer):
        data = {"proxy": b"PROXY TCP4 192.0.2.7 192.0.2.9 5678 80\r\n", "junk": bytes(length)}
        lines = (*answer, *in_segments("C", "junk", data["junk"]), "S ACK", *CLOSE)
        connection = talk(*HANDSHAKE, "C DATA proxy", "S ACK", *lines, data=data)
        assert (connection.proxy_protocol, connection.proxied_for) == (1, model.Endpoint("192.0.2.7", 5678))
        assert (connection.http, connection.tls, connection.tunnel) == (None, None, None)
        assert connection.lifecycle.flow == "lifecycle/tcp-only"

    def test_that_alone(self):
        data = {"proxy": b"PROXY TCP4 192.0.2.7 192.0.2.9 5678 80\r\n"}
        connection = talk(*HANDSHAKE, "C DATA proxy", "S ACK", *CLOSE, data=data)
        assert (connection.proxy_protocol, connection.proxied_for) == (1, model.Endpoint("192.0.2.7", 5678))

    def test_http_in_a_tunnel(self):
        data = DATA | {
            "connect": b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n",
            "connected": b"HTTP/1.1 200 Connected\r\n\r\n",
        }
        lines = ("C DATA connect", "S DATA connected", *ASK, "S DATA page", "C ACK")
        connection = talk(*HANDSHAKE, *lines, *CLOSE, data=data)
        assert flow(connection)[0] == "http1/connect-tunnel"
        assert (connection.tunnel.after, connection.tunnel.bytes) == (
            "CONNECT test:80", model.PerSide(len(GET), len(PAGE)),
        )  # fmt: skip
        (exchange,) = connection.tunnel.http.exchanges
        assert (exchange.request.target, exchange.response.body_bytes) == ("/page", 300)
        assert connection.tunnel.http.connection.flow == "http1/single-exchange"

    def test_much_data_in_a_tunnel(self):
        data = BULK | {
            "connect": b"CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n",
            "connected": b"HTTP/1.1 200 Connected\r\n\r\n", "other": b"\x16\x03\x01" + bytes(LARGE),
        }  # fmt: skip
        begin = (*HANDSHAKE, "C DATA connect", "S DATA connected")
        connection = talk(*begin, *ASK, *in_segments("S", "large", LARGE_PAGE), "C ACK", *CLOSE, data=data)
        assert connection.tunnel.http.exchanges[0].response.body_bytes == LARGE
        connection = talk(*begin, *in_segments("C", "other", data["other"]), "S ACK", *CLOSE, data=data)
        assert (connection.tunnel.http, connection.tunnel.bytes) == (None, model.PerSide(LARGE + 3, 0))

    def test_a_request_in_the_syn(self):
        connection = talk("C SYN get", "S SYN-ACK", "C ACK", "S DATA page", "C ACK", *CLOSE)
        exchange = only_exchange(connection)
        assert (exchange.request.packet, exchange.started_ns) == (1, 0)
        assert flow(connection) == SINGLE

    def test_a_request_in_the_syn_that_was_not_taken(self):
        lines = ("C SYN get", f"S SYN-ACK ack=-{len(GET)}", f"C DATA get seq=-{len(GET)} at=0.05")
        conversation = Conversation(data=DATA).say(*lines, "S DATA page", "C ACK", *CLOSE)
        (connection,) = report(capture_of(conversation))
        assert only_exchange(connection).request.packet == 1

    def test_the_same_ports_again(self):
        once = (*ASK, "S DATA page", "C ACK")
        first, second = talk_all(
            *HANDSHAKE, *once, "C SYN isn=900000", "S SYN-ACK isn=700000", "C ACK", *once, *once, *CLOSE
        )
        assert [len(one.http.exchanges) for one in (first, second)] == [1, 2]
        assert [exchange.request.packet for exchange in second.http.exchanges] == [11, 15]

    def test_the_same_ports_again_in_the_middle_of_much_data(self):
        lines = in_segments("S", "large", LARGE_PAGE)
        first, second = talk_all(
            *HANDSHAKE, *ASK, *lines[:100], "C SYN isn=900000", "S SYN-ACK isn=700000", "C ACK", *ASK, *lines, "C ACK",
            *CLOSE, data=BULK,
        )  # fmt: skip
        assert not only_exchange(first).response.complete
        assert only_exchange(second).response.body_bytes == LARGE
