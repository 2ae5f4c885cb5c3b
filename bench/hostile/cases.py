"""The hostile captures: each function writes one, of `count` of what its first line names, to a file."""

from __future__ import annotations

import gzip
import itertools
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from packets import ACK, CLIENT, FILE_HEADER, RECORD, SERVER, SYN, Talk, batches, rows, stamped


class Case(NamedTuple):
    write: Callable[[BinaryIO, int], None]
    count: int  # in full
    suffix: str

    @property
    def what(self) -> str:
        return (self.write.__doc__ or "").splitlines()[0]


CASES: dict[str, Case] = {}


def case(count: int, suffix: str = "pcap") -> Callable[[Callable[[BinaryIO, int], None]], None]:
    def register(write: Callable[[BinaryIO, int], None]) -> None:
        CASES[write.__name__.replace("_", "-")] = Case(write, count, suffix)

    return register


@case(5_000_000)
def syn_flood(out: BinaryIO, count: int) -> None:
    """SYNs from random addresses"""
    random = np.random.default_rng(1)
    out.write(FILE_HEADER)
    for first, many in batches(count):
        made = rows(many)
        made["flags"] = SYN
        made["source"] = random.integers(0, 1 << 32, many)
        made["source_port"] = random.integers(1024, 1 << 16, many)
        made["sequence"] = random.integers(0, 1 << 32, many)
        out.write(stamped(made, first))


@case(1_000_000)
def hash_flood(out: BinaryIO, count: int) -> None:
    """connections whose keys have one sum and one XOR, so that hashes without a secret seed put them into one place"""
    out.write(FILE_HEADER)
    for first, many in batches(count):
        made = rows(many)
        number = np.arange(first, first + many, dtype=np.uint32)
        made["flags"] = SYN
        made["source"] = number << 1  # bits that the other address has not: neither sum nor XOR of the two changes
        made["destination"] = ~(number << 1)
        out.write(stamped(made, first))


@case(10_000_000)
def one_byte_segments(out: BinaryIO, count: int) -> None:
    """segments of one byte that nobody knows"""
    Talk(out).stream(0, (bytes(min(1 << 16, count - at)) for at in range(0, count, 1 << 16)), 1)


@case(1_000_000)
def one_byte_lines(out: BinaryIO, count: int) -> None:
    """segments of one byte, of a line that never ends and may become HTTP"""
    Talk(out).stream(0, itertools.chain([b"GET /"], _of(b"a" * 1000, count)), 1)


@case(1_000_000)
def one_byte_heads(out: BinaryIO, count: int) -> None:
    """segments of one byte, of an HTTP head that never ends"""
    Talk(out).stream(0, itertools.chain([b"GET / HTTP/1.1\r\n"], _of(b"a: b\r\n" * 200, count)), 1)


@case(1_000_000)
def one_byte_chunks(out: BinaryIO, count: int) -> None:
    """segments of one byte, of HTTP chunks of one byte"""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    Talk(out).stream(0, itertools.chain([head], _of(b"1\r\na\r\n" * 200, count)), 1)


@case(1_000_000)
def one_byte_tls(out: BinaryIO, count: int) -> None:
    """segments of one byte, of TLS handshake messages as large as they may be"""
    message = struct.pack(">I", 1 << 24 | 0x3FFFF)[:4] + bytes(0x3FFFF)
    records = b"".join(
        b"\x16\x03\x01" + struct.pack(">H", len(part)) + part
        for part in (message[at : at + 16384] for at in range(0, len(message), 16384))
    )
    Talk(out, 443).stream(0, _of(records, count), 1)


@case(1_000_000)
def one_byte_http2(out: BinaryIO, count: int) -> None:
    """segments of one byte, of an HTTP/2 field block in CONTINUATION frames as large as they may be"""
    frames = _frame(1, 0, 1, bytes(16384)) + _frame(9, 0, 1, bytes(16384)) * 20
    talk = Talk(out)
    talk.say(0, PREFACE)
    talk.stream(0, _of(frames, count), 1)


