"""docs/limits.md: its numbers are those of the code, and each bound is reached by the test it names."""

from __future__ import annotations

import ast
import importlib
import io
import re
import struct
import zlib

import pytest

import analyzer
from analyzer import model
from analyzer.dissector import bytestream, encapsulation, layout, tracker
from analyzer.dissector import copies as copying
from analyzer.dissector.http1 import bodies, pairing
from analyzer.dissector.http2 import field_blocks, header_blocks
from analyzer.dissector.tls import compressed, keylog
from analyzer.dissector.tls.secrets import Secrets
from analyzer.reporter import http
from tests.capture.builders import NANO, Packet, pcap
from tests.cases import ROOT
from tests.conversations import HANDSHAKE, Conversation, capture_of, ip, play, tcp
from tests.dissector import http2_talk, http_talk

PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if re.match(r"\|.*`", line)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2].strip("`"))
def test_a_row(row):
    _, number, place, told, test = row
    module, _, name = place.strip("`").rpartition(".")
    value = int(re.sub(r"\D", "", number))
    unit = {"KiB": 1 << 10, "MiB": 1 << 20, "s": 10**9}.get(number.split()[-1], 1)
    assert getattr(importlib.import_module(f"analyzer.{module}"), name) == value * unit
    assert told
    if test:
        words, path = re.fullmatch(r"\[(.+)\]\(\.\./(.+)\)", test).groups()
        assert f"def test_{words.replace(' ', '_')}(" in (ROOT / path).read_text(encoding="utf-8")


def test_every_row_has_a_test():
    assert [row[2] for row in ROWS if not row[4]] == []
    assert len({row[2] for row in ROWS}) == len(ROWS)


# Constants whose names say otherwise, and that bound nothing here.
NO_BOUNDS = {
    # Numbers of the protocol: RFC 8446 §5.2, RFC 5246 §6.2, RFC 6066 §4, RFC 8449.
    "dissector.tls.decrypt.MOST_INFLATED",
    "dissector.tls.extensions.MAX_FRAGMENT_LENGTH",
    "dissector.tls.extensions.RECORD_SIZE_LIMIT",
    "dissector.tls.protection.MOST_ADDED",
    "dissector.tls.protection.MOST_ADDED_1_3",
    "dissector.tls.protection.MOST_PLAIN",
    "dissector.tls.records.MOST_CIPHERTEXT",
    "dissector.tls.records.MOST_CIPHERTEXT_1_2",
    "dissector.tls.records.MOST_PLAINTEXT",
    # From where on another way is the faster one.
    "commands.jobs.LEAST_BYTES",
    "commands.jobs.LEAST_CONNECTIONS",
    "commands.jobs.LEAST_HANDED",
    "dissector.applications.MOST_COPIED_BYTES",
    # The smallest ring that is tried.
    "capture.live.sockets.LEAST_BLOCKS",
}


BOUND = re.compile(r"(MOST|MAX|LEAST)_[A-Z0-9_]+|[A-Z][A-Z0-9_]*_LIMIT")


def test_every_bound_has_a_row():
    named = {
        f"{'.'.join(path.relative_to(ROOT / 'analyzer').with_suffix('').parts).removesuffix('.__init__')}.{target.id}"
        for path in (ROOT / "analyzer").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and BOUND.fullmatch(target.id)
    }
    listed = {row[2].strip("`") for row in ROWS}
    assert named - listed == NO_BOUNDS
    assert len(named & listed) > 100


def test_holes_per_side():
    """Also where segments come in the middle of a hole, one after the other."""
    lines = [f"C DATA 1 seq={10_000 + 20 * n}" for n in range(layout.MOST_GAPS * 3)]
    connection = play(*HANDSHAKE, *lines)
    assert connection.notes.lost_segments == len(lines)
    middle = [f"C DATA 1 seq={10_000 + 20 * n}" for n in range(layout.MOST_GAPS * 3)]
    split = play(*HANDSHAKE, "C DATA 1 seq=900000", *middle, "S ACK ack=900001")
    assert split.notes.lost_segments == 1
    missing = 900_000 - 1001 - len(middle)
    assert split.notes.uncaptured_bytes <= missing
    assert split.notes.retransmissions + split.notes.out_of_order == len(middle)


