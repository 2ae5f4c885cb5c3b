"""The packet stage as the pipeline sees it: frames in, finished connections out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from analyzer.capture.frames import Frames
from analyzer.dissector import layout
from analyzer.dissector.connections import ConnectionTable
from analyzer.dissector.headers import HeaderReader
from analyzer.dissector.packets import PacketTable

if TYPE_CHECKING:
    from analyzer.dissector.applications import Applications
    from analyzer.dissector.recognition import Recognizer
    from analyzer.dissector.samples import Samples

SETTLE_NS = 2_000_000_000
LINGER_NS = 60_000_000_000
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


class Tracker:
    """Reads headers and follows connections, chunk by chunk.

    `settle_ns`: how long after its end a connection is reported, in capture time: segments until then still count.
    `linger_ns`: how long it is kept, so that yet later segments are not taken for a new connection's.
    `most_connections`: how many are kept at most; beyond it ended ones go first, then the oldest without a recent
    packet, which say so.
    `vlan_key`: the VLAN ids are part of what tells connections apart.
    `recognizer`: who dissects what runs inside the connections; without one they are not looked into.
    `samples`: who keeps segments of each connection, to be drawn; without one none are kept.
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
        recognizer: Recognizer | None = None,
        samples: Samples | None = None,
    ):
        seed = np.frombuffer(os.urandom(16 * 8), np.uint64) | np.uint64(1)
        tests = [_tests(automaton) for automaton in (tcp_open, tcp_close)]
        self._headers = HeaderReader()
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
        self.applications: Applications | None = None
        if recognizer is not None:
            from analyzer.dissector.applications import Applications

            self.applications = Applications(self._connections, recognizer)
        self.samples = samples
        self._connections.noting = samples is not None
        self.table = PacketTable()
        self.counts = np.zeros(layout.KIND_EXCLUDED + 1, np.int64)  # frames by kind
        self.clock_ns = 0  # the latest time seen

    def feed(self, frames: Frames) -> PacketTable:
        """Take in a chunk. The returned table is valid until the next call."""
        self._headers.read(frames, self.table)
        self._connections.track(self.table, frames.data)
        if self.applications is not None:
            self.applications.feed(self.table, frames.data)
        if self.samples is not None:
            self.samples.take(self.table)
        if frames.count:
            kinds = self.table.kind[: frames.count]
            self.counts += np.bincount(kinds, minlength=len(self.counts))
            self.clock_ns = max(self.clock_ns, int(self.table.time_ns[: frames.count].max()))
        return self.table

    def advance(self, elapsed_ns: int) -> None:
        """No packet for so long: connections may be reported meanwhile."""
        self._connections.advance(self.clock_ns + elapsed_ns)

    @property
    def late(self) -> int:
        """Segments that came after their connection had been reported."""
        return int(self._connections.late)

    def finish(self) -> None:
        """The capture is over."""
        self._connections.finish()

    def take_finished(self, by_id: bool = False) -> Finished:
        """The connections finished since the last call, in the order in which they finished, or in that of their ids.

        In the order of finishing the result of many calls together does not depend on how the capture was chunked.
        """
        finished = Finished(*self._connections.take_finished())
        if not by_id:
            return finished
        order = np.argsort(finished.rows[:, layout.ID])
        events = np.split(finished.events, finished.ends[:-1]) if len(order) else []
        ends = np.cumsum(np.diff(finished.ends, prepend=0)[order])
        sorted_events = np.concatenate([events[i] for i in order]) if len(order) else finished.events
        return Finished(finished.rows[order], finished.keys[order], sorted_events, ends)


def _tests(automaton: StepAutomaton) -> npt.NDArray[np.int64]:
    """The attribute tests of a scope, all but the first, `retransmission`, as (field, operator, value) triples."""
    triples = [(_FIELDS[one.name], _OPERATORS[one.operator or "!="], one.number or 0) for one in automaton.tests[1:]]
    return np.array(triples, np.int64).reshape(-1)
