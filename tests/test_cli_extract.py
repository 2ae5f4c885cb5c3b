"""`analyzer extract`: what it writes is what was sent, under names that stay in the folder."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import sys
import zlib
from pathlib import Path

import brotli
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer.cli import program
from analyzer.commands import extracting
from analyzer.commands.decoding import CannotDecode, decoded
from analyzer.commands.extracting import _file_name
from tests.cases import CASES, capture_of, keys_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def run(*words: object, **options):
    return CliRunner().invoke(program, [str(word) for word in words], **options)


def extracted(case: str, folder: Path, *words: object) -> list[dict]:
    keys = [word for key in keys_of(case) for word in ("--keys", key)]
    done = run("extract", capture_of(case), "-o", folder, *keys, *words)
    assert done.exit_code == 0, done.output
    return index_of(folder)


def index_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


def tunnelled(http, tunnel):
    """All HTTP of a connection, whatever it is in."""
    for one in (http, tunnel.http if tunnel else None):
        if one is not None:
            yield one
            for exchange in one.exchanges:
                yield from tunnelled(None, exchange.tunnel)


@pytest.mark.parametrize("case", CASES)
def test_every_body_is_there_and_as_long_as_it_was(case, tmp_path):
    found = extracted(case, tmp_path)
    assert {entry["file"] for entry in found} | {"index.jsonl"} == {path.name for path in tmp_path.iterdir()}
    assert len({entry["file"] for entry in found}) == len(found)
    for entry in found:
        size = (tmp_path / entry["file"]).stat().st_size
        assert size == entry["bytes"] > 0
        assert entry["file"].endswith(".part") == (not entry["whole"])
        assert (entry["cut"] is None) == entry["whole"]
        if entry["whole"]:
            assert size == entry["body_bytes"]
        else:
            assert size <= entry["body_bytes"] - entry["body_bytes_lost"]
    sent = set()
    for connection in analyzer.analyze(capture_of(case), keys=keys_of(case)):
        for http in {id(one): one for one in tunnelled(connection.http, connection.tunnel)}.values():
            for exchange in http.exchanges:
                if exchange.tunnel or exchange.websocket or exchange.protocol:
                    continue
                for message in (exchange.request, exchange.response):
                    if message is not None and message.body_bytes > message.body_bytes_lost:
                        sent.add((connection.id, message.packet, message.body_bytes))
    listed = {(entry["connection"], entry["first_packet"], entry["body_bytes"]) for entry in found}
    assert listed <= sent
    # Of a body whose beginning is missing there is nothing.
    if case != "http2/stream-error":  # DATA on a stream that is closed is of no message
        assert not {one for one in sent - listed if _is_whole(case, one)}


def _is_whole(case, wanted):
    number, packet, size = wanted
    for connection in analyzer.analyze(capture_of(case), keys=keys_of(case)):
        if connection.id == number:
            for http in tunnelled(connection.http, connection.tunnel):
                for exchange in http.exchanges:
                    for message in (exchange.request, exchange.response):
                        if message is not None and (message.packet, message.body_bytes) == (packet, size):
                            return not message.body_bytes_lost
    return False


def test_the_same_content_in_the_clear_and_decrypted(tmp_path):
    """The same page was fetched over HTTP/1 and HTTP/2, and a chunked body is the same as one by length."""
    bodies = {}
    for case in ("http2/page", "http2/over-tls", "http1/chunked"):
        extracted(case, tmp_path / case)
        bodies[case] = {
            entry["url"]: hashlib.sha256((tmp_path / case / entry["file"]).read_bytes()).hexdigest()
            for entry in index_of(tmp_path / case)
        }
    assert {url.partition(":")[0] for url in bodies["http2/over-tls"]} == {"https"}
    assert {url.partition(":")[0] for url in bodies["http1/chunked"]} == {"http"}
    (same,) = set(bodies["http1/chunked"].values())
    assert len(same) == 64


def test_codings_are_undone_only_when_asked(tmp_path):
    packed = extracted("http1/gzip", tmp_path / "packed")
    plain = extracted("http1/gzip", tmp_path / "plain", "--decode")
    for one, other in zip(packed, plain, strict=True):
        coded, content = (
            (tmp_path / "packed" / one["file"]).read_bytes(),
            (tmp_path / "plain" / one["file"]).read_bytes(),
        )
        assert coded != content
        assert gzip.decompress(coded) == content
        assert (one["decoded"], other["decoded"]) == (False, True)
        assert one["content_encoding"] == other["content_encoding"] == "gzip"
        assert one["body_bytes"] == other["body_bytes"] == len(coded)


def test_what_the_capture_cut_says_so(tmp_path):
    found = extracted("http1/loss-in-body", tmp_path)
    (cut,) = (entry for entry in found if not entry["whole"])
    assert cut["file"].endswith(".part")
    assert cut["cut"] == "bytes are missing"
    assert cut["body_bytes_lost"] > 0
    assert cut["bytes"] < cut["body_bytes"]


def test_only_the_connections_that_are_wanted(tmp_path):
    every = extracted("tcp/web-page", tmp_path / "every")
    numbers = {entry["connection"] for entry in every}
    wanted = min(numbers)
    one = extracted("tcp/web-page", tmp_path / "one", "--connection", wanted)
    assert {entry["connection"] for entry in one} == {wanted} < numbers
    assert [entry for entry in every if entry["connection"] == wanted] == one
    done = run("extract", capture_of("tcp/web-page"), "-o", tmp_path / "none", "--where", "server.port=9")
    assert done.exit_code == 2
    assert list((tmp_path / "none").iterdir()) == []


def test_what_could_not_be_decrypted_is_said(tmp_path):
    done = run("extract", capture_of("tls/no-keys"), "-o", tmp_path / "bodies")
    assert "not decrypted: 1 connection; --keys takes" in done.stderr


def test_from_a_pipe(tmp_path):
    done = run("extract", "-", "-o", tmp_path, input=capture_of("http1/chunked").read_bytes())
    assert done.exit_code == 0
    assert index_of(tmp_path)[0]["capture"] == "-"


# Names.


def crafted(tmp_path: Path, *exchanges: tuple[bytes, bytes]) -> Path:
    """A capture of requests and responses, one after the other, on one connection."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    sent = [1000, 5000]
    packets = []

    def add(side: int, flags: str, payload: bytes = b"") -> None:
        ends = [("10.0.0.1", 40000), ("10.0.0.2", 80)]
        (source, sport), (target, dport) = ends[side], ends[1 - side]
        segment = TCP(sport=sport, dport=dport, flags=flags, seq=sent[side], ack=sent[1 - side])
        packets.append(
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=source, dst=target) / segment / payload
        )
        packets[-1].time = 1000 + len(packets) / 1000
        sent[side] += len(payload) + (flags in ("S", "SA", "FA"))

    add(0, "S")
    add(1, "SA")
    add(0, "A")
    for request, response in exchanges:
        add(0, "PA", request)
        for at in range(0, len(response), 1400):
            add(1, "PA", response[at : at + 1400])
    add(0, "FA")
    add(1, "FA")
    add(0, "A")
    wrpcap(str(tmp_path / "crafted.pcap"), packets)
    return tmp_path / "crafted.pcap"


