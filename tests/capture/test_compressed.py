"""Captures inside archives: the same frames, in bounded memory, and of a broken archive all that can be unpacked."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import sys
import zlib

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture import base
from analyzer.capture.compressed import MAX_DICTIONARY_BYTES, codec_of
from analyzer.capture.source import find_captures, open_bytes, open_capture
from analyzer.errors import InputError
from tests.capture import strategies
from tests.capture.builders import Packet, Stuttering, enhanced, interface, pcap, read, read_through_pipe, section, seen
from tests.cases import ROOT

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstd.compress,
    "lz4": lz4.frame.compress,
}
TWO_PACKETS = pcap(Packet(b"ping", 1_000_000_000), Packet(b"pong", 2_000_000_000))
# What neither compresses to almost nothing nor fits into one piece.
NOISE = pcap(*(Packet(os.urandom(700) + bytes(700), number * 1000) for number in range(2000)))

formats = pytest.mark.parametrize("name", COMPRESS)


def skippable(content: bytes) -> bytes:
    """RFC 8878 §3.1.2: a frame that says nothing."""
    return b"\x53\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


def outcome(reading, *arguments):
    """What was seen, or the one line that says why nothing could be."""
    try:
        return reading(*arguments)
    except InputError as error:
        (line,) = str(error).splitlines()
        return line


@formats
@pytest.mark.parametrize("data", [TWO_PACKETS, section() + interface() + enhanced(b"ping"), NOISE])
def test_a_compressed_capture_is_the_capture(name, data):
    archive = COMPRESS[name](data)
    assert codec_of(archive[:4]).name == name
    assert read(archive) == read(data)


@strategies.patiently
@given(strategies.pcaps() | strategies.pcapngs, st.sampled_from([*COMPRESS]), st.integers(1, 300), st.data())
def test_chunks_and_pipes_never_change_what_is_read(data, name, chunk_bytes, choose):
    archive = COMPRESS[name](data)
    archive = archive[: choose.draw(st.integers(4, len(archive)))]
    whole = outcome(read, archive)

    assert outcome(read, archive, chunk_bytes) == whole
    assert outcome(read_through_pipe, archive, [chunk_bytes, 7], 1 << 20) == whole


@formats
@pytest.mark.parametrize("data", [TWO_PACKETS, section() + interface() + enhanced(b"ping") * 4])
def test_cut_anywhere_an_archive_gives_the_beginning_of_its_frames(name, data):
    archive, whole = COMPRESS[name](data), read(data)

    for end in range(4, len(archive)):
        cut = outcome(read, archive[:end])
        said = cut if isinstance(cut, str) else cut.warnings[-1]
        assert f"the {name} data around it is cut off after {end} bytes" in said
        if not isinstance(cut, str):
            assert len(cut.warnings) == 1
            assert cut.frames == whole.frames[: len(cut.frames)]


@formats
def test_most_of_a_cut_archive_is_read(name):
    archive = COMPRESS[name](NOISE)
    cut = read(archive[: len(archive) * 9 // 10])

    assert 1200 < len(cut.frames) < 2000  # bzip2 has blocks of 900 kB, and unpacks whole ones
    assert "is cut off after" in cut.warnings[-1]


@strategies.patiently
@given(st.sampled_from([*COMPRESS]), st.data())
def test_damage_anywhere_gives_frames_or_one_clear_line(name, choose):
    archive = bytearray(COMPRESS[name](TWO_PACKETS * 3))
    for _ in range(choose.draw(st.integers(1, 4))):
        archive[choose.draw(st.integers(4, len(archive) - 1))] ^= 1 << choose.draw(st.integers(0, 7))
    whole = outcome(read, bytes(archive))

    assert outcome(read, bytes(archive), choose.draw(st.integers(1, 300))) == whole


@strategies.patiently
@given(st.sampled_from([COMPRESS[name](b"")[:4] for name in COMPRESS] + [b"\x50\x2a\x4d\x18"]), st.binary(max_size=400))
def test_any_bytes_behind_a_magic_number_give_one_clear_line(magic, data):
    assert isinstance(outcome(read, magic + data), str)


def test_a_wrong_checksum_loses_nothing():
    archive = bytearray(gzip.compress(TWO_PACKETS))
    archive[-8] ^= 1  # RFC 1952 §2.3.1: the CRC stands behind the data
    broken = read(bytes(archive))
    assert broken.data == [b"ping", b"pong"]
    assert "the gzip data around it is damaged at or before byte" in broken.warnings[0]


def test_of_a_long_damaged_archive_only_the_last_piece_is_lost():
    archive = bytearray(gzip.compress(NOISE, 0))
    payload = 24 + 1000 * (16 + 1400) + 16 + 100
    archive[archive.index(NOISE[payload : payload + 20])] ^= 1  # found only by the checksum, at the end
    broken = read(bytes(archive))
    assert 2000 - (1 << 16) // 1400 - 2 < len(broken.frames) < 2000
    assert "is damaged at or before byte" in broken.warnings[-1]


@formats
def test_members_follow_one_another(name):
    """`cat first.gz second.gz`, also of different formats, with padding between and after them."""
    compress = COMPRESS[name]
    half = len(TWO_PACKETS) // 2
    first, second = TWO_PACKETS[:half], TWO_PACKETS[half:]

    assert read(compress(first) + compress(second)) == read(TWO_PACKETS)
    assert read(compress(first) + compress(b"") * 3000 + compress(second) + bytes(5000)) == read(TWO_PACKETS)
    assert read(compress(first) + bytes(4) + gzip.compress(second)) == read(TWO_PACKETS)
    for chunk_bytes in (1, 3, 50):
        assert read(compress(first) + bytes(9) + compress(second), chunk_bytes) == read(TWO_PACKETS)


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_frames_that_are_to_be_skipped_are_skipped(name):
    archive = skippable(b"") + skippable(b"who knows") + COMPRESS[name](TWO_PACKETS) + skippable(bytes(100_000))
    assert read(archive) == read(TWO_PACKETS)
    assert read(archive, 11) == read(TWO_PACKETS)


@formats
def test_what_follows_an_archive_is_told(name):
    archive = COMPRESS[name](TWO_PACKETS)
    after = read(archive + b"and more")
    assert after.data == [b"ping", b"pong"]
    said = f"the {name} data around it ends at byte {len(archive)}, but the file does not"
    assert after.warnings == [f"reading failed at byte offset {len(TWO_PACKETS)}: {said}"]


UNPACK = """
import resource, sys
from analyzer.capture.source import open_bytes
with open_bytes(sys.argv[1]) as window:
    window.read(4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    window.skip(1 << 40)
    print(window.position, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@formats
def test_a_bomb_costs_no_memory(name, tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(COMPRESS[name](bytes(1 << 27)) * 4)
    assert path.stat().st_size < 1 << 22
    done = subprocess.run([sys.executable, "-c", UNPACK, path], cwd=ROOT, capture_output=True, text=True, check=True)
    content, kib = map(int, done.stdout.split())
    assert content == 1 << 29
    assert kib < 20_000


def test_an_archive_that_asks_for_too_much_memory_is_refused():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 4 * MAX_DICTIONARY_BYTES}]
    with pytest.raises(InputError, match=r"the xz data around it is damaged .*[Mm]emory"):
        read(lzma.compress(TWO_PACKETS, filters=filters))
    options = {zstd.CompressionParameter.window_log: 30, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    with pytest.raises(InputError, match=r"the zstd data around it is damaged .*memory"):
        read(compressor.compress(TWO_PACKETS) + compressor.flush())


def test_an_archive_in_an_archive_is_refused():
    with pytest.raises(InputError, match=r"is compressed twice, and inside with gzip\. Unpack it once\."):
        read(lzma.compress(gzip.compress(TWO_PACKETS)))


@formats
def test_what_is_no_capture_in_an_archive_is_told(name):
    for content, complaint in ((b"", "is empty"), (b"\xd4\xc3", "is too short"), (b"some words " * 9, "is text")):
        with pytest.raises(InputError, match=complaint):
            read(COMPRESS[name](content))


def test_a_disk_that_fails_is_told_as_such():
    archive = gzip.compress(NOISE)
    failure = OSError(5, "Input/output error")
    broken = seen(open_capture(Stuttering(archive[:100_000], failure)))
    assert len(broken.frames) > 50
    assert "could not be read: Input/output error" in broken.warnings[-1]
    between = seen(open_capture(Stuttering(archive, failure)))
    assert (len(between.frames), between.warnings) == (
        2000, [f"reading failed at byte offset {len(NOISE)}: Input/output error"],
    )  # fmt: skip


def test_position_and_size_are_those_of_the_file(tmp_path):
    path = tmp_path / "noise.pcap.gz"
    path.write_bytes(gzip.compress(NOISE))
    with open_capture(path, chunk_bytes=1000) as capture:
        assert capture.size == path.stat().st_size
        assert 0 < capture.position < 10_000
        list(capture)
        assert capture.position == capture.size


def test_a_pipe_delivers_packets_as_soon_as_they_are_unpacked(monkeypatch):
    monkeypatch.setattr(base, "IDLE_SECONDS", 0.01)
    output, into = os.pipe()
    compressor = zlib.compressobj(wbits=31)
    with open(output, "rb", buffering=0) as file, open(into, "wb", buffering=0) as writer:
        writer.write(compressor.compress(TWO_PACKETS[:44]) + compressor.flush(zlib.Z_SYNC_FLUSH))
        with open_capture(file) as capture:
            assert next(capture).count == 1
            assert next(capture).count == 0  # nobody writes
            writer.write(compressor.compress(TWO_PACKETS[44:]) + compressor.flush())
            writer.close()
            assert next(capture).count == 1
            assert next(capture, None) is None
            assert capture.warnings == []


def test_folders_are_searched_for_what_archives_hold(tmp_path):
    for name, compress in COMPRESS.items():
        (tmp_path / f"web.{name}").write_bytes(compress(TWO_PACKETS))
        (tmp_path / f"notes.{name}").write_bytes(compress(b"no capture"))
        (tmp_path / f"cut.pcap.{name}").write_bytes(compress(TWO_PACKETS)[:9])
    (tmp_path / "web.zip").write_bytes(b"PK\x03\x04")
    assert find_captures([tmp_path]) == sorted(str(tmp_path / f"web.{name}") for name in COMPRESS)


@formats
def test_bytes_are_those_of_the_content(name, tmp_path):
    path = tmp_path / "noise"
    for content in (COMPRESS[name](NOISE), NOISE):
        path.write_bytes(content)
        with open_bytes(path, chunk_bytes=5000) as window:
            assert [window.read(4), window.read(100_000), window.read(1 << 30), window.read(1)] == [
                NOISE[:4], NOISE[4:100_004], NOISE[100_004:], b"",
            ]  # fmt: skip


@pytest.mark.parametrize(("program", "level"), [
    ("gzip", "-9"), ("xz", "-9"), ("bzip2", "-9"), ("zstd", "-19"), ("zstd", "--ultra -22"), ("lz4", "-9"),
    ("pigz", "-9"), ("pzstd", "-9"), ("pixz", "-9"),
])  # fmt: skip
def test_what_the_programs_write(program, level):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *level.split(), "-c"], input=NOISE, capture_output=True, check=True)
    assert read(done.stdout) == read(NOISE)