def test_events_per_connection():
    turns = [line for _ in range(layout.MOST_EVENTS) for line in ("C SYN again", "S SYN-ACK again")]
    connection = play("C SYN", "S SYN-ACK", *turns)
    assert f"more than {layout.MOST_EVENTS} steps; the later ones are not listed" in messages(connection)
    assert len(connection.open.steps) == layout.MOST_EVENTS


def test_link_layers_inside_link_layers():
    """IEEE 802.2 whose frame is one of 802.2 again."""
    segment = ip("10.0.0.1", "10.0.0.2", 6, tcp(40000, 80, 1, 0, 2))
    for count, found in ((layout.MOST_NESTED, 1), (layout.MOST_NESTED + 1, 0)):
        frame = b"\xaa\xaa\3\0\0\0\x88\x70" * (count - 1) + b"\xaa\xaa\3\0\0\0\x08\0" + segment
        with analyzer.analyze(io.BytesIO(pcap(Packet(frame), link_type=100))) as analysis:
            assert len(list(analysis)) == found
            assert (analysis.totals.tcp, analysis.totals.other) == (found, 1 - found)


def test_segments_after_a_connection_was_reported():
    close = (*HANDSHAKE, "C FIN", "S ACK", "S FIN", "C ACK")
    for seconds, late in ((tracker.SETTLE_NS / 1e9 - 0.5, 0), (tracker.SETTLE_NS / 1e9 + 0.5, 1)):
        capture = capture_of(Conversation().say(*close, f"silence {seconds}", "C ACK"))
        with analyzer.analyze(io.BytesIO(capture)) as analysis:
            (connection,) = analysis
            assert analysis.totals.late == late
            assert connection.packets.client + connection.packets.server == len(close) + 1 - late


def test_the_copy_of_a_packet():
    """So many frames later it is a segment that was sent again."""
    for between, copies in ((copying.MOST_FRAMES_BETWEEN - 1, 1), (copying.MOST_FRAMES_BETWEEN, 0)):
        talk = Conversation().say(*HANDSHAKE, "C DATA 100")
        once = talk.packets[-1]
        other = Packet(once.data[:14] + ip("192.0.2.1", "192.0.2.2", 17, bytes(8)), once.at_ns)
        capture = pcap(*talk.packets, *[other] * between, once, magic=NANO)
        (connection,) = analyzer.analyze(io.BytesIO(capture))
        assert (connection.notes.duplicates, connection.notes.retransmissions) == (copies, 1 - copies)


def test_bytes_with_which_those_sent_again_are_compared():
    begin = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: "
    for length, told in ((bytestream.MOST_KEPT_BYTES, 1), (bytestream.MOST_KEPT_BYTES + 1, 0)):
        data = {"first": begin, "rest": b"x" * (length - len(begin)), "other": b"PUT /"}
        lines = ("C DATA first", "C DATA rest", "C DATA other seq=1001")
        connection = play(*HANDSHAKE, *lines, data=data)
        assert sum("differ from those in packet 4" in message for message in messages(connection)) == told


def test_headers_around_a_packet():
    packet = ip("10.0.0.1", "10.0.0.2", 6, tcp(40000, 80, 1, 0, 2))
    for count, deep in ((encapsulation.MOST_LAYERS, 0), (encapsulation.MOST_LAYERS + 1, 1)):
        wrapped = packet
        for _ in range(count):
            wrapped = ip("192.0.2.1", "192.0.2.2", 4, wrapped)
        with analyzer.analyze(io.BytesIO(pcap(Packet(wrapped), link_type=101))) as analysis:
            found = list(analysis)
            assert (len(found), analysis.totals.too_deep) == (1 - deep, deep)


def test_a_chunk_extension():
    head = "C POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||"
    found = http_talk.talk(head, "C 1;" + "a" * (bodies.CHUNK_LINE_LIMIT + 10), http_talk.GET)
    assert str(bodies.CHUNK_LINE_LIMIT) in http_talk.faults(found)[0]
    assert http_talk.brief(found)[-1] == "GET / -> ?"