def exchange(target: bytes, body: bytes = b"x", coding: bytes = b"") -> tuple[bytes, bytes]:
    fields = b"Content-Encoding: %s\r\n" % coding if coding else b""
    response = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (fields, len(body), body)
    return b"GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n" % target, response


HOSTILE = [
    b"/../../etc/passwd", b"/..", b"/a/..%2f..%2fetc%2fpasswd", b"/\x1b[31mred", b"/" + b"a" * 5000 + b".html",
    b"/.bashrc", b"/-rf", b"/a\\..\\b", b"/con?../../x", b"http://b.test/../../x", b"/\xff\xfe", b"/index.jsonl", b"/~",
]  # fmt: skip


def test_hostile_targets_stay_in_the_folder(tmp_path):
    capture = crafted(tmp_path, *(exchange(target) for target in HOSTILE))
    (tmp_path / "a" / "b").mkdir(parents=True)
    done = run("extract", capture, "-o", tmp_path / "a" / "b" / "bodies")
    assert done.exit_code == 0
    folder = tmp_path / "a" / "b" / "bodies"
    found = index_of(folder)
    assert len(found) == len({path.name for path in folder.iterdir()} - {"index.jsonl"}) >= len(HOSTILE) - 2
    assert {path.name for path in tmp_path.iterdir()} == {"crafted.pcap", "a"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b"}
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {"bodies"}


@given(st.text() | st.sampled_from([target.decode("latin-1") for target in HOSTILE]), st.integers(0), st.integers(1))
def test_any_target_gives_a_plain_name(target, connection, number):
    name = _file_name(connection % 10**6, number % 10**6, "response", target)
    assert Path(name).name == name
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set("/\\ *?:|<>\"'$`;&~")
    assert name.startswith("c")
    assert len(name) < 120


def test_nothing_is_overwritten_unless_asked(tmp_path):
    first = extracted("http1/chunked", tmp_path)
    again = run("extract", capture_of("http1/chunked"), "-o", tmp_path)
    assert again.exit_code == 2
    assert "--force" in again.stderr
    victim = tmp_path / first[0]["file"]
    victim.write_text("mine")
    (tmp_path / "index.jsonl").unlink()
    again = run("extract", capture_of("http1/chunked"), "-o", tmp_path)
    assert again.exit_code == 2
    assert victim.read_text() == "mine"
    assert not list(tmp_path.glob(".extract-*"))
    assert run("extract", capture_of("http1/chunked"), "-o", tmp_path, "--force").exit_code == 0
    assert victim.stat().st_size == first[0]["bytes"]


def test_links_are_not_followed(tmp_path):
    name = extracted("http1/chunked", tmp_path / "first")[0]["file"]
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / name).symlink_to(outside)
    assert run("extract", capture_of("http1/chunked"), "-o", tmp_path / "second").exit_code == 2
    assert run("extract", capture_of("http1/chunked"), "-o", tmp_path / "second", "--force").exit_code == 0
    assert outside.read_text() == "mine"
    assert not (tmp_path / "second" / name).is_symlink()


