"""The packet stage as the pipeline sees it: frames in, finished connections out."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analyzer.capture.frames import Frames
from analyzer.dissector import layout
from analyzer.dissector.connections import ConnectionTable
from analyzer.dissector.headers import HeaderReader
from analyzer.dissector.packets import PacketTable
from analyzer.errors import FlowPageError
from analyzer.flows.matcher import Automaton

LINGER_NS = 60_000_000_000
MOST_CONNECTIONS = 1_000_000

_FIELDS = {"payload": 0, "window": 1}
_OPERATORS = {"=": 0, "!=": 1, "<": 2, ">": 3}


class Finished(NamedTuple):
    """Connections that are over, as rows; `layout.py` names the words."""

    rows: npt.NDArray[np.int64]  # shape (n, ROW_WORDS)
    keys: npt.NDArray[np.uint64]  # shape (n, KEY_WORDS)
    events: npt.NDArray[np.int64]  # shape (m, EVENT_WORDS), those of the first connection first
    ends: npt.NDArray[np.int64]  # shape (n,), where each connection's events end


class Tracker:
    """Reads headers and follows connections, chunk by chunk.

    `linger_ns`: how long, in capture time, a closed connection is kept for late segments.
    `most_connections`: how many are kept at most; beyond it the longest idle ones are evicted, and say so.
    `vlan_key`: the VLAN ids are part of what tells connections apart.
    """

    def __init__(
        self,
        tcp_open: Automaton,
        tcp_close: Automaton,
        *,
        linger_ns: int = LINGER_NS,
        most_connections: int = MOST_CONNECTIONS,
        vlan_key: bool = False,
    ):
        seed = np.frombuffer(os.urandom(16 * 8), np.uint64) | np.uint64(1)
        tests = [_tests(automaton) for automaton in (tcp_open, tcp_close)]
        self._headers = HeaderReader()
        self._connections = ConnectionTable(
            (tcp_open, tcp_close), tests, seed, linger_ns, max(2, most_connections), vlan_key
        )
        self.table = PacketTable()
        self.counts = np.zeros(layout.KIND_EXCLUDED + 1, np.int64)  # frames by kind
        self.clock_ns = 0  # the latest time seen

    def feed(self, frames: Frames) -> PacketTable:
        """Take in a chunk. The returned table is valid until the next call."""
        self._headers.read(frames, self.table)
        self._connections.track(self.table)
        if frames.count:
            kinds = self.table.kind[: frames.count]
            self.counts += np.bincount(kinds, minlength=len(self.counts))
            self.clock_ns = max(self.clock_ns, int(self.table.time_ns[: frames.count].max()))
        return self.table

    def finish(self) -> None:
        """The capture is over."""
        self._connections.finish()

    def take_finished(self) -> Finished:
        """The connections finished since the last call."""
        return Finished(*self._connections.take_finished())


def _tests(automaton: Automaton) -> npt.NDArray[np.int64]:
    """The attribute tests of a scope as (field, operator, value) triples, for the compiled code."""
    triples: list[int] = []
    for test in automaton.tests[1:]:
        number = test.number if test.operator else 0
        if test.name in _FIELDS and number is not None:
            triples += [_FIELDS[test.name], _OPERATORS[test.operator or "!="], number]
        else:
            pages = [flow.page for flow, _ in automaton.flows if any(test in atom.tests for atom in flow.atoms)]
            reason = f"[{test}] cannot be tested on TCP segments: compare {' or '.join(_FIELDS)} with a whole number"
            raise FlowPageError(pages[0].path, 1, reason)
    return np.array(triples, np.int64)