def test_interim_responses():
    hints = "S HTTP/1.1 103 Early Hints||"
    found = http_talk.talk(http_talk.GET, *[hints] * (pairing.MOST_INTERIM + 5), http_talk.OK)
    (exchange,) = found.exchanges
    assert len(exchange.interim) == pairing.MOST_INTERIM
    assert exchange.response.status == 200


def test_bytes_of_a_field_block():
    piece = b"\x40\x01a\x7f" + bytes([4000 - 127 & 127 | 128, 4000 - 127 >> 7]) + b"b" * 4000
    fields = piece * (header_blocks.MOST_BLOCK // len(piece) + 1)
    pieces = [fields[at : at + 16_000] for at in range(0, len(fields), 16_000)]
    frames = [http2_talk.frame(9 if n else 1, 0, 1, one) for n, one in enumerate(pieces)]
    talk = http2_talk.Talk().c(*frames, http2_talk.frame(9, 4, 1))
    assert any(f"a field block of more than {header_blocks.MOST_BLOCK} bytes" in fault for fault in told(talk))


def test_frames_of_a_field_block():
    frames = [http2_talk.frame(9 if n else 1, 0, 1) for n in range(field_blocks.MOST_FRAMES + 1)]
    talk = http2_talk.Talk().c(*frames)
    assert any(f"a field block of {field_blocks.MOST_FRAMES} frames" in fault for fault in told(talk))


def test_fields_of_a_block():
    """A bomb: a byte each for a field of 4,000 bytes (CVE-2016-6581)."""
    decoder = header_blocks.HeaderDecoder()
    field = b"\x40\x01a\x7f" + bytes([4000 - 127 & 127 | 128, 4000 - 127 >> 7]) + b"b" * 4000
    assert decoder.decode(field).error is None
    found = decoder.decode(b"\xbe" * (header_blocks.MOST_FIELDS // 4033 + 1))
    assert found.fields == []
    assert str(header_blocks.MOST_FIELDS) in found.error[1]
    assert not decoder.known


def test_a_dynamic_table():
    decoder = header_blocks.HeaderDecoder()
    decoder.allowed = header_blocks.MOST_TABLE + 1
    size = header_blocks.MOST_TABLE + 1 - 31
    update = bytes([0x3F, size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
    assert str(header_blocks.MOST_TABLE) in decoder.decode(update).error[1]


def test_a_compressed_certificate():
    packed = zlib.compress(bytes(compressed.MOST_INFLATED + 1))
    for length, why in ((compressed.MOST_INFLATED + 1, "is not unpacked"), (compressed.MOST_INFLATED, "")):
        body = struct.pack(">H", compressed.ZLIB) + length.to_bytes(3, "big") + len(packed).to_bytes(3, "big") + packed
        plain, problem = compressed.decompress(body)
        assert plain is None
        assert why in problem


def test_a_line_of_a_key_log():
    good = b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96 + b"\n"
    found: dict[bytes, bytes] = {}
    reader = keylog.Reader(found)
    reader.feed(good + b"CLIENT_RANDOM " + b"0" * keylog.LONGEST_LINE + b"\n" + b"x" * (1 << 20))
    reader.finish()
    assert (len(found), reader.damaged) == (1, 2)
    Secrets().add_keylog(good, source="pcapng", name="a test")


def test_exchanges_of_a_connection(monkeypatch):
    monkeypatch.setattr(http, "MOST_EXCHANGES", 3)
    data = {"get": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "ok": b"HTTP/1.1 204 No Content\r\n\r\n"}
    connection = play(*HANDSHAKE, *["C DATA get", "S DATA ok"] * 5, data=data)
    assert (len(connection.http.exchanges), connection.http.exchanges_not_listed) == (3, 2)


def messages(connection: model.Connection) -> list[str]:
    return [fault.message for fault in connection.faults]


def told(talk: http2_talk.Talk) -> list[str]:
    return http2_talk.faults(talk)
