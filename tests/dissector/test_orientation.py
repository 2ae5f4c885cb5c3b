"""Who is the client where the SYN was not captured; and the report does not depend on how much is read at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.dissector.orientation import CLIENT, MOST_BYTES, NEITHER, SERVER, speaker
from analyzer.dissector.undecided import HELD_LIMIT
from tests.conversations import HANDSHAKE, Conversation, capture_of, report, steps
from tests.dissector.test_applications import encoded

GET = b"GET /page HTTP/1.1\r\nHost: test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
CLIENT_HELLO = b"\x16\x03\x01\x00\x2a\x01\x00\x00\x26\x03\x03" + bytes(36)
SERVER_HELLO = b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03" + bytes(36)
DATA = {"get": GET, "ok": OK, "hello": CLIENT_HELLO, "reply": SERVER_HELLO, "body": b"between two messages"}

# The higher port is the client's where nothing else tells: here it is the server's.
UNUSUAL = {"client_port": 8080, "server_port": 50000}

SIZES = (1, 90, 200, 500)


class TestSpeaker:
    @pytest.mark.parametrize("begin", [
        GET, CLIENT_HELLO, b"OPTIONS * HTTP/1.0\r\n", b"VERSION-CONTROL /a HTTP/1.1\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT example.test:443 HTTP/1.1\r\n", b"\x16\x03\x00\xff\xff\x01\x00",
    ])  # fmt: skip
    def test_a_client(self, begin):
        assert speaker(begin) == CLIENT

    @pytest.mark.parametrize("begin", [OK, SERVER_HELLO, b"HTTP/1.0 404 ", b"HTTP/1.1 500\r\n", b"HTTP/1.1 100\n"])
    def test_a_server(self, begin):
        assert speaker(begin) == SERVER

    @pytest.mark.parametrize("begin", [
        b"", b"HTTP/1.1 2", b"HTTP/1.1 2000", b"HTTP/2 200 OK", b"GET /page HTTP/1.1", b"GET / page HTTP/1.1\r\n",
        b"get / HTTP/1.1\r\n", b"GET  / HTTP/1.1\r\n", b"GET / HTTP/3.0\r\n", b"\x16\x03\x01\x00\x2a\x0b\x00",
        b"\x16\x03\x09\x00\x2a\x01\x00", b"\x16\x03\x01\x00\x2a\x01\x01", b"\x17\x03\x03\x00\x2a\x01\x00",
    ])  # fmt: skip
    def test_what_does_not_tell(self, begin):
        assert speaker(begin) == NEITHER

    @given(st.binary(max_size=50), st.sampled_from([b"", b"HTTP/1.1 ", b"GET ", b"\x16\x03\x01", b"A" * MOST_BYTES]))
    def test_any_bytes(self, rest, begin):
        assert speaker(begin + rest) in (CLIENT, SERVER, NEITHER)


def talk(*lines: str, data: dict[str, bytes] = DATA, **ends: int) -> model.Connection:
    """The one connection of a conversation, which is the same however much is read at a time."""
    content = capture_of(Conversation(data=data, **ends).say(*lines))
    whole = encoded(content, 1 << 20)
    for size in SIZES:
        assert encoded(content, size) == whole, f"chunks of {size} bytes"
    (connection,) = report(content)
    return connection


def ends(connection: model.Connection) -> tuple[int, int, str]:
    return connection.client.port, connection.server.port, connection.oriented_by


class TestMidStream:
    @pytest.mark.parametrize("said", ["C DATA get", "S DATA ok", "C DATA hello", "S DATA reply"])
    def test_content_is_stronger_than_ports(self, said):
        connection = talk(said, **UNUSUAL)
        assert ends(connection) == (8080, 50000, "content")

    @pytest.mark.parametrize("said", ["C DATA get", "S DATA ok"])
    def test_content_may_confirm_what_ports_say(self, said):
        assert ends(talk(said)) == (40000, 80, "content")

    def test_without_such_content_ports_tell(self):
        assert ends(talk("C DATA body", "S DATA body", **UNUSUAL)) == (50000, 8080, "port")

    def test_content_is_stronger_than_who_came_first(self):
        same = {"client_port": 50001, "server_port": 50000}
        assert ends(talk("S ACK", "S DATA body", **same)) == (50000, 50001, "first-packet")
        assert ends(talk("S ACK", "S DATA ok", **same)) == (50001, 50000, "content")

    def test_the_first_content_that_tells_counts(self):
        connection = talk("C DATA get", "C DATA ok", **UNUSUAL)
        assert ends(connection) == (8080, 50000, "content")

    def test_the_syn_is_stronger_than_content(self):
        assert ends(talk(*HANDSHAKE, "C DATA ok", "S DATA get")) == (40000, 80, "syn")

    def test_a_hello_inside_a_segment_does_not_tell(self):
        data = DATA | {"inside": b"xHTTP/1.1 200 OK\r\n\r\n"}
        assert ends(talk("C DATA inside", data=data)) == (40000, 80, "port")

    def test_a_cut_segment_may_not_tell(self):
        assert ends(talk("C DATA get cut=15", **UNUSUAL)) == (50000, 8080, "port")
        assert ends(talk("S DATA ok cut=15", **UNUSUAL)) == (8080, 50000, "content")

    def test_everything_that_names_a_side_follows(self):
        connection = talk("C DATA get", "S DATA ok", "S FIN", "C FIN", "S ACK", **UNUSUAL)
        assert ends(connection) == (8080, 50000, "content")
        assert connection.packets == model.PerSide(2, 3)
        assert connection.payload_bytes == model.PerSide(len(GET), len(OK))
        assert (connection.close.closed_by, steps(connection.close)) == ("server", ["S FIN", "C FIN-ACK", "S ACK"])
        (exchange,) = connection.http.exchanges
        assert (exchange.request.target, exchange.response.status) == ("/page", 200)
        assert (connection.http.connection.outcome, connection.http.connection.cause) == ("unseen", "mid-stream")

    def test_what_was_read_before_the_sides_changed_is_read_again(self):
        connection = talk("S DATA body", "C DATA body", "S DATA ok", "C DATA get", "S DATA ok", **UNUSUAL)
        assert ends(connection) == (8080, 50000, "content")
        assert [exchange.response.status for exchange in connection.http.exchanges] == [200, 200]

    @pytest.mark.parametrize("ends", [{}, UNUSUAL])
    def test_a_message_after_more_than_anybody_looked_at(self, ends):
        lines = [f"S DATA {HELD_LIMIT // 8}" for _ in range(9)]
        connection = talk(*lines, "C ACK", "S DATA ok", "C DATA get", "S DATA ok", **ends)
        assert [exchange.response.status for exchange in connection.http.exchanges] == [200, 200]

    def test_a_close_that_had_begun(self):
        """A half-close: the client's FIN and its acknowledgement come before anything that tells."""
        connection = talk("C FIN", "S ACK", "S DATA ok", "C ACK", "S FIN", "C ACK", **UNUSUAL)
        assert ends(connection) == (8080, 50000, "content")
        assert steps(connection.close) == ["C FIN", "S ACK", "S DATA", "S FIN", "C ACK"]
        assert (connection.close.flow, connection.close.begun_by) == ("tcp-close/half-close", "client")

    def test_the_same_close_with_sides_known_from_the_beginning(self):
        turned = talk("C FIN", "C FIN again", "S ACK", "S DATA ok", "C ACK", "S FIN", "C ACK", **UNUSUAL)
        known = talk("C FIN", "C FIN again", "S ACK", "S DATA ok", "C ACK", "S FIN", "C ACK")
        assert turned.close == known.close


