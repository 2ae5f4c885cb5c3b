"""Recording with the programs that may capture. Here they are stand-ins; `test_pytest_plugin` uses the real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from analyzer.capture import recorder
from analyzer.capture.recorder import recording
from analyzer.errors import LiveError

CAPTURES = """#!/bin/sh
trap 'echo the end; exit 0' INT
echo "$@"
echo "$(basename $0): listening on lo, File: -" >&2
while :; do sleep 0.02; done
"""
REFUSES = "#!/bin/sh\necho 'no permission' >&2\nexit 1\n"
BREAKS_OFF = "#!/bin/sh\nprintf 'listening on lo, File: -\\nthe interface went down\\n' >&2\nexit 1\n"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Puts stand-ins for the programs on the path, and nothing else of theirs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(recorder, "_PROGRAMS", ("one", "other"))
    monkeypatch.setattr(recorder, "_READY", {"one": b"listening on", "other": b"File: "})

    def install(**scripts):
        for name, text in scripts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    return install


def test_the_first_that_may_does_it(programs, tmp_path):
    path = tmp_path / "a.pcap"
    for scripts in ({"one": CAPTURES, "other": REFUSES}, {"one": REFUSES, "other": CAPTURES}):
        programs(**scripts)
        with recording(str(path), "lo", "tcp port 80", settle_s=0):
            assert "tcp port 80" in path.read_text()
        assert path.read_text().endswith("the end\n")


def test_nobody_may(programs, tmp_path):
    programs(one=REFUSES, other=REFUSES)
    told = "cannot capture on lo: one: no permission; other: no permission: capture as root"
    with pytest.raises(LiveError, match=told), recording(str(tmp_path / "a.pcap"), "lo", ""):
        pytest.fail("nothing is captured")


def test_nobody_is_there(programs, tmp_path):
    told = r"install dumpcap \(sudo apt-get install wireshark-common\) or tcpdump"
    with pytest.raises(LiveError, match=told), recording(str(tmp_path / "a.pcap"), "lo", ""):
        pytest.fail("nothing is captured")


def test_a_capture_that_breaks_off_is_no_capture(programs, tmp_path):
    programs(one=BREAKS_OFF)
    told = "the capture on lo broke off: the interface went down"
    with pytest.raises(LiveError, match=told), recording(str(tmp_path / "a.pcap"), "lo", "", settle_s=0.1):
        pass


def test_what_goes_wrong_in_the_block_ends_the_capture(programs, tmp_path):
    programs(one=CAPTURES)
    path = tmp_path / "a.pcap"
    with pytest.raises(ZeroDivisionError), recording(str(path), "lo", "", settle_s=0):
        1 / 0  # noqa: B018
    assert path.read_text().endswith("the end\n")


@pytest.mark.parametrize(
    "said",
    [
        "Packets received/dropped on interface 'lo': 7/2 (pcap:1/dumpcap:1/flushed:0/ps_ifdrop:0) (77.8%)",
        "2 packets dropped by kernel",
    ],
)
def test_packets_that_were_dropped_are_warned_of(programs, tmp_path, said):
    (tmp_path / "said").write_text(f"{said}\n")
    programs(one=CAPTURES.replace("echo the end", f"cat {tmp_path}/said >&2"))
    told = pytest.warns(UserWarning, match="the capture on lo is not whole: 2 packets were dropped")
    with told as warned, recording(str(tmp_path / "a.pcap"), "lo", "", settle_s=0):
        pass
    assert warned[0].filename == __file__


def test_a_program_that_is_not_let_run_is_waited_for(tmp_path):
    path = tmp_path / "a.pcap"
    with subprocess.Popen(["sh", "-c", f"kill -STOP $$; echo x > {path}; exec sleep 60"]) as process:
        path.write_bytes(b"")
        while recorder._waits(process.pid):
            time.sleep(0.01)
        threading.Timer(1, process.send_signal, [signal.SIGCONT]).start()
        recorder._settle(str(path), process.pid, 0.3)
        assert path.read_bytes() == b"x\n"
        process.kill()


def test_it_goes_on_until_it_is_quiet_but_not_for_ever(programs, tmp_path, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(recorder.time, "monotonic", lambda: next(clock) / 100)
    monkeypatch.setattr(recorder.time, "sleep", lambda seconds: path.write_bytes(path.read_bytes() + next(more, b"")))
    path = tmp_path / "a.pcap"
    for number, endless in ((5, False), (10**6, True)):
        more = iter([b"x"] * number)
        path.write_bytes(b"")
        recorder._settle(str(path), 0, 1.0)
        assert (os.path.getsize(path) == number) != endless
