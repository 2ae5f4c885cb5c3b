"""`analyzer slice`: what it cuts out of recorded captures is read with the same labels."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import analyzer
from analyzer.capture.source import TLS_KEY_LOG, open_capture
from analyzer.capture.writing import numbered_comments
from analyzer.cli import program
from tests.cases import CAPTURES, CASES, PYTHONPATH, analysed, capture_of, keys_of

# Of a connection and of its parts: they count anew, or say where a secret came from.
COUNTED = {"capture", "id", "tcp_stream", "decryption"}
PACKETS = {"packet", "first_packet", "last_packet"}
MOST_EACH = 4  # connections of a capture that are cut out one by one


def run(*words: object):
    return CliRunner().invoke(program, [str(word) for word in words])


def sliced(case: str, out: Path, *words: object) -> Path:
    keys = [word for key in keys_of(case) for word in ("--keys", key)]
    done = run("slice", capture_of(case), *keys, *words, "-o", out)
    assert done.exit_code == 0, done.output
    return out


def packets_of(path: Path) -> list[tuple]:
    """Time, both lengths, link type, interface name and bytes of each packet."""
    found = []
    with open_capture(path) as capture:
        for frames in capture:
            for i in range(frames.count):
                at, captured = int(frames.offset[i]), int(frames.captured[i])
                found.append(
                    (
                        int(frames.time_ns[i]), captured, int(frames.original[i]), int(frames.link_type[i]),
                        capture.interfaces[frames.interface[i]].name, bytes(frames.data[at : at + captured]),
                    )
                )  # fmt: skip
    return found


def original_numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(rb"packet (\d+) of ", path.read_bytes())]


def bare(value: object, numbers: dict[int, int], field: str = "") -> object:
    """Plain data, with packets numbered as in the whole capture."""
    match value:
        case dict():
            return {
                name: bare(one, numbers, name)
                for name, one in value.items()
                if name not in COUNTED and name != "close_notify"  # a packet number per side, compared apart
            }
        case list():
            return [bare(one, numbers) for one in value]
        case int() if field in PACKETS:
            return numbers.get(value, value)
    return value


def labels(connection: analyzer.Connection, numbers: dict[int, int]) -> object:
    return bare(msgspec.to_builtins(connection), numbers)


@pytest.mark.parametrize("case", [case for case in CASES if case != "tcp/client-restart"])
def test_a_slice_is_labelled_as_the_whole(case, tmp_path):
    everything = packets_of(capture_of(case))
    for connection in analysed(case)[0][:MOST_EACH]:
        out = sliced(case, tmp_path / "one.pcapng", "--connection", connection.id)
        numbers = original_numbers(out)
        assert [everything[number - 1][:4] for number in numbers] == [packet[:4] for packet in packets_of(out)]
        assert [everything[number - 1][5] for number in numbers] == [packet[5] for packet in packets_of(out)]
        assert numbers == sorted(set(numbers))
        (again,) = analyzer.analyze(out)
        assert labels(again, dict(enumerate(numbers, 1))) == labels(connection, {})


def test_what_ended_a_connection_may_not_be_part_of_it(tmp_path):
    (again,) = analyzer.analyze(sliced("tcp/client-restart", tmp_path / "one.pcapng", "--connection", 0))
    assert analysed("tcp/client-restart")[0][0].close.cause == "connection-ended"
    assert again.close.cause == "open-at-end"


@pytest.mark.parametrize("case", sorted(CASES)[::3])
def test_all_connections_together_are_labelled_as_before(case, tmp_path):
    before = analysed(case)[0]
    if not before:
        return
    out = sliced(case, tmp_path / "all.pcapng", "--connection", f"0-{before[-1].id}")
    numbers = dict(enumerate(original_numbers(out), 1))
    after = sorted(analyzer.analyze(out), key=lambda connection: connection.id)
    assert [labels(one, numbers) for one in after] == [labels(one, {}) for one in before]


# What belongs to a connection.


@pytest.mark.parametrize(
    ("case", "packets"), [("formats/fragments-ipv6", None), ("formats/fragments-out-of-order", None)]
)
def test_fragments_belong_to_it(case, packets, tmp_path):
    """All of them: none of its packets is incomplete in the slice."""
    assert analysed(case)[1]["fragments"]
    out = sliced(case, tmp_path / "one.pcapng", "--connection", 0)
    analysis = analyzer.analyze(out)
    list(analysis)
    assert analysis.totals.fragments == analysed(case)[1]["fragments"]
    assert not analysis.totals.incomplete


@pytest.mark.parametrize("case", [case for case in CASES if "icmp" in case])
def test_icmp_errors_belong_to_it(case, tmp_path):
    for connection in analysed(case)[0]:
        (again,) = analyzer.analyze(sliced(case, tmp_path / "one.pcapng", "--connection", connection.id))
        assert again.notes.icmp_errors == connection.notes.icmp_errors
    assert any(connection.notes.icmp_errors for connection in analysed(case)[0])


def secrets_in(path: Path) -> str:
    with open_capture(path) as capture:
        list(capture)
        return "".join(block.data.decode() for block in capture.secrets if block.kind == TLS_KEY_LOG)


def test_only_its_own_secrets_are_in_it(tmp_path):
    case = "tls/1.2-resumption-ticket"
    logs = [sliced(case, tmp_path / f"{i}.pcapng", "--connection", i) for i in (0, 1)]
    first, second = (set(secrets_in(log).split("\n")) - {""} for log in logs)
    assert first
    assert second
    assert not first & second
    # And from the blocks of the capture itself.
    both = sliced(case, tmp_path / "both.pcapng", "--where", "tls=*")
    done = run("slice", both, "--connection", 1, "-o", tmp_path / "again.pcapng")
    assert done.exit_code == 0
    assert set(secrets_in(tmp_path / "again.pcapng").split("\n")) - {""} == second
    done = run("slice", both, "--connection", 1, "--no-secrets", "-o", tmp_path / "closed.pcapng")
    assert done.exit_code == 0
    assert secrets_in(tmp_path / "closed.pcapng") == ""


# Input and output.


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("case", ["tcp/web-page", "tls/1.3-full", "formats/fragments-ipv6", "formats/wireless"])
def test_wireshark_reads_it(case, tmp_path):
    out = sliced(case, tmp_path / "one.pcapng", "--connection", 0)
    words = ["tshark", "-r", str(out), "-T", "fields", "-e", "frame.comment"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert [int(line.split()[1]) for line in done.stdout.splitlines()] == original_numbers(out) != []
    assert "damaged" not in done.stderr
    assert "cut short" not in done.stderr


def test_a_compressed_capture(tmp_path):
    packed = tmp_path / "capture.pcapng.gz"
    packed.write_bytes(gzip.compress(capture_of("tcp/web-page").read_bytes()))
    assert run("slice", packed, "--connection", 2, "-o", tmp_path / "one.pcapng").exit_code == 0
    whole = sliced("tcp/web-page", tmp_path / "other.pcapng", "--connection", 2)
    assert packets_of(tmp_path / "one.pcapng") == packets_of(whole)


def test_several_files_as_one(tmp_path):
    files = [capture_of("tcp/refused"), capture_of("tcp/web-page")]
    before = list(analyzer.read(files))
    wanted = before[-1]
    assert run("slice", "--merge", *files, "--connection", wanted.id, "-o", tmp_path / "one.pcapng").exit_code == 0
    (again,) = analyzer.analyze(tmp_path / "one.pcapng")
    numbers = dict(enumerate(original_numbers(tmp_path / "one.pcapng"), 1))
    assert labels(again, numbers) == labels(wanted, {})


def test_into_a_pipe():
    words = [sys.executable, "-m", "analyzer", "slice", str(capture_of("tcp/web-page")), "--connection", "2", "-o", "-"]
    environment = {"PYTHONPATH": PYTHONPATH, "PATH": "/usr/bin"}
    done = subprocess.run(words, capture_output=True, check=True, env=environment)
    (connection,) = analyzer.analyze(io.BytesIO(done.stdout))
    assert connection.close.flow == "tcp-close/four-way"


def test_filters_and_numbers_both_hold(tmp_path):
    out = sliced("tcp/web-page", tmp_path / "some.pcapng", "--connection", "1-3", "--where", "close=four-way")
    assert [connection.close.flow for connection in analyzer.read(out)] == ["tcp-close/four-way"]


def test_interfaces_of_its_packets_only(tmp_path):
    """Two interfaces, of which the connection used the second."""

    def block(kind: int, body: bytes) -> bytes:
        length = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + length + body + length

    def interface(name: bytes) -> bytes:
        return block(1, struct.pack("<HHI", 1, 0, 65535) + struct.pack("<HH", 2, 4) + name + bytes(4))

    with open_capture(capture_of("tcp/refused")) as capture:
        (frames,) = list(capture)
        packets = [
            (int(frames.time_ns[i]), bytes(frames.data[frames.offset[i] : frames.offset[i] + frames.captured[i]]))
            for i in range(frames.count)
        ]
    content = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + interface(b"eth0") + interface(b"eth1")
    content += block(6, struct.pack("<IIIII", 0, 0, 0, 4, 4) + b"none")
    for time_ns, data in packets:
        ticks = time_ns // 1000
        head = struct.pack("<IIIII", 1, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) + 9)
        content += block(6, head + data + bytes(-len(data) % 4))
    (tmp_path / "two.pcapng").write_bytes(content)
    assert run("slice", tmp_path / "two.pcapng", "--connection", 0, "-o", tmp_path / "one.pcapng").exit_code == 0
    with open_capture(tmp_path / "one.pcapng") as capture:
        list(capture)
        assert [one.name for one in capture.interfaces] == ["eth1"]
    assert [packet[2] for packet in packets_of(tmp_path / "one.pcapng")] == [len(data) + 9 for _, data in packets]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-", "--connection", "0"], "comes once"),
        (["/dev/stdin", "--connection", "0"], "comes once"),
        (["CAPTURE"], "--where"),
        (["CAPTURE", "--connection", "99"], "no connection 99: those there are have the numbers 0 to 4"),
        (["CAPTURE", "--connection", "2-1"], "no number of a connection"),
        (["CAPTURE", "--connection", "x"], "no number of a connection"),
        (["CAPTURE", "--where", "server.port=9"], "no such connection"),
        (["CAPTURE", "CAPTURE", "--connection", "0"], "--merge"),
        (["CAPTURE", "--connection", "0", "--redact"], "read --redact"),
        ([str(CAPTURES), "--connection", "0"], "is a folder"),
    ],
)
def test_what_cannot_be_done_is_said(words, said, tmp_path):
    capture = str(capture_of("tcp/web-page"))
    out = tmp_path / "one.pcapng"
    done = run("slice", *(capture if word == "CAPTURE" else word for word in words), "-o", out)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not out.exists()


def test_it_does_not_overwrite_what_it_reads(tmp_path):
    copy = Path(shutil.copy(capture_of("tcp/web-page"), tmp_path))
    done = run("slice", copy, "--connection", 0, "-o", copy)
    assert done.exit_code == 2
    assert copy.read_bytes() == capture_of("tcp/web-page").read_bytes()


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=40, unique=True).map(sorted))
def test_comments_have_the_numbers_of_their_packets(numbers):
    found = []
    for part, options in numbered_comments(np.array(numbers, np.int64), b"packet ", b" of a"):
        for row in options:
            code, length = struct.unpack_from("<HH", row.tobytes())
            assert code == 1
            assert len(row) == 4 + length + -length % 4 + 4
            found.append(int(row.tobytes()[4 : 4 + length].split()[1]))
        assert len(numbers[part]) == len(options)
    assert found == numbers


def test_it_says_what_it_wrote(tmp_path):
    done = run("slice", capture_of("tcp/web-page"), "--connection", 2, "-o", tmp_path / "one.pcapng")
    assert done.stdout == ""
    assert done.stderr.endswith("one.pcapng: 11 packets of 1 connection\n")
    done = run("read", tmp_path / "one.pcapng", "--format", "jsonl")
    assert json.loads(done.stdout)["packets"] == {"client": 6, "server": 5}
