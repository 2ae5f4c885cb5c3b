"""The packet stage as the pipeline sees it: frames in, finished connections out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from analyzer.capture.frames import Frames
from analyzer.dissector import layout
from analyzer.dissector.connections import ConnectionTable
from analyzer.dissector.packets import PacketTable
from analyzer.dissector.reader import PacketReader

if TYPE_CHECKING:
    import numpy.typing as npt

    from analyzer.dissector.accounts import Accounts
    from analyzer.dissector.applications import Application, Applications
    from analyzer.dissector.recognition import Recognizer
    from analyzer.dissector.samples import Samples

SETTLE_NS = 2_000_000_000
LINGER_NS = 60_000_000_000
# A step back in time that packets of several interfaces, or a busy machine, do not make: somebody set the clock.
SET_BACK_NS = 1_000_000_000
MOST_CONNECTIONS = 1_000_000


# How the compiled code knows the fields and operators of attribute tests.
_FIELDS = {"payload": 0, "window": 1}
_OPERATORS = {"=": 0, "!=": 1, "<": 2, ">": 3}


class StepTest(Protocol):
    """A comparison of a number field with a whole number; without operator: is it other than 0?"""

    @property
    def name(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def number(self) -> int | None: ...


class StepAutomaton(Protocol):
    """What the packet stage needs of `flows.matcher.Automaton`, which is a later stage."""

    table: npt.NDArray[np.int32]
    complete: npt.NDArray[np.int8]

    @property
    def tests(self) -> Sequence[StepTest]: ...
    def grow(self, state: int, symbol: int, /) -> int: ...


class Finished(NamedTuple):
    """Connections that are over, as rows; `layout.py` names the words."""

    rows: npt.NDArray[np.int64]  # shape (n, ROW_WORDS)
    keys: npt.NDArray[np.uint64]  # shape (n, KEY_WORDS)
    events: npt.NDArray[np.int64]  # shape (m, EVENT_WORDS), those of the first connection first
    ends: npt.NDArray[np.int64]  # shape (n,), where each connection's events end

    def only(self, which: npt.NDArray[np.int64]) -> Finished:
        """The connections at these places, in this order."""
        begins = np.concatenate(([0], self.ends))[which]
        lengths = self.ends[which] - begins
        ends = np.cumsum(lengths)
        events = np.repeat(begins - ends + lengths, lengths) + np.arange(lengths.sum())
        return Finished(self.rows[which], self.keys[which], self.events[events], ends)


class Order:
    """Whether frames come in the order of their times."""

    def __init__(self) -> None:
        self.late = 0  # frames that are older than the one before them, by less than a second
        self.set_back = 0  # and by a second or more
        self.set_back_packet = 0  # the first of these, and by how much
        self.set_back_ns = 0
        self._last_ns: int | None = None

    def feed(self, times: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> None:
        """The times of the next frames, at least one."""
        steps = np.diff(times, prepend=times[0] if self._last_ns is None else self._last_ns)
        self._last_ns = int(times[-1])
        if steps.min() >= 0:
            return
        far = np.flatnonzero(steps <= -SET_BACK_NS)
        self.late += int(np.count_nonzero(steps < 0)) - len(far)
        if len(far) and not self.set_back:
            self.set_back_packet, self.set_back_ns = int(numbers[far[0]]), -int(steps[far[0]])
        self.set_back += len(far)


class Tracker:
    """Reads headers and follows connections, chunk by chunk.

    `settle_ns`: how long after its end a connection is reported, in capture time: segments until then still count.
    `linger_ns`: how long it is kept, so that yet later segments are not taken for a new connection's.
    `most_connections`: how many are kept at most; beyond it ended ones go first, then the oldest without a recent
    packet, which say so.
    `vlan_key`: the VLAN ids are part of what tells connections apart.
    `checksums`: "count" looks at the checksums of segments and IPv4 headers, "verify" also leaves out what has a wrong
    one.
    `recognizer`: who dissects what runs inside the connections; without one they are not looked into.
    `samples`: who keeps segments of each connection, to be drawn; without one none are kept.
    `accounts`: who keeps accounts of the connections as Zeek does; without one nobody does.
    `share`: (k, n) where n processes read the same capture: only the k-th share of the connections is looked into here,
    the others are `layout.ELSEWHERE`.
    """

    def __init__(
        self,
        tcp_open: StepAutomaton,
        tcp_close: StepAutomaton,
        *,
        settle_ns: int = SETTLE_NS,
        linger_ns: int = LINGER_NS,
        most_connections: int = MOST_CONNECTIONS,
        vlan_key: bool = False,
        checksums: Literal["count", "verify"] | None = None,
        recognizer: Recognizer | None = None,
        samples: Samples | None = None,
        accounts: Accounts | None = None,
        share: tuple[int, int] = (0, 1),
    ):
        seed = np.frombuffer(os.urandom(16 * 8), np.uint64) | np.uint64(1)
        tests = [_tests(automaton) for automaton in (tcp_open, tcp_close)]
        self.reader = PacketReader(vlan_key)
        self._checksums = None
        if checksums is not None:
            from analyzer.dissector.checksums import Checksums

            self._checksums = Checksums(checksums == "verify")
        self._connections = ConnectionTable(
            (tcp_open, tcp_close),
            tests,
            seed,
            min(settle_ns, linger_ns),
            linger_ns,
            max(2, most_connections),
            vlan_key,
            recognizer is not None,
        )
        self._connections.share, self._connections.shares = share
        self.applications: Applications | None = None
        if recognizer is not None:
            from analyzer.dissector.applications import Applications

            self.applications = Applications(self._connections, recognizer)
        self.samples = samples
        self._connections.noting = samples is not None
        self._accounts = accounts
        self.table = PacketTable()
        self.counts = np.zeros(layout.KINDS, np.int64)  # packets by kind
        self.frames = 0
        self.checksums = np.zeros(layout.CHECKSUM_UNFILLED + 1, np.int64)  # segments by `layout.CHECKSUM_`
        self.order = Order()
        self.clock_ns = 0  # the latest time seen, since the clock was last set back

    def feed(self, frames: Frames) -> PacketTable:
        """Take in a chunk. The returned table is valid until the next call."""
        self.reader.read(frames, self.table)
        count = self.table.count
        if self._checksums is not None and count:
            self._checksums.check(self.table, self.table.data)
            self.checksums += np.bincount(self.table.checksum[:count], minlength=len(self.checksums))
        shift = self._connections.clock_shift
        self._connections.track(self.table, self.table.data, self._checksums is not None)
        if self.applications is not None:
            self.applications.feed(self.table, self.table.data)
        if self.samples is not None:
            self.samples.take(self.table)
        if self._accounts is not None:
            self._accounts.take(self.table)
        if frames.count:
            kinds = self.table.kind[: self.table.count]
            self.counts += np.bincount(kinds, minlength=len(self.counts))
            self.frames += frames.count
            times = self.table.time_ns[:count]
            self.order.feed(times, self.table.number[:count])
            if self._connections.clock_shift == shift:
                self.clock_ns = max(self.clock_ns, int(times.max()))
            else:
                self.clock_ns = int(times[-1])
        return self.table

    def advance(self, elapsed_ns: int) -> None:
        """No packet for so long: connections may be reported meanwhile."""
        self._connections.advance(self._moment(elapsed_ns))

    def _moment(self, elapsed_ns: int) -> int:
        """So long after the last packet, by the clock of the connections, which is never set back."""
        return self.clock_ns + elapsed_ns + int(self._connections.clock_shift)

    # For live capture.

    @property
    def seen(self) -> int:
        """Connections so far, finished or not."""
        return int(self._connections.seen())

    def follow(self) -> None:
        """Remember events as they happen, for `take_events`."""
        self._connections.logging = True
        if self.applications is not None:
            self.applications.touched = {}

    def take_events(self) -> tuple[npt.NDArray[np.int64], dict[int, Application]]:
        """Since the last call: the log of opening and closing, shape (n, LOG_WORDS), and by id the connections whose
        bytes were looked at. Before `take_finished`."""
        touched: dict[int, Application] = {}
        if self.applications is not None:
            touched, self.applications.touched = self.applications.touched or {}, {}
        return self._connections.take_log(), touched

    def who(self, row: int) -> tuple[int, list[int]]:
        """FLAGS and key of a connection in the log."""
        flags, key = self._connections.who(row)
        return flags, key

    def expire(self, elapsed_ns: int, idle_ns: int, opening_ns: int) -> None:
        """`elapsed_ns` after the last packet: connections that have been quiet for `idle_ns`, or before they were open
        for `opening_ns`, are finished as evicted."""
        self._connections.expire(self._moment(elapsed_ns), idle_ns, opening_ns)

    def set_back(self, now_ns: int) -> None:
        """The clock that packets are stamped by was set back to `now_ns`."""
        self._connections.set_back(self.clock_ns - now_ns)
        self.clock_ns = now_ns

    @property
    def late(self) -> int:
        """Segments that came after their connection had been reported."""
        return int(self._connections.late)

    def finish(self) -> None:
        """The capture is over."""
        self._connections.finish()

    def take_finished(self, most: int = sys.maxsize) -> Finished:
        """The connections finished since the last call, at most so many, in the order in which they finished; once the
        capture is over in that of their ids.

        Either way the result of many calls together does not depend on how the capture was chunked.
        """
        return Finished(*self._connections.take_finished(most))


def _tests(automaton: StepAutomaton) -> npt.NDArray[np.int64]:
    """The attribute tests of a scope, all but the first, `retransmission`, as (field, operator, value) triples."""
    triples = [(_FIELDS[one.name], _OPERATORS[one.operator or "!="], one.number or 0) for one in automaton.tests[1:]]
    return np.array(triples, np.int64).reshape(-1)
