"""Opening captures, and that neither chunks nor pipes nor damage change what is read."""

import contextlib
import csv
import io
import os
import pathlib
import pty
import shutil
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.capture import source
from analyzer.capture.source import find_captures, open_capture
from analyzer.errors import InputError, UsageError
from tests.capture import strategies
from tests.capture.builders import (
    NANO,
    PATCHED,
    Packet,
    Stuttering,
    enhanced,
    interface,
    pcap,
    pcap_record,
    read,
    read_through_pipe,
    rows,
    section,
    seen,
)

PING, PONG = Packet(b"ping", 1_000_000_000), Packet(b"pong", 2_000_000_000)
TWO_PACKETS = pcap(PING, PONG)
ROOT = pathlib.Path(__file__).parents[2]

captures = strategies.pcaps() | strategies.pcapngs | strategies.damaged()

CORPUS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "corpus"


def outcome(reading, *arguments):
    """What was seen, or the one line that says why nothing could be."""
    try:
        return reading(*arguments)
    except InputError as error:
        (line,) = str(error).splitlines()
        return line


@strategies.patiently
@given(captures, st.integers(1, 300))
def test_chunks_never_change_what_is_read(data, chunk_bytes):
    assert outcome(read, data, chunk_bytes) == outcome(read, data)


@strategies.patiently
@given(captures, st.lists(st.integers(1, 300), min_size=1, max_size=5), st.sampled_from([1, 64, 1 << 20]))
def test_pipes_never_change_what_is_read(data, sizes, chunk_bytes):
    assert outcome(read_through_pipe, data, sizes, chunk_bytes) == outcome(read, data)


@strategies.patiently
@given(st.binary(max_size=400) | st.builds(bytes.__add__, st.sampled_from([*source.FORMATS]), st.binary(max_size=400)))
def test_any_bytes_give_frames_or_one_clear_line(data):
    outcome(read, data)


@strategies.patiently
@given(strategies.pcaps() | strategies.pcapngs, st.data())
def test_a_truncated_capture_gives_the_beginning_of_its_frames(data, choose):
    whole = read(data)
    cut = outcome(read, data[: choose.draw(st.integers(0, len(data)))])

    if not isinstance(cut, str):
        assert cut.frames == whole.frames[: len(cut.frames)]
        assert len(cut.warnings) <= 1


@pytest.mark.parametrize("data", [TWO_PACKETS, section() + interface() + enhanced(b"ping") + enhanced(b"pong")])
def test_a_pipe_delivers_packets_as_soon_as_they_are_whole(data):
    output, into = os.pipe()
    with open(output, "rb") as file, open(into, "wb", buffering=0) as writer:
        last = len(data) - data.index(b"pong")
        writer.write(data[: -last - 10])
        with open_capture(file) as capture:
            packets = rows(capture)
            assert [frame.data for frame in next(packets)] == [b"ping"]
            assert (capture.packets, capture.size) == (1, None)
            writer.write(data[-last - 10 :])
            assert [frame.data for frame in next(packets)] == [b"pong"]
            writer.close()
            assert next(packets, None) is None
            assert capture.position == len(data)


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for():
    output, into = os.pipe()
    os.set_blocking(output, False)
    with open(output, "rb") as file, open(into, "wb", buffering=0) as writer:
        threading.Timer(0.05, lambda: (writer.write(TWO_PACKETS), writer.close())).start()
        with open_capture(file) as capture:
            assert seen(capture).data == [b"ping", b"pong"]


def test_a_named_pipe_is_a_file_like_others(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(TWO_PACKETS,)).start()

    with open_capture(pipe) as capture:
        assert seen(capture).data == [b"ping", b"pong"]


READ_STANDARD_INPUT = """
from analyzer.capture.source import open_capture
with open_capture("-") as capture:
    print(capture.name, capture.format, capture.size, sum(chunk.count for chunk in capture))
"""


def read_in_new_process(**how):
    command = [sys.executable, "-c", READ_STANDARD_INPUT]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **how)


def test_standard_input_is_a_file_or_a_pipe(tmp_path):
    file = tmp_path / "two.pcap"
    file.write_bytes(TWO_PACKETS)

    with file.open() as redirected:
        assert read_in_new_process(stdin=redirected).stdout == f"standard input pcap {len(TWO_PACKETS)} 2\n"
    with subprocess.Popen(["cat", file], stdout=subprocess.PIPE) as cat:
        assert read_in_new_process(stdin=cat.stdout).stdout == "standard input pcap None 2\n"


