"""Bytes that are sent again with another content: which side, and which of them count. RFC 9293 §3.10.7.4."""

from __future__ import annotations

from analyzer.dissector import bytestream
from tests.conversations import HANDSHAKE, play

ONE = b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
TWO = b"GET /two HTTP/1.1\r\nHost: b\r\n\r\n"
DATA = {"one": ONE, "two": TWO, "ok": b"HTTP/1.1 204 No Content\r\n\r\n", "no": b"HTTP/1.1 404 Not Found!!\r\n\r\n"}
END = ("C FIN", "S FIN", "C ACK")


def told(*lines: str) -> list[tuple[int, str]]:
    connection = play(*HANDSHAKE, *lines, *END, data=DATA)
    return [(fault.packet, fault.message) for fault in connection.faults if fault.layer == "tcp"]


def test_before_they_are_acknowledged_the_capture_cannot_tell():
    assert told("C DATA one", "C DATA two seq=1001", "S DATA ok") == [
        (5, "bytes 6 to 26 of the client differ from those in packet 4; not acknowledged by then, so which of them the "
            "server took is not known: packet 4 is what is read here (RFC 9293 §3.10.7.4)"),
    ]  # fmt: skip


def test_after_that_the_first_count():
    assert told("C DATA one", "S DATA ok", "C DATA two seq=1001") == [
        (6, "bytes 6 to 26 of the client differ from those in packet 4, which the server had acknowledged and which "
            "count (RFC 9293 §3.10.7.4)"),
    ]  # fmt: skip


def test_of_the_server():
    ((packet, message),) = told("C DATA one", "S DATA ok", "S DATA no seq=5001")
    assert packet == 6
    assert message.startswith("bytes 10 to ")
    assert " of the server differ from those in packet 5; " in message


def test_what_is_read_is_what_came_first():
    connection = play(*HANDSHAKE, "C DATA one", "C DATA two seq=1001", "S DATA ok", *END, data=DATA)
    assert [exchange.request.target for exchange in connection.http.exchanges] == ["/one"]


def test_behind_a_hole_too():
    """Both wait for what comes before them: by the time that came, nothing of them was acknowledged."""
    lines = (
        "C DATA one[0:4] lost",
        "C DATA one[4:]",
        "C DATA two[4:] seq=1005",
        "C DATA one[0:4] seq=1001",
        "S DATA ok",
    )
    ((packet, message),) = told(*lines)
    assert (packet, "packet 4 is what is read here" in message) == (5, True)
    connection = play(*HANDSHAKE, *lines, *END, data=DATA)
    assert [exchange.request.target for exchange in connection.http.exchanges] == ["/one"]


def test_the_same_bytes_in_other_segments_are_no_contradiction():
    assert (
        told("C DATA one[0:9]", "C DATA one[9:]", "C DATA one seq=1001", "C DATA one[3:12] seq=1004", "S DATA ok") == []
    )


def test_nor_is_the_byte_of_a_keep_alive():
    """RFC 1122 §4.2.3.6: it may be any."""
    assert told("C DATA one", "S DATA ok", f"C DATA 1 seq={1000 + len(ONE)}") == []


def test_they_are_listed_up_to_a_limit():
    again = [f"C DATA {name} seq=1001" for name in ("two", "one") for _ in range(bytestream.MOST_CONTRADICTIONS + 3)]
    faults = told("C DATA one", *again, "S DATA ok")
    assert len(faults) == bytestream.MOST_CONTRADICTIONS + 1
    assert faults[-1][1] == "3 further times the client sent other bytes than before; not listed"


def test_only_the_last_bytes_are_compared():
    many = [f"C DATA one[{at}:{at + 1}]" for at in range(len(ONE) - 2)]
    assert len(many) < bytestream.MOST_KEPT_SEGMENTS
    assert len(told(*many, "C DATA one[28:]", "C DATA two[5:6] seq=1006", "S DATA ok")) == 1
    longer = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n" + bytes(2000)
    data = {**DATA, "long": longer, "late": b"X"}
    lines = [f"C DATA long[{at}:{at + 40}]" for at in range(0, len(longer), 40)]
    assert len(lines) > bytestream.MOST_KEPT_SEGMENTS
    connection = play(*HANDSHAKE, *lines, "C DATA late[0:1] seq=1001", *END, data=data)
    assert [fault for fault in connection.faults if fault.layer == "tcp"] == []
