# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""JSON Lines straight from finished rows, without an object per connection.

Captures repeat themselves: nearly all connections have one of a few shapes (same steps, same outcomes, same options)
and differ in numbers only. The first connection of a shape is labelled and encoded like any other, with numbered
placeholders in place of its numbers; that text is the template, and the others of its shape are filled in. What is
too special for a template is encoded one by one. Ordinary Python in Cython's pure-Python mode.
"""

from __future__ import annotations

from typing import Any, Protocol

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.applications import Application, Applications
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.analyzer.reporter.exchange_lines import ExchangeFiller
else:
    from analyzer.dissector.applications import Application, Applications
    from analyzer.dissector.layout import *
    from analyzer.reporter.exchange_lines import ExchangeFiller

COMPILED = cython.compiled

# What placeholders stand for. From EVENT on: packet, last packet, time and times of each event.
(VALUE_ID, VALUE_STREAM, VALUE_CLIENT_PORT, VALUE_SERVER_PORT, VALUE_FIRST, VALUE_LAST, VALUE_DURATION,
 VALUE_CLIENT_PACKETS, VALUE_SERVER_PACKETS, VALUE_CLIENT_BYTES, VALUE_SERVER_BYTES, VALUE_CLIENT_ISN,
 VALUE_SERVER_ISN, VALUE_HANDSHAKE, VALUE_OPEN_RETRANSMITTED, VALUE_CLOSE_RETRANSMITTED) = range(16)  # fmt: skip
VALUE_NOTES = 16
NOTES = 14
VALUES = VALUE_NOTES + NOTES
EVENT_WIDTH = 4
TEXT_CLIENT, TEXT_SERVER, TEXT_START = range(VALUES, VALUES + 3)
EVENT = 33
# Of what was found inside and comes as text (`inside.Written`): the texts, and the numbers beside them.
WRITTEN = 4000
(WRITTEN_TLS, WRITTEN_HTTP, WRITTEN_TUNNEL, WRITTEN_FAULTS) = range(WRITTEN, WRITTEN + 4)
WRITTEN_NUMBER = 5000
(WRITTEN_TLS_NS, WRITTEN_FIRST_RESPONSE, WRITTEN_PART) = range(WRITTEN_NUMBER, WRITTEN_NUMBER + 3)

_NOTES = cython.declare(cython.longlong, 14)
_VALUE_NOTES = cython.declare(cython.longlong, 16)
_VALUES = cython.declare(cython.longlong, 30)
_TEXT_CLIENT = cython.declare(cython.longlong, 30)
_TEXT_SERVER = cython.declare(cython.longlong, 31)
_TEXT_START = cython.declare(cython.longlong, 32)
_EVENT = cython.declare(cython.longlong, 33)
_HTTP = cython.declare(cython.longlong, 1900)
_WRITTEN = cython.declare(cython.longlong, 4000)
_WRITTEN_NUMBER = cython.declare(cython.longlong, 5000)
# A word that stands for what was found inside: no other word of a shape is as large.
_SHAPE_INSIDE = cython.declare(cython.longlong, 1 << 62)
_SECOND_NS = cython.declare(cython.longlong, 1_000_000_000)
_SILENCE_NS = cython.declare(cython.longlong, 1_000_000_000)

# More shapes than this, and remembering them costs more than it brings.
MOST_TEMPLATES = 4096
# A piece of output: larger ones would be memory that the system has to clear each time.
_PIECE_BYTES = cython.declare(cython.longlong, 1 << 16)
_MOST_TEXT = cython.declare(cython.longlong, 1 << 24)


class Labels(Protocol):
    """What only the labeler knows of connection i of the batch. `content`: what was found inside, or None."""

    def template(self, i: int, content: Any, *, written: bool) -> bytes | None:
        """Its line with placeholders; None if it cannot have one. `written`: what was found inside comes as text."""

    def written(self, content: Any, start_ns: int, flags: int) -> Any:
        """What was found inside as text (`inside.Written`); None if its line cannot have a template. `start_ns`,
        `flags`: of its row."""

    def line(self, i: int, content: Any) -> bytes:
        """Its line."""

    def exchange(self, exchange: Any, start_ns: int) -> bytes:
        """An exchange with placeholders."""

    def address(self, version: int, high: int, low: int) -> bytes: ...

    def minute(self, minutes: int) -> bytes:
        """RFC 3339 up to the seconds, of so many minutes since 1970 UTC."""


@cython.final
@cython.cclass
class LineWriter(ExchangeFiller):
    """Fills templates with the numbers of finished connections.

    `applications`: what was found inside them, or None; `automaton`: that of scope http1, or None where the numbers of
    an exchange are not all that is listed of it.
    """

    applications: Applications
    written: object
    insides: dict
    inside_count: cython.longlong
    known: dict
    values: cython.longlong[::1]
    next = cython.declare(cython.Py_ssize_t, visibility="readonly")
    minute: cython.longlong
    minute_text: bytes
    rows: cython.longlong[:, ::1]
    keys: cython.ulonglong[:, ::1]
    events: cython.longlong[:, ::1]

    def __init__(self, labels, applications=None, automaton=None):
        ExchangeFiller.__init__(self, labels, automaton)
        self.applications = applications
        self.known = {}
        self.written = None  # of the connection that is being written
        self.insides = {}  # a number for each shape that was found inside
        self.inside_count = 0
        self.values = memoryview(np.zeros(VALUES, np.int64))
        self.next = 0
        self.minute = -1
        self.minute_text = None

    def write(self, rows, keys, events, ends, clock_ns: cython.longlong, first: cython.Py_ssize_t = 0) -> bytes:
        """The lines of finished connections (`tracker.Finished`), each with its newline: from connection `first` on,
        and not many more than fill a piece. `next` is the first one behind them."""
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = len(rows)
        begin: cython.Py_ssize_t = 0
        end: cython.Py_ssize_t
        length: cython.Py_ssize_t
        application: Application
        limits: cython.longlong[::1] = memoryview(ends)
        if first > 0:
            begin = limits[first - 1]
        self.rows = memoryview(rows)
        self.keys = memoryview(keys)
        self.events = memoryview(events)
        self.at = 0
        self.next = count
        for i in range(first, count):
            if self.at > _PIECE_BYTES:
                self.next = i
                break
            end = limits[i]
            length = self._shape(i, begin, end, clock_ns)
            application = None
            self.written = None
            if self.rows[i, FLAGS] & FOLLOWED and self.applications is not None:
                application = self.applications.finish(self.rows, i)
                if application is not None and length > 0:
                    length = self._content(application, i, length)
            found = None
            if length > 0:
                shape = bytes(self.scratch[: 8 * length])
                found = self.known.get(shape)
                if found is None and len(self.known) < MOST_TEMPLATES and self.text_length < _MOST_TEXT:
                    text = self.labels.template(i, application, written=self.written is not None)
                    found = self.known[shape] = -1 if text is None else self._learn(text)
            if found is None or found < 0:
                self._put(self.labels.line(i, application))
            else:
                self._fill(i, begin, end, found)
            begin = end
        self.found = self.written = None
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
        if flags & (BAD_SYN_ACK | RETRIED | EVENTS_FULL) or start < 0 or self.rows[i, LAST_NS] < start:
            return 0
        if self.rows[i, ICMP_ERRORS]:
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
        self.key[0] = flags & ~(RECENT | REPORTED | TAKEN | GONE | FOLLOWED)
        self.key[1] = self.rows[i, OPEN_RUN]
        self.key[2] = self.rows[i, CLOSE_RUN]
        self.key[3] = self.rows[i, one + STATE] << 32 | self.rows[i, other + STATE]
        self.key[4] = self.rows[i, one + SYN_OPTIONS]
        self.key[5] = self.rows[i, other + SYN_OPTIONS]
        self.key[6] = self.rows[i, VLAN]
        self.key[7] = (
            self.rows[i, ENCAPSULATION] << 8
            | quiet << 2
            | (self.rows[i, one + PACKETS] == 0) << 1
            | (self.rows[i, other + PACKETS] == 0)
        )
        return length

    @cython.cfunc
    def _content(self, application: Application, i: cython.Py_ssize_t, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Writes to `key`, from `at` on, all that the text depends on of what was found inside, besides numbers; where
        it ends, 0 if too special."""
        end: cython.Py_ssize_t = self._inside(application, at)
        if end >= 0:
            return end
        written = self.labels.written(application, self.rows[i, START_NS], self.rows[i, FLAGS])
        if written is None:
            return 0
        number = self.insides.get(written.shape)
        if number is None:
            if len(self.insides) >= MOST_TEMPLATES:
                self.insides.clear()
            self.inside_count += 1
            number = self.insides[written.shape] = self.inside_count  # never one that had another meaning
        self.written = written
        self.key[at] = _SHAPE_INSIDE | cython.cast(cython.longlong, number)
        return at + 1

    @cython.cfunc
    def _fill(
        self, i: cython.Py_ssize_t, begin: cython.Py_ssize_t, end: cython.Py_ssize_t, template: cython.longlong
    ) -> cython.int:
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
            self._copy(at, stop)
            at = stop
            if code < 0:
                return 0
            if code >= _WRITTEN_NUMBER:
                self._number(self.written.numbers[code - _WRITTEN_NUMBER])
            elif code >= _WRITTEN:
                self._put(self.written.texts[code - _WRITTEN])
            elif code >= _HTTP:
                self._fill_inside(code, start)
            elif code >= _EVENT:
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
    def _evaluate(self, i: cython.Py_ssize_t, begin: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.int:
        """The numbers of connection i, in the order of the VALUE_ names."""
        flags: cython.longlong = self.rows[i, FLAGS]
        start: cython.longlong = self.rows[i, START_NS]
        swapped: cython.bint = flags & SWAPPED != 0
        client: cython.longlong = SIDES + SIDE_WORDS if swapped else SIDES
        server: cython.longlong = SIDES if swapped else SIDES + SIDE_WORDS
        ports: cython.ulonglong = self.keys[i, KEY_PORTS]
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
        self.values[2] = ports >> 48 if client_is_a else ports >> 32 & 0xFFFF
        self.values[3] = ports >> 32 & 0xFFFF if client_is_a else ports >> 48
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

    # Writing; `_copy` has made room.

    @cython.cfunc
    def _start(self, start: cython.longlong) -> cython.int:
        """RFC 3339 with nanoseconds. The part up to the seconds is made once for each minute."""
        minute: cython.longlong = start // (60 * _SECOND_NS)
        second: cython.longlong = start // _SECOND_NS - 60 * minute
        rest: cython.longlong = start % _SECOND_NS
        k: cython.Py_ssize_t
        if minute != self.minute or self.minute_text is None:
            self.minute_text = self.labels.minute(minute)
            self.minute = minute
        self._put(self.minute_text)
        self.out[self.at] = 48 + second // 10
        self.out[self.at + 1] = 48 + second % 10
        self.at += 2
        self.out[self.at] = 46  # .
        for k in range(9):
            self.out[self.at + 9 - k] = 48 + rest % 10
            rest //= 10
        self.out[self.at + 10] = 90  # Z
        self.at += 11

    @cython.cfunc
    def _address(self, i: cython.Py_ssize_t, of_client: cython.bint) -> cython.int:
        flags: cython.longlong = self.rows[i, FLAGS]
        client_is_a: cython.bint = (flags & FIRST_IS_A != 0) != (flags & SWAPPED != 0)
        version: cython.longlong = cython.cast(cython.longlong, self.keys[i, KEY_PORTS]) & 15
        high: cython.ulonglong = self.keys[i, KEY_HIGH_A]
        low: cython.ulonglong = self.keys[i, KEY_LOW_A]
        if client_is_a != of_client:
            high = self.keys[i, KEY_HIGH_B]
            low = self.keys[i, KEY_LOW_B]
        if version != 4:
            self._put(self.labels.address(version, high, low))
            return 0
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
        return 0
