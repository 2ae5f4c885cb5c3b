# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The room that connections take: rows with their keys, and what hangs on a row as chains, its events and its holes.

Each is an array that doubles when it is full; what is given back is used again first. All but the holes double where
they are, where the kernel can give their pages another address. Pure-Python mode as in `rows.py`.
"""

from __future__ import annotations

import contextlib
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
        self.row_pages = _pages(self.capacity * ROW_WORDS)
        self.key_pages = _pages(self.capacity * KEY_WORDS)
        self._view_rows()
        self.event_capacity = 4096
        self.event_pages = _pages(self.event_capacity * EVENT_WORDS)
        self.events = memoryview(self.event_pages).cast("q")
        self.gap_capacity = 256
        self.gaps = memoryview(np.zeros(self.gap_capacity * GAP_WORDS, np.int64))
        self.unused = self.unused_event = self.unused_gap = 0
        self.free_row = self.free_event = self.free_gap = -1

    @cython.cfunc
    def _free_row(self, row: cython.longlong) -> cython.int:
        self.rows[row * ROW_WORDS + FOLLOWING] = self.free_row
        self.free_row = row

    @cython.cfunc
    def _free_events(self, base: cython.longlong) -> cython.int:
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
    def _free_gaps(self, me: cython.longlong) -> cython.int:
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
            self._grow_events()
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

    # Pages that are looked at cannot be moved.

    def _grow_rows(self) -> None:
        self.rows = memoryview(np.zeros(0, np.int64))
        self.keys = memoryview(np.zeros(0, np.uint64))
        self.row_pages = _doubled_pages(self.row_pages)
        self.key_pages = _doubled_pages(self.key_pages)
        self._view_rows()
        self.capacity *= 2

    def _grow_events(self) -> None:
        self.events = memoryview(np.zeros(0, np.int64))
        self.event_pages = _doubled_pages(self.event_pages)
        self.events = memoryview(self.event_pages).cast("q")
        self.event_capacity *= 2


def _pages(words: int) -> mmap.mmap:
    """Room for so many words of 64 bits, all zero. Private pages: shared ones, Python's default, cannot grow."""
    return mmap.mmap(-1, words * 8, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _doubled_pages(pages: mmap.mmap) -> mmap.mmap:
    """Room for as much again; the new part is zero. `pages` is not to be used any longer."""
    size = len(pages)
    try:
        pages.resize(2 * size)
    except SystemError:  # only Linux can
        found = _pages(size // 4)
        found[:size] = pages[:]
        pages.close()
        return found
    # Large pages: the next packet's connection may be anywhere among them, and the processor has to find its page.
    with contextlib.suppress(OSError):  # of a kernel that has none
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def doubled(view):
    """A copy of a one-dimensional array with room for as much again; the new part is zero."""
    old = np.asarray(view)
    new = np.zeros(2 * old.shape[0], old.dtype)
    new[: old.shape[0]] = old
    return new