@case(1_000_000)
def one_byte_holes(out: BinaryIO, count: int) -> None:
    """segments of one byte, each in the middle of what is missing"""
    talk = Talk(out)
    talk.segment(0, b"G", at=1 << 30)
    for number in range(count):
        talk.segment(0, b"a", at=3 + 2 * number)


@case(1_000_000)
def out_of_order(out: BinaryIO, count: int) -> None:
    """segments of one byte that come backwards behind a hole"""
    talk = Talk(out)
    talk.say(0, b"GET ")
    for number in range(count):
        talk.segment(0, b"a", at=10 + 2 * count - 2 * number)


@case(1_000_000)
def contradictions(out: BinaryIO, count: int) -> None:
    """retransmissions with other bytes than before"""
    talk = Talk(out)
    talk.say(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    for number in range(count):
        talk.segment(0, b"%04d / HTTP/1.1" % (number % 9999), at=1)


@case(1_000_000)
def retransmissions_behind_hole(out: BinaryIO, count: int) -> None:
    """retransmissions with other bytes, of bytes that wait for earlier ones"""
    talk = Talk(out)
    talk.say(0, b"GET ")
    for number in range(count):
        talk.segment(0, struct.pack(">I", number) * 100, at=10)


@case(2_000_000)
def fragments(out: BinaryIO, count: int) -> None:
    """IP fragments, interleaved, of packets that never become whole"""
    out.write(FILE_HEADER)
    for first, many in batches(count):
        number = np.arange(first, first + many)
        made = rows(many, 8, RECORD)
        made["identification"] = number % 50_000
        made["source"] = CLIENT + number // 50_000 // 4000
        made["fragment"] = 0x2000 | 1 + number // 50_000 % 4000 * 2
        out.write(stamped(made, first))


@case(2_000_000)
def fragments_of_one(out: BinaryIO, count: int) -> None:
    """IP fragments of 8 bytes that come backwards, packet after packet"""
    out.write(FILE_HEADER)
    for first, many in batches(count):
        number = np.arange(first, first + many)
        made = rows(many, 8, RECORD)
        made["identification"] = number // 8000 % 65536
        made["fragment"] = 0x2000 | 8001 - number % 8000
        out.write(stamped(made, first))


@case(10_000_000, "pcapng")
def interfaces(out: BinaryIO, count: int) -> None:
    """pcapng interface blocks"""
    out.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
    block = struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
    for _, many in batches(count):
        out.write(block * many)


@case(5_000_000, "pcapng")
def sections(out: BinaryIO, count: int) -> None:
    """pcapng sections with one interface each"""
    block = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    block += struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
    for _, many in batches(count):
        out.write(block * many)


@case(2_000_000, "pcapng")
def names(out: BinaryIO, count: int) -> None:
    """pcapng name resolution and statistics blocks, and empty key logs"""
    out.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
    out.write(struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20))
    blocks = struct.pack("<IIII", 4, 16, 0, 16) + struct.pack("<IIIIII", 5, 24, 0, 0, 0, 24)
    blocks += struct.pack("<IIIII", 10, 20, 0x544C534B, 0, 20)
    for _, many in batches(count // 3):
        out.write(blocks * many)


@case(20_000_000, "pcap.gz")
def compressed(out: BinaryIO, count: int) -> None:
    """empty packets, in a gzip file a thousandth as large"""
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed:
        packed.write(FILE_HEADER)
        for _, many in batches(count):
            packed.write(bytes(16 * many))


@case(1_000_000, "pcap.gz")
def compressed_members(out: BinaryIO, count: int) -> None:
    """empty members of a gzip file"""
    out.write(gzip.compress(FILE_HEADER, mtime=0))
    empty = gzip.compress(b"", mtime=0)
    for _, many in batches(count):
        out.write(empty * many)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _http2(out: BinaryIO, frames: Iterator[bytes]) -> None:
    talk = Talk(out)
    talk.say(0, PREFACE)
    talk.say(1, _frame(4, 0, 0))
    talk.stream(0, frames)


def _of(data: bytes, count: int) -> Iterator[bytes]:
    """`count` bytes of `data` again and again."""
    for at in range(0, count, len(data)):
        yield data[: count - at]


@case(1_000_000)
def http2_resets(out: BinaryIO, count: int) -> None:
    """HTTP/2 requests that are cancelled at once (CVE-2023-44487)"""
    head = bytes.fromhex("828684010161")
    _http2(out, (_frame(1, 5, 2 * n + 1, head) + _frame(3, 0, 2 * n + 1, b"\0\0\0\10") for n in range(count)))


@case(1_000_000)
def http2_open_streams(out: BinaryIO, count: int) -> None:
    """HTTP/2 requests that get no answer"""
    head = bytes.fromhex("828684010161")
    _http2(out, (_frame(1, 5, 2 * n + 1, head) for n in range(count)))


@case(2_000_000)
def http2_continuations(out: BinaryIO, count: int) -> None:
    """HTTP/2 CONTINUATION frames of one field block (CVE-2024-24549 and others)"""
    _http2(out, (_frame(9, 0, 1, b"\x40\x01a\x01b") if n else _frame(1, 0, 1, b"\x82") for n in range(count)))


@case(2_000_000)
def http2_pings(out: BinaryIO, count: int) -> None:
    """HTTP/2 PING frames (CVE-2019-9512)"""
    _http2(out, (_frame(6, 0, 0, struct.pack(">Q", n)) for n in range(count)))


@case(2_000_000)
def http2_settings(out: BinaryIO, count: int) -> None:
    """HTTP/2 SETTINGS frames with a setting each (CVE-2019-9515)"""
    _http2(out, (_frame(4, 0, 0, struct.pack(">HI", n & 0xFFFF, n)) for n in range(count)))


@case(2_000_000)
def http2_empty_data(out: BinaryIO, count: int) -> None:
    """HTTP/2 DATA frames without content or end (CVE-2019-9518)"""
    head = _frame(1, 4, 1, bytes.fromhex("838684410161"))
    _http2(out, itertools.chain([head], (_frame(0, 0, 1) for _ in range(count))))


@case(2_000_000)
def http2_windows(out: BinaryIO, count: int) -> None:
    """HTTP/2 WINDOW_UPDATE and PRIORITY frames of streams in turn"""
    _http2(out, (_frame(8, 0, n % 50_000 * 2 + 1, b"\0\0\0\1") + _frame(2, 0, n % 50_000 * 2 + 1, bytes(5))
                 for n in range(count // 2)))  # fmt: skip


@case(10_000)
def hpack_bomb(out: BinaryIO, count: int) -> None:
    """HTTP/2 field blocks of 16,000 references to one field of 4,000 bytes (CVE-2016-6581)"""
    field = b"\x40\x01a\x7f" + bytes([4000 - 127 & 127 | 128, 4000 - 127 >> 7]) + b"b" * 4000
    first = _frame(1, 5, 1, bytes.fromhex("828684010161") + field)
    bomb = bytes.fromhex("828684010161") + b"\xbe" * 16_000
    _http2(out, itertools.chain([first], (_frame(1, 5, 2 * n + 3, bomb) for n in range(count))))


@case(1_000_000)
def hpack_churn(out: BinaryIO, count: int) -> None:
    """HTTP/2 requests that each put a new field into the dynamic table"""
    head = bytes.fromhex("828684010161")
    _http2(out, (_frame(1, 5, 2 * n + 1, head + b"\x40\x08%08x\x01b" % n) for n in range(count)))


@case(5_000_000)
def tls_records(out: BinaryIO, count: int) -> None:
    """TLS records of one byte, a handshake message first"""
    begin = b"\x16\x03\x01\0\1"
    message = b"\1\0\xff\xff" + bytes(0xFFFF)
    hello = b"".join(begin + message[at : at + 1] for at in range(len(message)))
    Talk(out, 443).stream(0, itertools.chain([hello], _of(b"\x17\x03\x03\0\1\0" * 1000, 6 * count)))


@case(5_000_000)
def tls_alerts(out: BinaryIO, count: int) -> None:
    """TLS warnings"""
    Talk(out, 443).stream(0, itertools.chain([_hello()], _of(b"\x15\x03\x03\0\2\1\x64" * 1000, 7 * count)))


@case(500_000)
def tls_handshakes(out: BinaryIO, count: int) -> None:
    """TLS handshake messages that never end a handshake"""
    Talk(out, 443).stream(0, itertools.repeat(_hello(), count))


def _hello() -> bytes:
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0"
    return b"\x16\x03\x01" + struct.pack(">H", len(body) + 4) + b"\1\0" + struct.pack(">H", len(body)) + body


@case(50_000_000)
def http1_head(out: BinaryIO, count: int) -> None:
    """bytes of an HTTP head that never ends"""
    Talk(out).stream(0, itertools.chain([b"GET / HTTP/1.1\r\n"], _of(b"a: b\r\n" * 1000, count)))


@case(50_000_000)
def http1_chunk_extension(out: BinaryIO, count: int) -> None:
    """bytes of an HTTP chunk extension that never ends"""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    Talk(out).stream(0, itertools.chain([head], _of(b"a=b;" * 1000, count)))


@case(50_000_000)
def http1_trailers(out: BinaryIO, count: int) -> None:
    """bytes of HTTP trailer fields that never end"""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    Talk(out).stream(0, itertools.chain([head], _of(b"a: b\r\n" * 1000, count)))


@case(1_000_000)
def http1_interim(out: BinaryIO, count: int) -> None:
    """HTTP responses 103 to one request"""
    talk = Talk(out)
    talk.say(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    talk.stream(1, itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", count))


@case(1_000_000)
def http1_pipelined(out: BinaryIO, count: int) -> None:
    """HTTP requests, pipelined, none answered"""
    Talk(out).stream(0, (b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(count)))


@case(500_000)
def http1_exchanges(out: BinaryIO, count: int) -> None:
    """HTTP exchanges of one connection, every target another"""
    talk = Talk(out)
    for first in range(0, count, 30):
        many = range(first, min(first + 30, count))
        talk.say(0, b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in many))
        talk.say(1, b"HTTP/1.1 204 No Content\r\n\r\n" * len(many))


@case(1_000_000)
def websocket(out: BinaryIO, count: int) -> None:
    """WebSocket frames without content"""
    talk = Talk(out)
    talk.say(0, b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
    talk.say(1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip
    talk.stream(1, itertools.chain([b"\x01\x00"], itertools.repeat(b"\x00\x00", count)))


@case(5_000_000)
def smtp_dialogue(out: BinaryIO, count: int) -> None:
    """bytes of a dialogue that may still ask for STARTTLS"""
    talk = Talk(out, 25)
    talk.say(1, b"220 a ESMTP\r\n")
    talk.stream(0, itertools.chain([b"EHLO a\r\n"], _of(b"NOOP\r\n" * 200, count)), 6)


@case(1_000_000)
def resets(out: BinaryIO, count: int) -> None:
    """RST segments outside the window, and acknowledgements of what was never sent"""
    out.write(FILE_HEADER)
    for first, many in batches(count):
        made = rows(many)
        number = np.arange(first, first + many)
        made["flags"] = np.where(number % 2, 4, ACK)
        made["sequence"] = number * 100_003
        made["acknowledgement"] = number * 70_001
        out.write(stamped(made, first))


@case(1_000_000)
def reopened(out: BinaryIO, count: int) -> None:
    """SYNs of the same two ports, each with another number"""
    out.write(FILE_HEADER)
    for first, many in batches(count):
        made = rows(many)
        made["flags"] = SYN
        made["sequence"] = np.arange(first, first + many) * 7919
        made["destination"] = SERVER
        out.write(stamped(made, first))


@case(50_000)
def midstream(out: BinaryIO, count: int) -> None:
    """segments in which HTTP/2 frames might begin anywhere, 250 each of connections that were open before"""
    out.write(FILE_HEADER)
    for first, many in batches(count):
        made = rows(many, 1000)
        number = np.arange(first, first + many)
        made["source"] = CLIENT + number // 250
        made["sequence"] = 1 + number % 250 * 1000
        made["payload"] = np.tile(np.array([0, 0, 0, 1], np.uint8), 250)
        out.write(stamped(made, first))
