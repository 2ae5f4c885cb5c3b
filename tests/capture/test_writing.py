"""pcapng files that are written, read again by the reader and by Wireshark."""

from __future__ import annotations

import io
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture.source import TLS_KEY_LOG, open_capture
from analyzer.capture.writing import PcapngWriter, copy_frames, copy_pcapng
from tests.cases import CASES, capture_of

LOG = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"
PCAPNG = [case for case in CASES if capture_of(case).suffix == ".pcapng"]


def packets_of(content: bytes) -> list[tuple]:
    """Number, time, bytes on the wire, link type and bytes of each packet, and the secrets known by then."""
    found = []
    with open_capture(io.BytesIO(content)) as capture:
        for frames in capture:
            columns = (frames.offset, frames.captured, frames.time_ns, frames.original, frames.link_type)
            for at, captured, *rest in zip(*(one.tolist() for one in columns), strict=True):
                found.append((*rest, bytes(frames.data[at : at + captured]), len(capture.secrets)))
    return found


def copied(content: bytes, key_log: bytes = LOG) -> bytes:
    out = io.BytesIO()
    copy_pcapng(io.BytesIO(content), out.write, key_log)
    return out.getvalue()


@pytest.mark.parametrize("case", CASES)
def test_a_capture_written_anew_has_the_same_packets(case):
    out = io.BytesIO()
    with open_capture(capture_of(case)) as capture:
        count = copy_frames(capture, PcapngWriter(out.write))
    before = [packet[:-1] for packet in packets_of(capture_of(case).read_bytes())]
    assert [packet[:-1] for packet in packets_of(out.getvalue())] == before
    assert len(before) == count


@pytest.mark.parametrize("case", PCAPNG[::10])
def test_secrets_come_before_the_first_packet_and_nothing_else_changes(case):
    content = capture_of(case).read_bytes()
    with_secrets = copied(content)
    assert len(with_secrets) == len(content) + 20 + len(LOG) + -len(LOG) % 4
    before, after = packets_of(content), packets_of(with_secrets)
    assert [packet[:-1] for packet in after] == [packet[:-1] for packet in before]
    assert all(new[-1] == old[-1] + 1 for old, new in zip(before, after, strict=True))


def test_the_secrets_are_those_given():
    with open_capture(io.BytesIO(copied(capture_of(PCAPNG[0]).read_bytes()))) as capture:
        list(capture)
        assert [(one.kind, one.data) for one in capture.secrets][-1] == (TLS_KEY_LOG, LOG)


@given(st.binary(max_size=200))
def test_whatever_it_is_it_is_copied(content):
    assert len(copied(b"\x0a\x0d\x0d\x0a" + content)) >= len(content)


@given(st.integers(0, 2000))
def test_a_cut_file_is_copied_up_to_the_cut(length):
    content = capture_of("tcp/web-page").read_bytes()[:length]
    whole = copied(content)
    assert whole[:28] == content[:28]
    assert whole.endswith(content[-4:])
    assert len(whole) >= len(content)


@pytest.mark.skipif(not shutil.which("capinfos"), reason="capinfos is not installed")
def test_wireshark_reads_what_is_written(tmp_path):
    written = tmp_path / "written.pcapng"
    with open(written, "wb") as file, open_capture(capture_of("tcp/web-page")) as capture:
        writer = PcapngWriter(file.write)
        writer.secrets(LOG)
        copy_frames(capture, writer)
    said = subprocess.run(["capinfos", "-M", str(written)], capture_output=True, text=True, check=True).stdout
    assert "Number of packets:   46" in said
    assert "decryption secrets" in said.lower()
