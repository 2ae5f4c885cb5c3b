# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""JSON Lines straight from finished rows, without an object per connection.

Captures repeat themselves: nearly all connections have one of a few shapes (same steps, same outcomes, same options)
and differ in numbers only. The first connection of a shape is labelled and encoded like any other, with numbered
placeholders in place of its numbers; that text is the template, and the others of its shape are filled in. What is
too special for a template is encoded one by one. Ordinary Python in Cython's pure-Python mode.
"""

from __future__ import annotations

import re
from typing import Protocol

import cython
import numpy as np

from analyzer.dissector.rows import doubled

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.layout import *

COMPILED = cython.compiled

# A placeholder is a number that no packet number, count or time reaches; its last four digits say what it stands for.
PLACEHOLDER = 9_000_000_000_000_000_000
_PLACEHOLDERS = re.compile(rb"900000000000000(\d{4})")

# What placeholders stand for. From EVENT on: packet, last packet, time and times of each event.
(VALUE_ID, VALUE_STREAM, VALUE_CLIENT_PORT, VALUE_SERVER_PORT, VALUE_FIRST, VALUE_LAST, VALUE_DURATION,
 VALUE_CLIENT_PACKETS, VALUE_SERVER_PACKETS, VALUE_CLIENT_BYTES, VALUE_SERVER_BYTES, VALUE_CLIENT_ISN,
 VALUE_SERVER_ISN, VALUE_HANDSHAKE, VALUE_OPEN_RETRANSMITTED, VALUE_CLOSE_RETRANSMITTED) = range(16)  # fmt: skip
VALUE_NOTES = 16
NOTES = 8
VALUES = VALUE_NOTES + NOTES
EVENT_WIDTH = 4
TEXT_CLIENT, TEXT_SERVER, TEXT_START = range(VALUES, VALUES + 3)
EVENT = 32

_NOTES = cython.declare(cython.longlong, 8)
_VALUE_NOTES = cython.declare(cython.longlong, 16)
_VALUES = cython.declare(cython.longlong, 24)
_TEXT_CLIENT = cython.declare(cython.longlong, 24)
_TEXT_SERVER = cython.declare(cython.longlong, 25)
_TEXT_START = cython.declare(cython.longlong, 26)
_EVENT = cython.declare(cython.longlong, 32)
_SECOND_NS = cython.declare(cython.longlong, 1_000_000_000)
_SILENCE_NS = cython.declare(cython.longlong, 1_000_000_000)

# More shapes than this, and remembering them costs more than it brings.
MOST_TEMPLATES = 4096
_MOST_TEXT = cython.declare(cython.longlong, 1 << 24)


class Labels(Protocol):
    """What only the labeler knows of connection i of the batch."""

    def template(self, i: int) -> bytes | None:
        """Its line with placeholders; None if it cannot have one."""

    def line(self, i: int) -> bytes:
        """Its line."""

    def address(self, version: int, high: int, low: int) -> bytes: ...

    def second(self, seconds: int) -> bytes:
        """RFC 3339 up to the second."""


@cython.cclass
class LineWriter:
    """Fills templates with the numbers of finished connections."""

    labels: Labels
    known: dict
    scratch: bytearray
    key: cython.longlong[::1]
    values: cython.longlong[::1]
    out: cython.uchar[::1]
    at: cython.Py_ssize_t
    digits: cython.uchar[::1]
    text: cython.uchar[::1]  # the templates' text, one after the other
    text_length: cython.longlong
    parts: cython.longlong[::1]  # end of a piece of text, and the placeholder behind it (-1: the end of the line)
    part_count: cython.longlong
    second: cython.longlong
    second_text: bytes
    rows: cython.longlong[:, ::1]
    keys: cython.ulonglong[:, ::1]
    events: cython.longlong[:, ::1]

    def __init__(self, labels):
        self.labels = labels
        self.known = {}
        self.scratch = bytearray(8 * (16 + MOST_EVENTS))
        self.key = memoryview(self.scratch).cast("q")
        self.values = memoryview(np.zeros(VALUES, np.int64))
        self.out = memoryview(np.zeros(1 << 17, np.uint8))
        self.digits = memoryview(np.zeros(24, np.uint8))
        self.text = memoryview(np.zeros(1 << 14, np.uint8))
        self.parts = memoryview(np.zeros(1 << 10, np.int64))
        self.text_length = self.part_count = self.at = 0
        self.second = -1
        self.second_text = b""

    def write(self, rows, keys, events, ends, clock_ns: cython.longlong) -> bytes:
        """The lines of finished connections (`tracker.Finished`), each with its newline."""
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = len(rows)
        begin: cython.Py_ssize_t = 0
        end: cython.Py_ssize_t
        length: cython.Py_ssize_t
        limits: cython.longlong[::1] = memoryview(ends)
        self.rows = memoryview(rows)
        self.keys = memoryview(keys)
        self.events = memoryview(events)
        self.at = 0
        for i in range(count):
            end = limits[i]
            length = self._shape(i, begin, end, clock_ns)
            found = None
            if length > 0:
                shape = bytes(self.scratch[: 8 * length])
                found = self.known.get(shape)
                if found is None and len(self.known) < MOST_TEMPLATES and self.text_length < _MOST_TEXT:
                    found = self.known[shape] = self._learn(i)
            if found is None or found < 0:
                self._put(self.labels.line(i))
            else:
                self._fill(i, begin, end, found)
            begin = end
        return bytes(self.out[: self.at])

    @cython.cfunc
    def _shape(
        self, i: cython.Py_ssize_t, begin: cython.Py_ssize_t, end: cython.Py_ssize_t, clock_ns: cython.longlong
    ) -> cython.Py_ssize_t:
        """Writes to `key` all that the text depends on besides numbers; its length in words, 0 if too special."""
        flags: cython.longlong = self.rows[i, FLAGS]
        start: cython.longlong = self.rows[i, START_NS]
        one: cython.longlong = SIDES
        other: cython.longlong = SIDES + SIDE_WORDS
        e: cython.Py_ssize_t
        code: cython.longlong
        last: cython.longlong
        quiet: cython.longlong = 0
        length: cython.Py_ssize_t = 8
        # Faults and divergences name packets in words, and times before 1970 do not fit the arithmetic here.
        if flags & (BAD_SYN_ACK | RETRIED | EVENTS_FULL | FOLLOWED) or start < 0 or self.rows[i, LAST_NS] < 0:
            return 0
        if (
            self.rows[i, OPEN_RUN] >> RUN_DIVERGED_SHIFT & RUN_STATE_MASK
            or self.rows[i, CLOSE_RUN] >> RUN_DIVERGED_SHIFT & RUN_STATE_MASK
        ):
            return 0
        for e in range(begin, end):
            if self.events[e, EVENT_NS] < 0:
                return 0
            code = self.events[e, EVENT_CODE]
            self.key[length] = code
            length += 1
            last = self.events[e, EVENT_NS] if self.events[e, EVENT_TIMES] == 1 else self.rows[i, LAST_NS]
            if clock_ns - last >= _SILENCE_NS:
                quiet |= 2 if code & 2 else 1
            else:
                quiet &= ~(2 if code & 2 else 1)
        self.key[0] = flags & ~(RECENT | REPORTED | TAKEN | GONE)
        self.key[1] = self.rows[i, OPEN_RUN]
        self.key[2] = self.rows[i, CLOSE_RUN]
        self.key[3] = self.rows[i, one + STATE] << 32 | self.rows[i, other + STATE]
        self.key[4] = self.rows[i, one + SYN_OPTIONS]
        self.key[5] = self.rows[i, other + SYN_OPTIONS]
        self.key[6] = self.rows[i, VLAN]
        self.key[7] = quiet << 2 | (self.rows[i, one + PACKETS] == 0) << 1 | (self.rows[i, other + PACKETS] == 0)
        return length

    def _learn(self, i: cython.Py_ssize_t):
        """The number of a new template, after connection i: its first part. -1 if there can be none."""
        text = self.labels.template(i)
        if text is None:
            return -1
        first = self.part_count
        at: cython.longlong = self.text_length
        pieces = _PLACEHOLDERS.split(text)
        while self.text_length + len(text) > self.text.shape[0]:
            self.text = memoryview(doubled(self.text))
        while self.part_count + len(pieces) > self.parts.shape[0]:
            self.parts = memoryview(doubled(self.parts))
        for k in range(0, len(pieces), 2):
            piece = pieces[k]
            np.asarray(self.text)[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
            at += len(piece)
            self.parts[self.part_count] = at
            self.parts[self.part_count + 1] = int(pieces[k + 1]) if k + 1 < len(pieces) else -1
            self.part_count += 2
        start = self.text_length
        self.text_length = at
        return first << 32 | start

    @cython.cfunc
    def _fill(
        self, i: cython.Py_ssize_t, begin: cython.Py_ssize_t, end: cython.Py_ssize_t, template: cython.longlong
    ) -> cython.void:
        part: cython.Py_ssize_t = template >> 32
        at: cython.Py_ssize_t = template & 0x7FFFFFFF
        stop: cython.Py_ssize_t
        code: cython.longlong
        event: cython.Py_ssize_t
        word: cython.longlong
        start: cython.longlong = self.rows[i, START_NS]
        self._evaluate(i, begin, end)
        while True:
            stop = self.parts[part]
            code = self.parts[part + 1]
            part += 2
            if self.at + (stop - at) + 64 > self.out.shape[0]:
                self.out = memoryview(doubled(self.out))
                part -= 2
                continue
            while at < stop:
                self.out[self.at] = self.text[at]
                self.at += 1
                at += 1
            if code < 0:
                return
            if code >= _EVENT:
                event = begin + (code - _EVENT) // 4
                word = (code - _EVENT) % 4
                if word == 0:
                    self._number(self.events[event, EVENT_PACKET])
                elif word == 1:
                    self._number(self.events[event, EVENT_LAST_PACKET])
                elif word == 2:
                    self._number(self.events[event, EVENT_NS] - start)
                else:
                    self._number(self.events[event, EVENT_TIMES])
            elif code < _VALUES:
                self._number(self.values[code])
            elif code == _TEXT_START:
                self._start(start)
            else:
                self._address(i, code == _TEXT_CLIENT)

    @cython.cfunc
    def _evaluate(self, i: cython.Py_ssize_t, begin: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.void:
        """The numbers of connection i, in the order of the VALUE_ names."""
        flags: cython.longlong = self.rows[i, FLAGS]
        start: cython.longlong = self.rows[i, START_NS]
        swapped: cython.bint = flags & SWAPPED != 0
        client: cython.longlong = SIDES + SIDE_WORDS if swapped else SIDES
        server: cython.longlong = SIDES if swapped else SIDES + SIDE_WORDS
        ports: cython.longlong = cython.cast(cython.longlong, self.keys[i, KEY_PORTS])
        client_is_a: cython.bint = (flags & FIRST_IS_A != 0) != swapped
        e: cython.Py_ssize_t
        k: cython.Py_ssize_t
        opened: cython.longlong = -1
        again_open: cython.longlong = 0
        again_close: cython.longlong = 0
        for e in range(begin, end):
            if self.events[e, EVENT_CODE] & 2 == 0 and opened == -1:
                opened = self.events[e, EVENT_NS]
            if self.events[e, EVENT_CODE] & 1:
                if self.events[e, EVENT_CODE] & 2:
                    again_close += self.events[e, EVENT_TIMES]
                else:
                    again_open += self.events[e, EVENT_TIMES]
        self.values[0] = self.rows[i, ID]
        self.values[1] = self.rows[i, STREAM]
        self.values[2] = ports >> 32 & 0xFFFF if client_is_a else ports >> 16 & 0xFFFF
        self.values[3] = ports >> 16 & 0xFFFF if client_is_a else ports >> 32 & 0xFFFF
        self.values[4] = self.rows[i, FIRST_PACKET]
        self.values[5] = self.rows[i, LAST_PACKET]
        self.values[6] = self.rows[i, LAST_NS] - start if self.rows[i, LAST_NS] > start else 0
        self.values[7] = self.rows[i, client + PACKETS]
        self.values[8] = self.rows[i, server + PACKETS]
        self.values[9] = self.rows[i, client + BYTES]
        self.values[10] = self.rows[i, server + BYTES]
        self.values[11] = self.rows[i, client + ISN]
        self.values[12] = self.rows[i, server + ISN]
        self.values[13] = self.rows[i, OPENED_NS] - opened
        self.values[14] = again_open
        self.values[15] = again_close
        for k in range(_NOTES):
            self.values[_VALUE_NOTES + k] = self.rows[i, RETRANSMISSIONS + k]

    # Writing. `_fill` has made room for what one placeholder can need.

    @cython.cfunc
    def _number(self, value: cython.longlong) -> cython.void:
        count: cython.Py_ssize_t = 0
        if value < 0:
            self.out[self.at] = 45  # -
            self.at += 1
            value = -value
        while True:
            self.digits[count] = 48 + value % 10
            count += 1
            value //= 10
            if value == 0:
                break
        while count > 0:
            count -= 1
            self.out[self.at] = self.digits[count]
            self.at += 1

    @cython.cfunc
    def _start(self, start: cython.longlong) -> cython.void:
        """RFC 3339 with nanoseconds. The part up to the second is made once for each second."""
        seconds: cython.longlong = start // _SECOND_NS
        rest: cython.longlong = start % _SECOND_NS
        k: cython.Py_ssize_t
        if seconds != self.second:
            self.second_text = self.labels.second(seconds)
            self.second = seconds
        self._put(self.second_text)
        self.out[self.at] = 46  # .
        for k in range(9):
            self.out[self.at + 9 - k] = 48 + rest % 10
            rest //= 10
        self.out[self.at + 10] = 90  # Z
        self.at += 11

    @cython.cfunc
    def _address(self, i: cython.Py_ssize_t, of_client: cython.bint) -> cython.void:
        flags: cython.longlong = self.rows[i, FLAGS]
        client_is_a: cython.bint = (flags & FIRST_IS_A != 0) != (flags & SWAPPED != 0)
        version: cython.longlong = cython.cast(cython.longlong, self.keys[i, KEY_PORTS]) & 0xFFFF
        high: cython.ulonglong = self.keys[i, KEY_HIGH_A]
        low: cython.ulonglong = self.keys[i, KEY_LOW_A]
        if client_is_a != of_client:
            high = self.keys[i, KEY_HIGH_B]
            low = self.keys[i, KEY_LOW_B]
        if version != 4:
            self._put(self.labels.address(version, high, low))
            return
        self._number(low >> 24 & 255)
        self.out[self.at] = 46  # .
        self.at += 1
        self._number(low >> 16 & 255)
        self.out[self.at] = 46
        self.at += 1
        self._number(low >> 8 & 255)
        self.out[self.at] = 46
        self.at += 1
        self._number(low & 255)

    @cython.cfunc
    def _put(self, text: bytes) -> cython.void:
        view: cython.const[cython.uchar][::1] = memoryview(text)
        k: cython.Py_ssize_t
        count: cython.Py_ssize_t = view.shape[0]
        while self.at + count + 64 > self.out.shape[0]:
            self.out = memoryview(doubled(self.out))
        for k in range(count):
            self.out[self.at + k] = view[k]
        self.at += count
