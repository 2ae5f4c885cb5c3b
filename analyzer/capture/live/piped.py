"""Packets from another program's pipe: `ssh host tcpdump -U -w -` on standard input, or a child that captures."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import IO, Literal

from analyzer.capture.base import Capture, Damage
from analyzer.capture.frames import Frames
from analyzer.capture.live.base import IDLE_SECONDS, LiveCapture, Wanted
from analyzer.capture.live.devices import ANY, has_interface
from analyzer.capture.live.privileges import User
from analyzer.capture.source import open_capture
from analyzer.capture.window import Readable
from analyzer.errors import InputError, LiveError, UsageError
from analyzer.model import Ended

Program = Literal["dumpcap", "tshark"]

# How long the program at the other end has to end by itself, in seconds.
_SECONDS_TO_END = 1.0
# What a child has captured it writes out within half a second; told to end before, it forgets it.
_SETTLE_SECONDS = 0.6
_CHILD_SECONDS = 3.0
_SAID_BYTES = 16_384

# Lines of dumpcap and tshark on standard error that are no news.
_CHATTER = re.compile(
    r"Capturing on |File: |Packets captured: |Packets received/dropped|^\d+ packets? captured|^ \*\* "
)
_DROPPED = re.compile(r"pcap:(\d+)/dumpcap:(\d+)/flushed:(\d+)/ps_ifdrop:(\d+)")


class PipedCapture(LiveCapture):
    """What comes through a pipe. `source`: as for `open_capture`. The capture is opened when its first packets are
    asked for, so InputError comes then; `packet_filter` is not applied here."""

    def __init__(self, source: str | Readable, wanted: Wanted) -> None:
        super().__init__("standard input" if source == "-" else str(getattr(source, "name", source)), wanted)
        self._source = source
        self._inner: Capture | None = None
        self._opening: threading.Thread | None = None
        self._error: BaseException | None = None
        self._end_at: float | None = None

    def _open(self) -> Capture | None:
        """The capture at the other end; None while its first bytes have not come. Opening waits for them, so a thread
        does it."""
        if self._opening is None:
            self._opening = threading.Thread(target=self._open_it, daemon=True)
            self._opening.start()
        self._opening.join(min(self._timeout(), 0.05 if self.stopping else IDLE_SECONDS))
        if self._opening.is_alive():
            return None
        if self._error is not None:
            raise self._error
        return self._inner

    def _open_it(self) -> None:
        try:
            inner = open_capture(self._source)
            inner.idle_seconds = IDLE_SECONDS
            self.interfaces, self.warnings, self.secrets = inner.interfaces, inner.warnings, inner.secrets
            self._inner = inner
        except (InputError, UsageError) as error:
            self._error = error

    def _take(self) -> Frames | None:
        self._timeout()
        if self.stopping and not self._still():
            return None
        inner = self._inner or self._open()
        if inner is None:
            return _nothing(self.packets)
        frames = next(inner, None)
        if frames is None:
            self._over("end-of-input")
        return frames

    def _still(self) -> bool:
        """Stopped: whether what the other end has sent by then may still come. It ends by itself, or not in time."""
        now = time.monotonic()
        if self._end_at is None:
            self._end_at = now + _SECONDS_TO_END
        return now < self._end_at

    def _count(self) -> None:
        told = [one.dropped for one in self.interfaces if one.dropped is not None]
        if told:
            self.dropped_by_kernel = sum(told)

    def close(self) -> None:
        super().close()
        if self._inner is not None:
            self._inner.close()


class ChildCapture(PipedCapture):
    """A program that captures, run as a child, and read as pcapng. Raises LiveError if it cannot start.

    `user`: who the child is to run for where it is started as root.
    """

    def __init__(self, program: Program, wanted: Wanted, user: User | None = None) -> None:
        path = dumpcap() if program == "dumpcap" else tshark()
        words = [path, "-q", "-n"] if program == "dumpcap" else [path, "-q", "-n", "-F", "pcapng"]
        for name in wanted.interfaces:
            words += ["-i", name]
            if wanted.packet_filter:
                words += ["-f", wanted.packet_filter]
            words += ["-s", str(wanted.snaplen), "-B", str(max(1, wanted.buffer_bytes >> 20))]
            if not wanted.promiscuous:
                words.append("-p")
        self._said = b""
        try:
            # In a group of its own: Ctrl-C is for us, and we end it.
            self._child = subprocess.Popen(
                [*words, "-w", "-"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
                preexec_fn=_for(user),
            )
        except OSError as error:
            raise LiveError(f"{path} cannot be started: {error.strerror}") from None
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        super().__init__(self._child.stdout, wanted)
        self.name = ", ".join(wanted.interfaces)
        self._told = threading.Thread(target=self._listen, args=(self._child.stderr,), daemon=True)
        self._told.start()
        self._asked_at: float | None = None
        self._begin(program)

    def _begin(self, program: Program) -> None:
        """Waits until it captures, or has said why it does not."""
        assert self._child.stdout is not None
        while not select.select([self._child.stdout.fileno(), self._wake_read], [], [], IDLE_SECONDS)[0]:
            pass
        # The beginning of the file, or its end: then the child is ending, too.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(0.2)
        if self._child.returncode is None:
            return
        self._told.join(1)
        self.close()
        said = self._news()
        what = said[0] if said else f"exit code {self._child.returncode}"
        if "ermission" in " ".join(said) or "not permitted" in " ".join(said):
            raise LiveError(
                f"{program} has no permission to capture: run it with sudo, or as a member of the group wireshark "
                "(`sudo dpkg-reconfigure wireshark-common`, `sudo usermod -aG wireshark $USER`)"
            )
        raise LiveError(f"{program}: {what}")

    def _news(self) -> list[str]:
        lines = self._said.decode("utf-8", "replace").splitlines()
        return [line.strip() for line in lines if line.strip() and not _CHATTER.search(line)]

    def _listen(self, stream: IO[bytes]) -> None:
        """What the child says is read all the time, so that it never waits for us; kept is the end of it."""
        descriptor = stream.fileno()
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(descriptor, 4096):
                self._said = (self._said + data)[-_SAID_BYTES:]

    def _still(self) -> bool:
        """The child is asked to end, and what it writes until then is read to its end."""
        now = time.monotonic()
        if self._end_at is None:
            self._end_at = now + _SETTLE_SECONDS + _CHILD_SECONDS
            self._asked_at = None
        if self._asked_at is None and now >= self._end_at - _CHILD_SECONDS:
            self._asked_at = now
            self._signal(signal.SIGINT)
        return now < self._end_at

    def _over(self, reason: Ended) -> None:
        if reason == "end-of-input" and not self.stopping:
            # It ended by itself: that an interface went away it says on standard error.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_CHILD_SECONDS)
            self._told.join(0.2)
            self.warnings += [Damage(0, line) for line in self._news()]
            if not any(name == ANY or has_interface(name) for name in self.wanted.interfaces):
                reason = "interface-gone"
        super()._over(reason)

    def _count(self) -> None:
        super()._count()
        self._told.join(0.2 if self._child.poll() is not None else 0)
        if found := _DROPPED.findall(self._said.decode("utf-8", "replace")):
            numbers = [[int(one) for one in counts] for counts in found]
            self.dropped_by_kernel = sum(pcap + interface for pcap, _, _, interface in numbers)
            self.dropped_by_us = sum(own + flushed for _, own, flushed, _ in numbers)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self._child.pid, number)

    def close(self) -> None:
        if self._child.poll() is None:
            self._signal(signal.SIGTERM)
        super().close()
        for stream in (self._child.stdout, self._child.stderr):
            if stream is not None and (stream is self._child.stdout or not self._told.is_alive()):
                stream.close()
        try:
            self._child.wait(_CHILD_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._child.wait()


def dumpcap() -> str:
    """Where it is. Raises LiveError."""
    found = shutil.which("dumpcap", os.F_OK)  # Debian lets only the group wireshark run it
    if found is None:
        raise LiveError("dumpcap is not installed: `apt install wireshark-common`, or leave --source out")
    if not os.access(found, os.X_OK):
        raise LiveError(f"no permission to run {found}: `sudo usermod -aG wireshark $USER`, and log in again")
    return found


def tshark() -> str:
    """Where pyshark finds it. Raises LiveError."""
    from pyshark.tshark.tshark import TSharkNotFoundException, get_process_path

    try:
        return str(get_process_path())
    except TSharkNotFoundException:
        raise LiveError("tshark is not installed: `apt install tshark`, or leave --source out") from None


def _for(user: User | None) -> Callable[[], None] | None:
    """What the child does before it becomes the program. As its real user it can be told to end by us, when we are no
    longer root; as root in effect it may capture, and drops that itself."""
    if user is None or os.geteuid() != 0:
        return None

    def become() -> None:
        os.setresgid(user.group, 0, 0)
        os.setresuid(user.id, 0, 0)

    return become


def _nothing(packets: int) -> Frames:
    from analyzer.capture.base import Columns

    return Frames(memoryview(b""), packets + 1, 0, *Columns(0).arrays)