def test_a_terminal_is_not_waited_for():
    keyboard, terminal = pty.openpty()
    with open(keyboard, "wb"), open(terminal, "rb") as screen:
        assert "standard input: is a terminal. Pipe a capture into it" in read_in_new_process(stdin=screen).stderr


def test_a_missing_standard_input_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(InputError, match="standard input: is closed"):
        open_capture("-")


def test_a_capture_knows_where_it_is(tmp_path):
    file = tmp_path / "two.pcap"
    file.write_bytes(TWO_PACKETS)

    with open_capture(file, chunk_bytes=24) as capture:
        assert (capture.name, capture.size, capture.position, capture.packets) == (str(file), 64, 24, 0)
        next(capture)
        assert (capture.position, capture.packets) == (48, 1)
    assert next(capture, None) is None  # closed


def test_a_file_object_stays_open_for_its_owner_and_a_file_is_closed(tmp_path):
    mine = io.BytesIO(TWO_PACKETS)
    with open_capture(mine) as capture:
        assert (seen(capture).data, capture.size) == ([b"ping", b"pong"], None)
    assert not mine.closed

    file = tmp_path / "two.pcap"
    file.write_bytes(TWO_PACKETS)
    with file.open("rb") as mine_too, open_capture(mine_too) as capture:
        assert (capture.name, capture.size) == (str(file), 64)


def test_an_interruption_loses_nothing():
    capture = open_capture(Stuttering(TWO_PACKETS[:50], KeyboardInterrupt(), TWO_PACKETS[50:]))
    got = []
    with contextlib.suppress(KeyboardInterrupt):
        for chunk in capture:
            got.append(chunk.count)

    assert got == [1]
    assert [frame.data for chunk in rows(capture) for frame in chunk] == [b"pong"]


def test_an_error_of_the_disk_ends_the_reading_with_a_warning():
    failure = OSError(5, "Input/output error")

    between = seen(open_capture(Stuttering(TWO_PACKETS[:44], failure)))
    assert between.data == [b"ping"]
    assert between.warnings == ["reading failed at byte offset 44: Input/output error"]
    inside = seen(open_capture(Stuttering(TWO_PACKETS[:50], failure)))
    assert inside.warnings == ["pcap record 2 at byte offset 44 could not be read: Input/output error"]
    with pytest.raises(InputError, match=r"^capture: cannot be read: Input/output error\. Copy it"):
        open_capture(Stuttering(failure))


def test_wrong_uses_are_told():
    with pytest.raises(UsageError, match="mode 'rb'"):
        open_capture(io.StringIO("text"))
    with pytest.raises(UsageError, match="a chunk of 0 bytes"):
        open_capture(io.BytesIO(TWO_PACKETS), chunk_bytes=0)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty. Record it again."),
        (b"\xd4\xc3", "is too short for a capture, 2 bytes. Record it again."),
        (TWO_PACKETS[:23], "is too short for a capture, 23 bytes. Record it again."),
        (section()[:20], "is too short for a capture, 20 bytes. Record it again."),
        (b"PK\x03\x04more", "is a zip archive. Unpack it: `unzip -p {path} | analyzer read -`."),
        ("größer\n".encode(), "is text, not a capture. Save packets as pcap or pcapng: `tcpdump -w capture.pcap`."),
        (
            b"snoop\0\0\0",
            "is neither pcap nor pcapng. If Wireshark opens it, convert it: `editcap {path} capture.pcapng`.",
        ),
        (b"\xff\xfe\xfd\xfc" * 9, "is neither pcap nor pcapng. If Wireshark opens it, convert it"),
    ],
)
def test_what_is_no_capture_is_refused_with_advice(tmp_path, content, complaint):
    path = tmp_path / "capture"
    path.write_bytes(content)

    with pytest.raises(InputError) as caught:
        open_capture(path)
    assert str(caught.value).startswith(f"{path}: {complaint.format(path=path)}")


def test_what_cannot_be_opened_is_refused_with_advice(tmp_path, monkeypatch):
    def complaint_about(path):
        with pytest.raises(InputError) as caught:
            open_capture(path)
        return str(caught.value)

    assert complaint_about(tmp_path / "none").endswith("no such file. Check the spelling and the folder you are in.")
    assert complaint_about(tmp_path).endswith("is a folder. Name a capture file in it.")
    assert complaint_about("a\0b") == "'a\\x00b': cannot be opened: embedded null byte. Check the path."
    assert complaint_about("two\nlines").startswith("'two\\nlines': no such file.")
    assert "cannot be opened: File name too long" in complaint_about("x" * 5000)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(source, "open", refuse, raising=False)
    assert complaint_about("my file") == (
        "my file: no permission to read it: run as its owner, or `sudo chmod a+r 'my file'`."
    )


