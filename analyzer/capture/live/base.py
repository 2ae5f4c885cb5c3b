"""What every live capture has: limits, a way to stop it, drop counts, and a file that what is seen is saved to."""

from __future__ import annotations

import abc
import dataclasses
import math
import os
import time
from typing import TYPE_CHECKING, ClassVar

from analyzer.capture.base import Capture, Damage
from analyzer.capture.frames import Frames
from analyzer.model import Ended

if TYPE_CHECKING:
    from analyzer.capture.live.recorder import Recorder

# How long a quiet interface may keep the stages after this one waiting, in seconds.
IDLE_SECONDS = 0.25


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be captured, and for how long."""

    interfaces: tuple[str, ...] = ()  # names, or "any" alone
    packet_filter: str | None = None  # pcap syntax
    snaplen: int = 262_144  # bytes kept of a packet
    promiscuous: bool = True
    buffer_bytes: int = 32 << 20  # of the kernel's ring; dumpcap's and tshark's as well
    packets: int | None = None  # end after so many
    seconds: float | None = None  # end after so long


class LiveCapture(Capture):
    """A capture that goes on until it is stopped, or one of its limits is reached.

    `stop` may be called from a signal handler or another thread: what was captured until then is still delivered.
    `ended` says, once it is over, why. Counts of drops are None where nobody tells.
    """

    format: ClassVar[str] = "live"

    def __init__(self, name: str, wanted: Wanted) -> None:
        super().__init__(name, None)
        self.wanted = wanted
        self.ended: Ended | None = None
        self.recorder: Recorder | None = None
        self.dropped_by_kernel: int | None = None  # for lack of room in its buffer, or in the network card's
        self.dropped_by_us = 0  # handed over by the kernel, and lost by the program that captured
        self.bytes = 0  # on the wire
        self.saved: int | None = None  # packets written by the recorder
        self._stop_reason: Ended | None = None
        self._stop_ns = 0  # since 1970; what was captured later does not count
        self._until = math.inf if wanted.seconds is None else time.monotonic() + wanted.seconds
        # Written to wake a `poll`: a signal handler alone would not end it.
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def position(self) -> int:
        return self.bytes

    def stop(self, reason: Ended = "stopped") -> None:
        """Deliver what has been captured so far, and end."""
        if self._stop_reason is None:
            self._stop_ns = time.time_ns()
            self._stop_reason = reason
            try:
                os.write(self._wake_write, b"x")
            except OSError:  # closed already, or full
                return

    @property
    def stopping(self) -> bool:
        return self._stop_reason is not None

    def _over(self, reason: Ended) -> None:
        """Nothing more comes."""
        if self.ended is None:
            self.ended = self._stop_reason or reason

    def _timeout(self) -> float:
        """Seconds to wait for packets."""
        if time.monotonic() >= self._until:
            self.stop("duration")
        return max(0.0, min(IDLE_SECONDS, self._until - time.monotonic()))

    def __next__(self) -> Frames:
        if self.ended is not None:
            self._finish()
            raise StopIteration
        frames = self._take()
        if frames is None:
            self._over("end-of-input")
            self._finish()
            raise StopIteration
        most = self.wanted.packets
        if most is not None and self.packets + frames.count >= most:
            frames = first_rows(frames, most - self.packets)
            self._over("packets")
        self.packets += frames.count
        if frames.count:
            self.bytes += int(frames.original.sum())
        if self.recorder is not None and frames.count:
            self.recorder.write(frames, self.interfaces)
            self.saved = self.recorder.packets
            if self.recorder.failure is not None:
                self.warnings.append(Damage(0, f"{self.recorder.path} cannot be written on: {self.recorder.failure}"))
                self._over("failed")
        return frames

    def _finish(self) -> None:
        """The last frames have been delivered: counts are final."""
        self._count()
        if self.recorder is not None:
            self.recorder.finish(self.interfaces)
            self.recorder = None

    @abc.abstractmethod
    def _take(self) -> Frames | None:
        """The next frames, none of them if nothing came for a while; None at the end."""

    def _count(self) -> None:
        """Brings the counts of drops up to date."""

    def count(self) -> None:
        """Brings the counts of drops up to date, as far as they can be told while the capture runs."""
        if self.ended is None:
            self._count()

    def close(self) -> None:
        self._over("stopped")
        if self.recorder is not None:
            self.recorder.finish(self.interfaces)
            self.recorder = None
        for descriptor in (self._wake_read, self._wake_write):
            if descriptor >= 0:
                os.close(descriptor)
        self._wake_read = self._wake_write = -1


def first_rows(frames: Frames, count: int) -> Frames:
    """The first so many frames of a chunk."""
    columns = (frames.offset, frames.captured, frames.original, frames.time_ns, frames.link_type, frames.interface)
    return Frames(frames.data, frames.first_number, count, *(column[:count] for column in columns))
