"""Packets of an interface into a file, for as long as a block lasts: dumpcap or tcpdump does it, whichever may.

Either must hold the right to capture, which this process then need not have.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from typing import IO, Final

from analyzer.errors import LiveError

# dumpcap first: its buffer of 2 MB holds thousands of packets. tcpdump that is to write each packet at once has a slot
# of up to 256 KB for each, so that a machine too busy to run it for a moment loses packets but for a large buffer.
_PROGRAMS: Final = ("dumpcap", "tcpdump")
_TCPDUMP_BUFFER_KIB: Final = 32768
_READY: Final = {"tcpdump": b"listening on", "dumpcap": b"File: "}  # on standard error, when packets are captured
_DROPPED: Final = re.compile(
    r"received/dropped on interface '.*': \d+/(\d+) |^(\d+) packets? dropped by kernel", re.MULTILINE
)
_PLACES: Final = "/usr/sbin:/sbin"  # where Debian keeps tcpdump, and not everybody looks
_START_S: Final = 10.0
_STOP_S: Final = 5.0
_POLL_S: Final = 0.02
SETTLE_S: Final = 0.3  # longer than Linux delays an acknowledgement, and than dumpcap keeps packets back
_MOST_SETTLES: Final = 10  # where it never gets quiet


@contextlib.contextmanager
def recording(path: str, interface: str, packet_filter: str, *, settle_s: float = SETTLE_S) -> Iterator[None]:
    """Captures from `interface` what the filter (pcap syntax) lets through, into the file `path`.

    When the block begins, packets are captured; when it ends, the recording goes on until nothing came for `settle_s`
    seconds, ten times that at most. Raises LiveError where nobody may capture or there is no such interface; warns
    where the program says that packets were dropped.
    """
    with open(path, "wb") as file, tempfile.TemporaryFile() as said:
        process = _started(interface, packet_filter, file, said)
        try:
            yield
            _settle(path, process.pid, settle_s)
        finally:
            _stop(process)
        if process.returncode:
            raise LiveError(f"the capture on {interface} broke off: {_last_line(said)}")
        if dropped := _dropped(said):
            warnings.warn(f"the capture on {interface} is not whole: {dropped} packets were dropped", stacklevel=3)


def _started(interface: str, packet_filter: str, file: IO[bytes], said: IO[bytes]) -> subprocess.Popen[bytes]:
    reasons = []
    for name in _PROGRAMS:
        program = shutil.which(name) or shutil.which(name, path=_PLACES)
        if program is None:
            continue
        for one in (file, said):
            one.seek(0)
            one.truncate()
        process = subprocess.Popen(
            _command(name, program, interface, packet_filter), stdin=subprocess.DEVNULL, stdout=file, stderr=said
        )
        if _is_ready(process, said, _READY[name]):
            return process
        _stop(process)
        reasons.append(f"{name}: {_last_line(said) or 'it says nothing'}")
    if not reasons:
        raise LiveError("nothing here can capture: install dumpcap (sudo apt-get install wireshark-common) or tcpdump")
    advice = "capture as root, or let dumpcap do it: https://wiki.wireshark.org/CaptureSetup/CapturePrivileges"
    raise LiveError(f"cannot capture on {interface}: {'; '.join(reasons)}: {advice}")


def _command(name: str, program: str, interface: str, packet_filter: str) -> list[str]:
    if name == "tcpdump":
        # To standard output: where tcpdump drops its privileges, it may not write to the folder.
        buffer = str(_TCPDUMP_BUFFER_KIB)
        return [
            *(program, "-i", interface, "-n", "-U", "--immediate-mode", "-B", buffer, "-w", "-", "--"),
            packet_filter,
        ]
    return [program, "-q", "-i", interface, "-w", "-", "-f", packet_filter]


def _is_ready(process: subprocess.Popen[bytes], said: IO[bytes], word: bytes) -> bool:
    """Waits until it captures; False if it ended, or takes too long."""
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        if word in os.pread(said.fileno(), 65536, 0):
            return True
        if process.poll() is not None:
            return False
        time.sleep(_POLL_S)
    return False


def _settle(path: str, pid: int, settle_s: float) -> None:
    """Waits until the file has not grown for a while in which the program had nothing to do."""
    quiet_from = time.monotonic()
    end = quiet_from + settle_s * _MOST_SETTLES
    size = os.path.getsize(path)
    while (now := time.monotonic()) < min(quiet_from + settle_s, end):
        time.sleep(_POLL_S)
        if (grown := os.path.getsize(path)) != size or not _waits(pid):
            size, quiet_from = grown, now


def _waits(pid: int) -> bool:
    """The program sleeps until packets come. On a busy machine it may have some, and not have been let run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] not in (b"R", b"D", b"T")
    except OSError:  # not Linux
        return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does: the program writes what it still has."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _dropped(said: IO[bytes]) -> int:
    """What the program counted when it ended."""
    return sum(int(one or other) for one, other in _DROPPED.findall(_text(said)))


def _text(said: IO[bytes]) -> str:
    return os.pread(said.fileno(), 65536, 0).decode(errors="replace")


def _last_line(said: IO[bytes]) -> str:
    lines = _text(said).split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