def test_an_empty_pipe_points_at_its_writer():
    output, into = os.pipe()
    os.close(into)
    with open(output, "rb") as file, pytest.raises(InputError, match=r"is empty\. Check the program that writes it\."):
        open_capture(file)


def test_folders_are_searched_for_captures_by_content(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "b.cap").write_bytes(section())
    (tmp_path / "deep" / "a").write_bytes(pcap(magic=NANO))
    (tmp_path / "c.pcap").write_bytes(pcap(magic=PATCHED))
    (tmp_path / "notes.pcap").write_text("no capture")
    (tmp_path / "empty").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    below = [str(tmp_path / name) for name in ("c.pcap", "deep/a", "deep/er/b.cap")]

    assert find_captures([tmp_path]) == below
    assert find_captures(["-", "missing.pcap", str(tmp_path), tmp_path / "empty"]) == [
        "-", "missing.pcap", *below, str(tmp_path / "empty"),
    ]  # fmt: skip
    assert find_captures([]) == []


def test_a_folder_without_captures_is_an_error(tmp_path):
    with pytest.raises(InputError, match="is a folder without pcap or pcapng files"):
        find_captures([tmp_path])
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"1 entries could not be read, for example .*nowhere"):
        find_captures([tmp_path])


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def according_to_tshark(path):
    fields = ("frame.number", "frame.time_epoch", "frame.cap_len", "frame.len")
    lines = run("tshark", "-n", "-r", path, "-T", "fields", *(part for name in fields for part in ("-e", name)))
    for number, epoch, captured, original in (line.split("\t") for line in lines.splitlines()):
        seconds, _, fraction = epoch.partition(".")
        yield int(number), int(seconds) * 10**9 + int(fraction), int(captured), int(original)


@pytest.mark.skipif(not shutil.which("tshark") or not shutil.which("mergecap"), reason="needs Wireshark's programs")
def test_wireshark_counts_and_dates_the_same_packets(tmp_path):
    first, second = tmp_path / "first.pcap", tmp_path / "second.pcap"
    noon = 1_400_000_000 * 10**9
    first.write_bytes(pcap(*(Packet(bytes([n]) * (14 + n), noon + n * 1_001_001_001) for n in range(50)), magic=NANO))
    second.write_bytes(
        pcap(*(Packet(bytes(60), noon + n * 777_777_000, 1500) for n in range(50)), link_type=101, order=">")
    )
    made = [first, second]

    def make(name, *command):
        made.append(tmp_path / name)
        run(*command[:1], *(made[-1] if part is name else part for part in command[1:]))

    make("merged", "mergecap", "-w", "merged", first, second)
    make("appended", "mergecap", "-a", "-I", "none", "-w", "appended", second, first, second)
    make("nano", "editcap", "-F", "nsecpcap", first, "nano")
    make("micro", "editcap", "-F", "pcap", "-s", "20", first, "micro")
    make("moved", "editcap", "-F", "pcapng", "-t", "-1234.5", second, "moved")
    made.append(tmp_path / "sections")
    made[-1].write_bytes((tmp_path / "merged").read_bytes() + (tmp_path / "moved").read_bytes())

    for path in made:
        with open_capture(path) as capture:
            ours = [(frame.number, frame.time_ns, len(frame.data), frame.original) for frame in seen(capture).frames]
        assert ours == list(according_to_tshark(path)), path
    assert len(ours) == 150


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of public captures is not beside this folder")
def test_public_captures_have_the_packets_their_index_says():
    with (CORPUS / "index.csv").open() as index:
        expected = {row["file"]: int(row["packets"]) for row in csv.DictReader(index)}
    # Their second section is of version 2.0, where Wireshark stops, too; the index has skipped it.
    expected |= {name: 1 for name in expected if name.endswith("test901.pcapng")}
    counted = {}
    for path in find_captures([CORPUS / "captures"]):
        with open_capture(path) as capture:
            counted[os.path.basename(path)] = sum(chunk.count for chunk in capture)

    assert len(counted) > 1000
    assert counted == {name: expected[name] for name in counted}


def test_a_record_is_found_wherever_the_chunk_ends():
    data = pcap(*(Packet(bytes([n]) * (n % 7), n) for n in range(40)))

    for chunk_bytes in range(24, 80):
        assert read(data, chunk_bytes) == read(data)
    assert read(data + pcap_record(PING)[:3]).frames == read(data).frames
