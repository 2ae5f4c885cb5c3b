# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The room that connections take: rows with their keys, and what hangs on a row as chains, its events and its holes.

Each is an array that doubles when it is full; what is given back is used again first. The rows, which are most of it,
double where they are: the kernel gives their pages another address. Pure-Python mode as in `rows.py`.
"""

from __future__ import annotations

import mmap

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.layout import *

COMPILED = cython.compiled


@cython.cclass
class ConnectionPools:
    """Rows, keys, events and holes by their places."""

    def _begin(self) -> None:
        self.capacity = 1024
        self.row_pages = mmap.mmap(-1, self.capacity * ROW_WORDS * 8, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.key_pages = mmap.mmap(-1, self.capacity * KEY_WORDS * 8, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._view_rows()
        self.event_capacity = 4096
        self.events = memoryview(np.zeros(self.event_capacity * EVENT_WORDS, np.int64))
        self.gap_capacity = 256
        self.gaps = memoryview(np.zeros(self.gap_capacity * GAP_WORDS, np.int64))
        self.unused = self.unused_event = self.unused_gap = 0
        self.free_row = self.free_event = self.free_gap = -1

    @cython.cfunc
    def _free_row(self, row: cython.longlong) -> cython.void:
        self.rows[row * ROW_WORDS + FOLLOWING] = self.free_row
        self.free_row = row

    @cython.cfunc
    def _free_events(self, base: cython.longlong) -> cython.void:
        """Give a connection's events back to the pool."""
        event: cython.longlong = self.rows[base + EVENT_HEAD]
        after: cython.longlong
        while event != -1:
            after = self.events[event * EVENT_WORDS + EVENT_NEXT]
            self.events[event * EVENT_WORDS + EVENT_NEXT] = self.free_event
            self.free_event = event
            event = after
        self.rows[base + EVENT_HEAD] = -1
        self.rows[base + EVENT_TAIL] = -1
        self.rows[base + EVENT_COUNT] = 0

    @cython.cfunc
    def _free_gaps(self, me: cython.longlong) -> cython.void:
        """Give a side's holes back to the pool."""
        gap: cython.longlong = self.rows[me + GAPS]
        after: cython.longlong
        while gap != -1:
            after = self.gaps[gap * GAP_WORDS + GAP_NEXT]
            self.gaps[gap * GAP_WORDS + GAP_NEXT] = self.free_gap
            self.free_gap = gap
            gap = after
        self.rows[me + GAPS] = -1

    @cython.cfunc
    def _new_event(self) -> cython.longlong:
        event: cython.longlong = self.free_event
        if event != -1:
            self.free_event = self.events[event * EVENT_WORDS + EVENT_NEXT]
            return event
        if self.unused_event == self.event_capacity:
            self.events = memoryview(doubled(self.events))
            self.event_capacity *= 2
        self.unused_event += 1
        return self.unused_event - 1

    @cython.cfunc
    def _new_gap(self) -> cython.longlong:
        gap: cython.longlong = self.free_gap
        if gap != -1:
            self.free_gap = self.gaps[gap * GAP_WORDS + GAP_NEXT]
            return gap
        if self.unused_gap == self.gap_capacity:
            self.gaps = memoryview(doubled(self.gaps))
            self.gap_capacity *= 2
        self.unused_gap += 1
        return self.unused_gap - 1

    def _view_rows(self) -> None:
        self.rows = memoryview(self.row_pages).cast("q")
        self.keys = memoryview(self.key_pages).cast("Q")

    def _grow_rows(self) -> None:
        self.capacity *= 2
        # What is looked at cannot be moved.
        self.rows = memoryview(np.zeros(0, np.int64))
        self.keys = memoryview(np.zeros(0, np.uint64))
        for pages in (self.row_pages, self.key_pages):
            pages.resize(2 * len(pages))
            # Fewer and larger pages: a packet of another connection than the last ones' is looked up in many places.
            pages.madvise(mmap.MADV_HUGEPAGE)
        self._view_rows()


def doubled(view):
    """A copy of a one-dimensional array with room for as much again; the new part is zero."""
    old = np.asarray(view)
    new = np.zeros(2 * old.shape[0], old.dtype)
    new[: old.shape[0]] = old
    return new