EARLY_DATA = ("C DATA get seq=1001 ack=5001", "S DATA ok seq=5001 ack=1001")


class TestDataBeforeItsSyn:
    """Some captures do not keep the order of the two directions, or of several queues."""

    def test_a_request(self):
        connection = talk(EARLY_DATA[0], *HANDSHAKE, "S ACK", "S DATA ok", "C FIN", "S FIN", "C ACK")
        assert ends(connection) == (40000, 80, "syn")
        (exchange,) = connection.http.exchanges
        assert (exchange.request.packet, exchange.response.status) == (1, 200)
        assert connection.http.connection.outcome != "unseen"

    def test_a_response(self):
        connection = talk("S DATA ok seq=5001 ack=1001", "C SYN", "S SYN-ACK", "C ACK ack=5042")
        assert ends(connection) == (40000, 80, "syn")

    def test_the_syn_turns_the_sides(self):
        """Neither ports nor content tell; who sends first is not the client."""
        same = {"client_port": 50001, "server_port": 50000}
        connection = talk("S DATA body seq=5001 ack=1001", *HANDSHAKE, "C DATA get", "S DATA ok", **same)
        assert ends(connection) == (50001, 50000, "syn")

    def test_the_syn_contradicts_the_content(self):
        connection = talk("C DATA ok seq=1001 ack=5001", *HANDSHAKE, "C DATA get", "S DATA ok")
        assert ends(connection) == (40000, 80, "syn")


WORDS = [
    "C SYN", "S SYN-ACK", "C ACK", "S ACK", "C DATA get", "S DATA ok", "C DATA ok", "S DATA get", "S DATA body",
    "C DATA body", "C FIN", "S FIN", "C RST", "S RST-ACK", "C DATA hello", "S DATA reply", *EARLY_DATA,
    "C DATA get[0:9]", "C DATA get[9:]", "S DATA ok[0:9]", "S DATA ok[9:]", "C SYN seq=1000", "S SYN-ACK seq=5000",
    "S DATA body cut=3", "C DATA body lost", "S DATA ok lost", "C SYN isn=7000", "S SYN-ACK isn=9000", "silence 3",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14), st.sampled_from([40000, 70, 80]))
def test_any_order_gives_the_same_report_for_any_chunk_size(lines, client_port):
    content = capture_of(Conversation(data=DATA, client_port=client_port).say(*lines))
    whole = encoded(content, 1 << 20)
    for size in SIZES:
        assert encoded(content, size) == whole, f"chunks of {size} bytes"
    assert len(report(content)) == whole.count(b"\n")