# Codings.


def coded(data: bytes, coding: str) -> bytes:
    match coding:
        case "gzip":
            return gzip.compress(data)
        case "deflate":
            return zlib.compress(data)
        case "bare deflate":
            compressor = zlib.compressobj(wbits=-15)
            return compressor.compress(data) + compressor.flush()
        case "br":
            return brotli.compress(data)
    return zstd.compress(data)


def pieces(data: bytes, size: int):
    return (data[at : at + size] for at in range(0, len(data), size))


@given(
    st.binary(max_size=4000), st.sampled_from(["gzip", "deflate", "bare deflate", "br", "zstd"]), st.integers(2, 900)
)
def test_what_was_coded_is_decoded(data, coding, size):
    packed = coded(data, coding)
    name = coding.removeprefix("bare ")
    assert b"".join(decoded(pieces(packed, size), [name])) == data
    twice = coded(packed, "gzip")
    assert b"".join(decoded(pieces(twice, size), [name, "gzip"])) == data


@given(st.binary(max_size=400), st.sampled_from(["gzip", "x-gzip", "deflate", "zstd", "br", "identity", "other"]))
def test_anything_can_be_tried(data, coding):
    with contextlib.suppress(CannotDecode):
        b"".join(decoded(iter([data]) if data else iter(()), [coding]))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_goes_off_only_so_far(coding, tmp_path, monkeypatch):
    monkeypatch.setattr(extracting, "LEAST_LIMIT", 1 << 20)
    bomb = coded(bytes(40 << 20), coding)
    capture = crafted(tmp_path, exchange(b"/bomb", bomb, coding.encode()))
    assert run("extract", capture, "-o", tmp_path / "bodies", "--decode").exit_code == 0
    (entry,) = index_of(tmp_path / "bodies")
    assert entry["bytes"] == max(1 << 20, extracting.MOST_RATIO * len(bomb))
    assert not entry["whole"]
    assert "stopped after" in entry["decoding"]


def test_what_cannot_be_decoded_is_kept_as_it_was_sent(tmp_path):
    capture = crafted(tmp_path, exchange(b"/a", b"no gzip at all", b"gzip"), exchange(b"/b", b"secret", b"rot13"))
    assert run("extract", capture, "-o", tmp_path / "bodies", "--decode").exit_code == 0
    found = index_of(tmp_path / "bodies")
    assert [(tmp_path / "bodies" / entry["file"]).read_bytes() for entry in found] == [b"no gzip at all", b"secret"]
    assert [entry["decoded"] for entry in found] == [False, False]
    assert all(entry["whole"] for entry in found)
    assert "rot13" in found[1]["decoding"]
