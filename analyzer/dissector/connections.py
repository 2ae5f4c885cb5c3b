# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The connection tracker: packet-table rows to connections and to the events of their opening and closing.

One row of integers per connection (`layout.py`), found by an own hash table over full keys; no Python object per
packet, and none per connection. Every event advances the automaton of its scope by one table look-up.
Ordinary Python in Cython's pure-Python mode: uncompiled it gives the same answers, slower.

The rules of what is an event are written down in `docs/flows.md`; the RFC stands at the branch that follows it.
"""

from __future__ import annotations

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.layout import *

COMPILED = cython.compiled

# Numbers this large are Python objects to Cython unless they have a type.
_MASK_64 = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
_LOW_32 = cython.declare(cython.ulonglong, 0xFFFFFFFF)
_MASK_32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_TWO_31 = cython.declare(cython.longlong, 1 << 31)
_TWO_32 = cython.declare(cython.longlong, 1 << 32)
_NEVER = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)


@cython.cclass
class ConnectionTable:
    """All connections of a capture that are not finished yet, as rows.

    `automata`: one per scope, tcp-open and tcp-close (`flows.matcher.Automaton`). `tests` per scope: int64 array of
    (field, operator, value) triples, the attribute tests that are evaluated on every event, after `retransmission`.
    `seed`: random odd 64-bit numbers for the hash, from the operating system, so that a capture cannot be crafted to
    make connections collide.
    """

    automata: object
    open_automaton: cython.int[:, ::1]
    open_complete: cython.schar[::1]
    open_tests: cython.longlong[::1]
    close_automaton: cython.int[:, ::1]
    close_complete: cython.schar[::1]
    close_tests: cython.longlong[::1]
    linger_ns: cython.longlong
    most_rows: cython.longlong
    vlan_key: cython.bint
    seed: cython.ulonglong[::1]

    rows: cython.longlong[::1]
    keys: cython.ulonglong[::1]
    capacity: cython.longlong
    unused: cython.longlong  # rows from here on have never been used
    free_row: cython.longlong
    live: cython.longlong  # rows in the hash table
    next_id: cython.longlong
    next_stream: cython.longlong
    slots: cython.int[::1]
    slot_bits: cython.int
    slot_mask: cython.longlong
    events: cython.longlong[::1]
    event_capacity: cython.longlong
    unused_event: cython.longlong
    free_event: cython.longlong
    gaps: cython.longlong[::1]  # words: start, end, next, time noticed
    gap_capacity: cython.longlong
    unused_gap: cython.longlong
    free_gap: cython.longlong
    finished: cython.longlong[::1]
    finished_count: cython.longlong
    open_first: cython.longlong
    open_last: cython.longlong
    ended_first: cython.longlong
    ended_last: cython.longlong
    clock: cython.longlong
    deadline: cython.longlong  # when the first of the ended connections is finished

    # the chunk's columns
    number: cython.longlong[::1]
    time_ns: cython.longlong[::1]
    source_high: cython.ulonglong[::1]
    source_low: cython.ulonglong[::1]
    destination_high: cython.ulonglong[::1]
    destination_low: cython.ulonglong[::1]
    source_port: cython.int[::1]
    destination_port: cython.int[::1]
    family: cython.schar[::1]
    vlan: cython.longlong[::1]
    sequence: cython.longlong[::1]
    acknowledgement: cython.longlong[::1]
    flags: cython.int[::1]
    window: cython.int[::1]
    options: cython.int[::1]
    mss: cython.int[::1]
    window_scale: cython.int[::1]
    payload: cython.longlong[::1]
    payload_captured: cython.longlong[::1]
    connection: cython.longlong[::1]
    side: cython.schar[::1]
    stream_offset: cython.longlong[::1]

    # results of `_find`
    found: cython.longlong
    from_a: cython.bint
    hash: cython.ulonglong

    def __init__(self, automata, tests, seed, linger_ns, most_rows, vlan_key):
        self.automata = automata
        self.linger_ns = linger_ns
        self.most_rows = most_rows
        self.vlan_key = vlan_key
        self.seed = memoryview(seed)
        self.open_tests = memoryview(tests[0])
        self.close_tests = memoryview(tests[1])
        self._load_automata()
        self.capacity = 1024
        self.rows = memoryview(np.zeros(self.capacity * ROW_WORDS, np.int64))
        self.keys = memoryview(np.zeros(self.capacity * KEY_WORDS, np.uint64))
        self.slot_bits = 12
        self.slot_mask = (1 << self.slot_bits) - 1
        self.slots = memoryview(np.full(1 << self.slot_bits, -1, np.int32))
        self.event_capacity = 4096
        self.events = memoryview(np.zeros(self.event_capacity * EVENT_WORDS, np.int64))
        self.gap_capacity = 256
        self.gaps = memoryview(np.zeros(self.gap_capacity * 4, np.int64))
        self.finished = memoryview(np.zeros(1024, np.int64))
        self.unused = self.unused_event = self.unused_gap = 0
        self.free_row = self.free_event = self.free_gap = -1
        self.open_first = self.open_last = self.ended_first = self.ended_last = -1
        self.live = self.next_id = self.next_stream = self.finished_count = 0
        self.clock = 0
        self.deadline = _NEVER

    def _load_automata(self):
        self.open_automaton = memoryview(self.automata[0].table)
        self.open_complete = memoryview(self.automata[0].complete)
        self.close_automaton = memoryview(self.automata[1].table)
        self.close_complete = memoryview(self.automata[1].complete)

    def track(self, table) -> None:
        """Take in the packets of one chunk; fills the table's columns connection, side and stream_offset."""
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = table.count
        kind: cython.schar[::1] = memoryview(table.kind)
        self.number = memoryview(table.number)
        self.time_ns = memoryview(table.time_ns)
        self.source_high = memoryview(table.source_high)
        self.source_low = memoryview(table.source_low)
        self.destination_high = memoryview(table.destination_high)
        self.destination_low = memoryview(table.destination_low)
        self.source_port = memoryview(table.source_port)
        self.destination_port = memoryview(table.destination_port)
        self.family = memoryview(table.family)
        self.vlan = memoryview(table.vlan)
        self.sequence = memoryview(table.sequence)
        self.acknowledgement = memoryview(table.acknowledgement)
        self.flags = memoryview(table.flags)
        self.window = memoryview(table.window)
        self.options = memoryview(table.options)
        self.mss = memoryview(table.mss)
        self.window_scale = memoryview(table.window_scale)
        self.payload = memoryview(table.payload)
        self.payload_captured = memoryview(table.payload_captured)
        self.connection = memoryview(table.connection)
        self.side = memoryview(table.side)
        self.stream_offset = memoryview(table.stream_offset)
        for i in range(count):
            if kind[i] == KIND_TCP:
                self._packet(i)
            else:
                self.connection[i] = -1
                self.side[i] = -1
                if kind[i] == KIND_ICMP_ERROR:
                    self._icmp_error(i)

    def finish(self) -> None:
        """The capture is over: every connection is finished."""
        while self.ended_first != -1:
            self._finish(self.ended_first)
        while self.open_first != -1:
            self._finish(self.open_first)

    def take_finished(self):
        """What was finished since the last call, and forget it.

        Returns (rows, keys, events, ends): int64 of shape (n, ROW_WORDS), uint64 of shape (n, KEY_WORDS), int64 of
        shape (m, EVENT_WORDS), and int64 of shape (n,), where the events of connection i end in `events`.
        """
        n: cython.Py_ssize_t = self.finished_count
        i: cython.Py_ssize_t
        at: cython.Py_ssize_t = 0
        word: cython.Py_ssize_t
        row: cython.longlong
        event: cython.longlong
        after: cython.longlong
        total: cython.longlong = 0
        which = np.asarray(self.finished)[:n].copy()
        rows = np.asarray(self.rows).reshape(-1, ROW_WORDS)[which]
        keys = np.asarray(self.keys).reshape(-1, KEY_WORDS)[which]
        for i in range(n):
            total += self.rows[self.finished[i] * ROW_WORDS + EVENT_COUNT]
        events = np.zeros((total, EVENT_WORDS), np.int64)
        ends = np.zeros(n, np.int64)
        out: cython.longlong[:, ::1] = memoryview(events)
        ends_out: cython.longlong[::1] = memoryview(ends)
        for i in range(n):
            row = self.finished[i]
            event = self.rows[row * ROW_WORDS + EVENT_HEAD]
            while event != -1:
                after = self.events[event * EVENT_WORDS + EVENT_NEXT]
                for word in range(EVENT_WORDS):
                    out[at, word] = self.events[event * EVENT_WORDS + word]
                at += 1
                self.events[event * EVENT_WORDS + EVENT_NEXT] = self.free_event
                self.free_event = event
                event = after
            ends_out[i] = at
            self.rows[row * ROW_WORDS + FOLLOWING] = self.free_row
            self.free_row = row
        self.finished_count = 0
        return rows, keys, events, ends

    # Finding and making connections.

    @cython.cfunc
    def _find(self, i: cython.Py_ssize_t) -> cython.void:
        """Look up the connection of packet i: sets `found` (a row or -1), `from_a` and `hash`."""
        high_a: cython.ulonglong = self.source_high[i]
        low_a: cython.ulonglong = self.source_low[i]
        high_b: cython.ulonglong = self.destination_high[i]
        low_b: cython.ulonglong = self.destination_low[i]
        port_a: cython.ulonglong = self.source_port[i]
        port_b: cython.ulonglong = self.destination_port[i]
        version: cython.ulonglong = self.family[i]
        vlan: cython.ulonglong = 0
        ports: cython.ulonglong
        swap: cython.bint
        slot: cython.longlong
        row: cython.longlong
        key: cython.longlong
        if self.vlan_key:
            vlan = self.vlan[i]
        if high_a != high_b:
            swap = high_a > high_b
        elif low_a != low_b:
            swap = low_a > low_b
        else:
            swap = port_a > port_b
        self.from_a = not swap
        if swap:
            high_a, high_b = high_b, high_a
            low_a, low_b = low_b, low_a
            port_a, port_b = port_b, port_a
        ports = port_a << 32 | port_b << 16 | version
        # Multilinear hashing (Lemire and Kaser 2014): whoever does not know the seed cannot do better than chance.
        h: cython.ulonglong = self.seed[0] + self.seed[1] * (low_a & _LOW_32) + self.seed[2] * (low_b & _LOW_32)
        h += self.seed[3] * (ports & _LOW_32) + self.seed[4] * (ports >> 32)
        if version != 4:
            h += self.seed[5] * (low_a >> 32) + self.seed[6] * (low_b >> 32)
            h += self.seed[7] * (high_a & _LOW_32) + self.seed[8] * (high_b & _LOW_32)
            h += self.seed[9] * (high_a >> 32) + self.seed[10] * (high_b >> 32)
        if vlan != 0:
            h += self.seed[11] * (vlan & _LOW_32) + self.seed[12] * (vlan >> 32)
        h &= _MASK_64
        self.hash = h
        slot = h >> (64 - self.slot_bits)
        while True:
            row = self.slots[slot]
            if row == -1:
                break
            key = row * KEY_WORDS
            if (
                self.keys[key + KEY_HASH] == h and self.keys[key + KEY_LOW_A] == low_a
                and self.keys[key + KEY_LOW_B] == low_b and self.keys[key + KEY_PORTS] == ports
                and self.keys[key + KEY_HIGH_A] == high_a and self.keys[key + KEY_HIGH_B] == high_b
                and self.keys[key + KEY_VLAN] == vlan
            ):  # fmt: skip
                break
            slot = (slot + 1) & self.slot_mask
        self.found = row

    @cython.cfunc
    def _create(self, i: cython.Py_ssize_t, stream: cython.longlong) -> cython.longlong:
        """A new connection whose first packet is i; `_find` has just been called for it. Returns its row.

        `stream`: its Wireshark number, -1 for the next one.
        """
        row: cython.longlong
        base: cython.longlong
        key: cython.longlong
        word: cython.Py_ssize_t
        slot: cython.longlong
        flags: cython.longlong
        if self.live >= self.most_rows:
            self._evict()
        if self.live * 2 >= self.slot_mask:
            self._grow_slots()
        if self.free_row != -1:
            row = self.free_row
            self.free_row = self.rows[row * ROW_WORDS + FOLLOWING]
        else:
            if self.unused == self.capacity:
                self._grow_rows()
            row = self.unused
            self.unused += 1
        base = row * ROW_WORDS
        for word in range(ROW_WORDS):
            self.rows[base + word] = 0
        for word in range(2):
            key = base + SIDES + word * SIDE_WORDS
            self.rows[key + SENT] = -1
            self.rows[key + ACKED] = -1
            self.rows[key + FIN_AT] = -1
            self.rows[key + GAPS] = -1
            self.rows[key + AHEAD] = -1
        self.rows[base + EVENT_HEAD] = -1
        self.rows[base + EVENT_TAIL] = -1
        self.rows[base + OPEN_RUN] = 1
        self.rows[base + CLOSE_RUN] = 1
        self.rows[base + FIRST_PACKET] = self.number[i]
        self.rows[base + START_NS] = self.time_ns[i]
        self.rows[base + VLAN] = self.vlan[i]
        if stream == -1:
            stream = self.next_stream
            self.next_stream += 1
        self.rows[base + STREAM] = stream
        flags = self._orientation(i)
        key = row * KEY_WORDS
        if self.from_a:
            flags |= FIRST_IS_A
            self.keys[key + KEY_HIGH_A] = self.source_high[i]
            self.keys[key + KEY_LOW_A] = self.source_low[i]
            self.keys[key + KEY_HIGH_B] = self.destination_high[i]
            self.keys[key + KEY_LOW_B] = self.destination_low[i]
            self.keys[key + KEY_PORTS] = (
                cython.cast(cython.ulonglong, self.source_port[i]) << 32
                | cython.cast(cython.ulonglong, self.destination_port[i]) << 16 | self.family[i]
            )  # fmt: skip
        else:
            self.keys[key + KEY_HIGH_A] = self.destination_high[i]
            self.keys[key + KEY_LOW_A] = self.destination_low[i]
            self.keys[key + KEY_HIGH_B] = self.source_high[i]
            self.keys[key + KEY_LOW_B] = self.source_low[i]
            self.keys[key + KEY_PORTS] = (
                cython.cast(cython.ulonglong, self.destination_port[i]) << 32
                | cython.cast(cython.ulonglong, self.source_port[i]) << 16 | self.family[i]
            )  # fmt: skip
        self.keys[key + KEY_VLAN] = self.vlan[i] if self.vlan_key else 0
        self.keys[key + KEY_HASH] = self.hash
        self.rows[base + FLAGS] = flags
        slot = self.hash >> (64 - self.slot_bits)
        while self.slots[slot] != -1:
            slot = (slot + 1) & self.slot_mask
        self.slots[slot] = row
        self.live += 1
        self._append(row, False)
        return row

    @cython.cfunc
    def _orientation(self, i: cython.Py_ssize_t) -> cython.longlong:
        """Client and server by the SYN, else by port, else the first sender is the client."""
        mine: cython.int = self.source_port[i]
        other: cython.int = self.destination_port[i]
        if self.flags[i] & FLAG_SYN:
            return BY_SYN | (SWAPPED if self.flags[i] & FLAG_ACK else 0)
        # System ports end at 1023 (RFC 6335 §6); Linux hands out 32768 and up for clients, others 49152 and up.
        if (mine < 1024) != (other < 1024):
            return BY_PORT | (SWAPPED if mine < 1024 else 0)
        if (mine < 32768) != (other < 32768):
            return BY_PORT | (SWAPPED if mine < 32768 else 0)
        return 0

    @cython.cfunc
    def _append(self, row: cython.longlong, ended: cython.bint) -> cython.void:
        """Put a row at the end of the list of ended, or of open connections."""
        last: cython.longlong = self.ended_last if ended else self.open_last
        self.rows[row * ROW_WORDS + PREVIOUS] = last
        self.rows[row * ROW_WORDS + FOLLOWING] = -1
        if last != -1:
            self.rows[last * ROW_WORDS + FOLLOWING] = row
        if ended:
            self.ended_last = row
            if self.ended_first == -1:
                self.ended_first = row
                self.deadline = self.rows[row * ROW_WORDS + ENDED_NS] + self.linger_ns
        else:
            self.open_last = row
            if self.open_first == -1:
                self.open_first = row

    @cython.cfunc
    def _unlink(self, row: cython.longlong) -> cython.void:
        before: cython.longlong = self.rows[row * ROW_WORDS + PREVIOUS]
        after: cython.longlong = self.rows[row * ROW_WORDS + FOLLOWING]
        if before != -1:
            self.rows[before * ROW_WORDS + FOLLOWING] = after
        elif self.open_first == row:
            self.open_first = after
        elif self.ended_first == row:
            self.ended_first = after
            self.deadline = _NEVER
            if after != -1:
                self.deadline = self.rows[after * ROW_WORDS + ENDED_NS] + self.linger_ns
        if after != -1:
            self.rows[after * ROW_WORDS + PREVIOUS] = before
        elif self.open_last == row:
            self.open_last = before
        elif self.ended_last == row:
            self.ended_last = before

    @cython.cfunc
    def _evict(self) -> cython.void:
        """Make room: an ended connection if there is one, else the longest-open one without a recent packet."""
        row: cython.longlong
        if self.ended_first != -1:
            self._finish(self.ended_first)
            return
        row = self.open_first
        while self.rows[row * ROW_WORDS + FLAGS] & RECENT:
            self.rows[row * ROW_WORDS + FLAGS] &= ~RECENT
            self._unlink(row)
            self._append(row, False)
            row = self.open_first
        self.rows[row * ROW_WORDS + FLAGS] |= EVICTED
        self._finish(row)

    @cython.cfunc
    def _end(self, row: cython.longlong) -> cython.void:
        """The connection is closed. It stays for `linger_ns`, for late segments."""
        base: cython.longlong = row * ROW_WORDS
        self.rows[base + FLAGS] |= ENDED
        self.rows[base + ENDED_NS] = self.clock
        self._unlink(row)
        self._append(row, True)

    @cython.cfunc
    def _finish(self, row: cython.longlong) -> cython.void:
        """Take a row out of lists and hash table and hand it to `take_finished`."""
        base: cython.longlong = row * ROW_WORDS
        one: cython.longlong
        other: cython.longlong
        gap: cython.longlong
        after: cython.longlong
        side: cython.int
        slot: cython.longlong
        hole: cython.longlong
        home: cython.longlong
        for side in range(2):
            one = base + SIDES + side * SIDE_WORDS
            other = base + SIDES + (1 - side) * SIDE_WORDS
            if self.rows[other + AHEAD] > self.rows[one + SENT] and self.rows[one + SENT] != -1:
                self.rows[one + STATE] |= LOST
            gap = self.rows[one + GAPS]
            while gap != -1:
                if self.gaps[gap * 4] < self.rows[other + ACKED]:
                    self.rows[one + STATE] |= LOST
                after = self.gaps[gap * 4 + 2]
                self.gaps[gap * 4 + 2] = self.free_gap
                self.free_gap = gap
                gap = after
            self.rows[one + GAPS] = -1
        self._unlink(row)
        # Linear probing: close the hole by moving back what was pushed past it.
        slot = self.keys[row * KEY_WORDS + KEY_HASH] >> (64 - self.slot_bits)
        while self.slots[slot] != row:
            slot = (slot + 1) & self.slot_mask
        hole = slot
        while True:
            slot = (slot + 1) & self.slot_mask
            if self.slots[slot] == -1:
                break
            home = self.keys[self.slots[slot] * KEY_WORDS + KEY_HASH] >> (64 - self.slot_bits)
            if ((slot - home) & self.slot_mask) >= ((slot - hole) & self.slot_mask):
                self.slots[hole] = self.slots[slot]
                hole = slot
        self.slots[hole] = -1
        self.live -= 1
        if self.rows[base + FLAGS] & QUOTED:
            self.rows[base + FOLLOWING] = self.free_row
            self.free_row = row
            return
        if self.finished_count == self.finished.shape[0]:
            self.finished = memoryview(_doubled(self.finished))
        self.finished[self.finished_count] = row
        self.finished_count += 1

    def _grow_slots(self) -> None:
        row: cython.longlong
        slot: cython.longlong
        i: cython.Py_ssize_t
        old: cython.int[::1] = self.slots
        self.slot_bits += 1
        self.slot_mask = (1 << self.slot_bits) - 1
        self.slots = memoryview(np.full(1 << self.slot_bits, -1, np.int32))
        for i in range(old.shape[0]):
            row = old[i]
            if row != -1:
                slot = self.keys[row * KEY_WORDS + KEY_HASH] >> (64 - self.slot_bits)
                while self.slots[slot] != -1:
                    slot = (slot + 1) & self.slot_mask
                self.slots[slot] = row

    def _grow_rows(self) -> None:
        self.rows = memoryview(_doubled(self.rows))
        self.keys = memoryview(_doubled(self.keys))
        self.capacity *= 2

    # One packet.

    @cython.cfunc
    def _packet(self, i: cython.Py_ssize_t) -> cython.void:
        row: cython.longlong
        base: cython.longlong
        me: cython.longlong
        side: cython.int
        stream: cython.longlong = -1
        now: cython.longlong = self.time_ns[i]
        flags: cython.int = self.flags[i]
        self._find(i)
        row = self.found
        if now > self.clock:
            self.clock = now
            while self.clock > self.deadline:
                if self.ended_first == row:
                    row = -1
                self._finish(self.ended_first)
        if row != -1 and self.rows[row * ROW_WORDS + FLAGS] & QUOTED:
            stream = self.rows[row * ROW_WORDS + STREAM]
            self._finish(row)
            row = -1
        if row != -1:
            base = row * ROW_WORDS
            side = self.from_a != ((self.rows[base + FLAGS] & FIRST_IS_A) != 0)
            if flags & (FLAG_SYN | FLAG_ACK) == FLAG_SYN:
                me = base + SIDES + side * SIDE_WORDS
                if self.rows[me + STATE] & HAS_ISN and self.rows[me + ISN] != self.sequence[i]:
                    self.rows[base + FLAGS] |= REUSED
                    self._finish(row)
                    row = -1
        if row == -1:
            row = self._create(i, stream)
            base = row * ROW_WORDS
            self.rows[base + ID] = self.next_id
            self.next_id += 1
            side = 0
        self.rows[base + LAST_PACKET] = self.number[i]
        self.rows[base + LAST_NS] = now
        self.rows[base + FLAGS] |= RECENT
        if self.payload_captured[i] < self.payload[i]:
            self.rows[base + FLAGS] |= CUT
        me = base + SIDES + side * SIDE_WORDS
        self.rows[me + PACKETS] += 1
        self.rows[me + BYTES] += self.payload[i]
        self.connection[i] = self.rows[base + ID]
        if flags & FLAG_SYN:
            self._syn(i, row, side)
        else:
            self._segment(i, row, side)
        self.side[i] = side ^ ((self.rows[base + FLAGS] & SWAPPED) != 0)

    @cython.cfunc
    def _icmp_error(self, i: cython.Py_ssize_t) -> cython.void:
        """A router or host says that a segment cannot be delivered; it answers the sender of that segment."""
        row: cython.longlong
        base: cython.longlong
        me: cython.longlong
        side: cython.int
        self._find(i)
        if self.found == -1:
            # Wireshark dissects a whole quoted header as a segment, and so gives the connection a number.
            if self.payload[i] >= 20:
                self.flags[i] = 0
                row = self._create(i, -1)
                self.rows[row * ROW_WORDS + FLAGS] |= QUOTED
            return
        if not self.flags[i]:
            return
        base = self.found * ROW_WORDS
        side = self.from_a != ((self.rows[base + FLAGS] & FIRST_IS_A) != 0)
        me = base + SIDES + side * SIDE_WORDS
        self.connection[i] = self.rows[base + ID]
        # Only for a SYN whose number is quoted rightly (RFC 5927 §4.1); for an open connection it is a soft error
        # (RFC 1122 §4.2.3.9).
        if self.rows[me + STATE] & (SYN_SEEN | SYN_ACKED) == SYN_SEEN and self.rows[me + ISN] == self.sequence[i]:
            self._emit(base, SCOPE_OPEN, STEP_ICMP, 1 - side, self.number[i], self.time_ns[i], 0, 0, False)

    # Sequence arithmetic: modulo 2**32 here and nowhere else.

    @cython.cfunc
    @cython.inline
    def _unwrap(
        self, number: cython.longlong, isn: cython.longlong, reference: cython.longlong
    ) -> cython.longlong:
        """The 64-bit offset of a 32-bit number, the one nearest to `reference`. RFC 9293 §3.4."""
        distance: cython.longlong = (number - isn - reference) & _MASK_32
        if distance >= _TWO_31:
            distance -= _TWO_32
        return reference + distance

    @cython.cfunc
    @cython.inline
    def _reference(self, sender: cython.longlong, receiver: cython.longlong) -> cython.longlong:
        """The offset that `sender` has certainly reached."""
        sent: cython.longlong = self.rows[sender + SENT]
        acked: cython.longlong = self.rows[receiver + ACKED]
        if acked > sent:
            sent = acked
        return sent if sent > 0 else 0

    @cython.cfunc
    def _set_isn(self, me: cython.longlong, isn: cython.longlong) -> cython.void:
        """Offsets of this side count from here on; what was counted from a guess is forgotten."""
        gap: cython.longlong = self.rows[me + GAPS]
        after: cython.longlong
        while gap != -1:
            after = self.gaps[gap * 4 + 2]
            self.gaps[gap * 4 + 2] = self.free_gap
            self.free_gap = gap
            gap = after
        self.rows[me + GAPS] = -1
        self.rows[me + ISN] = isn
        self.rows[me + SENT] = -1
        self.rows[me + FIN_AT] = -1
        self.rows[me + STATE] |= HAS_ISN

    @cython.cfunc
    def _syn(self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int) -> cython.void:
        """A segment with SYN. RFC 9293 §3.5."""
        base: cython.longlong = row * ROW_WORDS
        me: cython.longlong = base + SIDES + side * SIDE_WORDS
        peer: cython.longlong = base + SIDES + (1 - side) * SIDE_WORDS
        flags: cython.int = self.flags[i]
        state: cython.longlong = self.rows[me + STATE]
        sequence: cython.longlong = self.sequence[i]
        number: cython.longlong = self.number[i]
        now: cython.longlong = self.time_ns[i]
        payload: cython.longlong = self.payload[i]
        window: cython.int = self.window[i]
        ahead: cython.longlong
        offset: cython.longlong
        again: cython.bint
        self.stream_offset[i] = 0
        if flags & FLAG_RST:  # contradicts itself; no stack sends it
            self.rows[base + RESETS] += 1
            self.rows[base + RESETS_IGNORED] += 1
            return
        if self.rows[base + FLAGS] & ENDED:
            if flags & FLAG_ACK or self.rows[base + FLAGS] & OPENED or not state & SYN_SEEN:
                self.rows[base + RETRANSMISSIONS] += 1
                return
            self._retry(row, number)
            state = self.rows[me + STATE]
        if flags & FLAG_ACK:
            if self.rows[peer + STATE] & SYN_SEEN:
                # RFC 9293 §3.10.7.3: what a SYN-ACK acknowledges must be what was sent.
                offset = self._unwrap(self.acknowledgement[i], self.rows[peer + ISN], 0)
                if offset < 1 or offset > self.rows[peer + SENT]:
                    self._bad_syn_ack(base, number)
                    return
            elif not self.rows[peer + STATE] & HAS_ISN:
                self._set_isn(peer, (self.acknowledgement[i] - 1) & _MASK_32)
            if state & HAS_ISN and self.rows[me + ISN] != sequence:
                if state & SYN_ACKED:  # a second answer to the same SYN, with the first already acknowledged
                    self._bad_syn_ack(base, number)
                    return
                if not state & (SYN_SEEN | SYN_ACK_SEEN):
                    self.rows[peer + AHEAD] = -1
                self._set_isn(me, sequence)
        ahead = self.rows[peer + AHEAD]
        if not state & HAS_ISN:
            self._set_isn(me, sequence)
        if self.rows[base + EVENT_COUNT] == 0 and not self.rows[base + FLAGS] & BY_SYN:
            # Packets of this connection were captured before its SYN: now we know who the client is.
            self.rows[base + FLAGS] &= ~(BY_PORT | SWAPPED)
            self.rows[base + FLAGS] |= BY_SYN
            if (side == 1) == ((flags & FLAG_ACK) == 0):
                self.rows[base + FLAGS] |= SWAPPED
        self._syn_options(i, me)
        self.rows[me + WINDOW] = window
        if self.rows[me + SENT] < 1 + payload:
            self.rows[me + SENT] = 1 + payload
        if not flags & FLAG_ACK:
            again = state & SYN_SEEN != 0
            self.rows[me + STATE] |= SYN_SEEN
            if again:
                self.rows[base + RETRANSMISSIONS] += 1
            self._emit(base, SCOPE_OPEN, STEP_SYN, side, number, now, payload, window, again)
            if again or not self.rows[peer + STATE] & SYN_ACK_SEEN:
                return
            # The answer was captured before the question: it counts from now on.
            self.rows[me + STATE] |= SYN_ACKED
            self._emit(base, SCOPE_OPEN, STEP_SYN_ACK, 1 - side, self.rows[peer + AHEAD_PACKET],
                       self.rows[peer + AHEAD_NS], 0, self.rows[peer + WINDOW], False)  # fmt: skip
            if self.rows[me + AHEAD] >= 1:
                self._syn_acknowledged(base, peer, side, self.rows[me + AHEAD_PACKET], self.rows[me + AHEAD_NS])
            return
        again = state & SYN_ACK_SEEN != 0
        self.rows[me + STATE] |= SYN_ACK_SEEN
        if again:
            self.rows[base + RETRANSMISSIONS] += 1
        offset = self._unwrap(self.acknowledgement[i], self.rows[peer + ISN], 0)
        if self.rows[me + ACKED] < offset:
            self.rows[me + ACKED] = offset
        if not self.rows[peer + STATE] & SYN_SEEN:
            if not again:
                self.rows[me + AHEAD] = offset
                self.rows[me + AHEAD_PACKET] = number
                self.rows[me + AHEAD_NS] = now
            return
        self._emit(base, SCOPE_OPEN, STEP_SYN_ACK, side, number, now, payload, window, again)
        if not self.rows[peer + STATE] & SYN_ACKED:
            self.rows[peer + STATE] |= SYN_ACKED
            if self.rows[me + STATE] & SYN_ACKED:  # simultaneous open: each SYN was acknowledged by a SYN-ACK
                self._opened(base, now)
        if ahead >= 1 and not self.rows[me + STATE] & SYN_ACKED:
            self._syn_acknowledged(base, me, 1 - side, self.rows[peer + AHEAD_PACKET], self.rows[peer + AHEAD_NS])

    @cython.cfunc
    def _retry(self, row: cython.longlong, number: cython.longlong) -> cython.void:
        """The same SYN after a reset: some stacks try a refused opening again. The last attempt is what counts."""
        base: cython.longlong = row * ROW_WORDS
        side: cython.int
        me: cython.longlong
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
        self.rows[base + OPEN_RUN] = 1
        self.rows[base + CLOSE_RUN] = 1
        self.rows[base + FLAGS] = self.rows[base + FLAGS] & ~ENDED | RETRIED
        self.rows[base + FAULT_PACKET] = number
        for side in range(2):
            me = base + SIDES + side * SIDE_WORDS
            self._set_isn(me, self.rows[me + ISN])
            self.rows[me + STATE] = 0
            self.rows[me + ACKED] = -1
            self.rows[me + AHEAD] = -1
        self._unlink(row)
        self._append(row, False)

    @cython.cfunc
    def _bad_syn_ack(self, base: cython.longlong, number: cython.longlong) -> cython.void:
        if not self.rows[base + FLAGS] & BAD_SYN_ACK:
            self.rows[base + FLAGS] |= BAD_SYN_ACK
            self.rows[base + FAULT_PACKET] = number

    @cython.cfunc
    def _syn_options(self, i: cython.Py_ssize_t, me: cython.longlong) -> cython.void:
        flags: cython.int = self.flags[i]
        found: cython.longlong = SYN_OPTION_PRESENT
        options: cython.int = self.options[i]
        if options & OPTION_SACK_PERMITTED:
            found |= SYN_OPTION_SACK
        if options & OPTION_TIMESTAMPS:
            found |= SYN_OPTION_TIMESTAMPS
        if options & OPTION_FAST_OPEN:
            found |= SYN_OPTION_FAST_OPEN
        if options & OPTION_MPTCP:
            found |= SYN_OPTION_MPTCP
        # RFC 3168 §6.1.1: the SYN asks with both flags, the SYN-ACK agrees with ECE alone.
        if flags & (FLAG_ECE | FLAG_CWR) == (FLAG_ECE if flags & FLAG_ACK else FLAG_ECE | FLAG_CWR):
            found |= SYN_OPTION_ECN
        found |= (self.window_scale[i] + 1) << SYN_OPTION_SCALE_SHIFT
        found |= cython.cast(cython.longlong, self.mss[i] + 1) << SYN_OPTION_MSS_SHIFT
        self.rows[me + SYN_OPTIONS] = found

    @cython.cfunc
    def _syn_acknowledged(
        self, base: cython.longlong, owner: cython.longlong, side: cython.int, number: cython.longlong,
        now: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """`side` acknowledges the SYN or SYN-ACK of `owner`, its peer: the event ACK of the opening."""
        self.rows[owner + STATE] |= SYN_ACKED
        self._emit(base, SCOPE_OPEN, STEP_ACK, side, number, now, 0, 0, False)
        if self.rows[base + SIDES + side * SIDE_WORDS + STATE] & SYN_ACKED:
            self._opened(base, now)

    @cython.cfunc
    def _opened(self, base: cython.longlong, now: cython.longlong) -> cython.void:
        self.rows[base + FLAGS] |= OPENED
        self.rows[base + OPENED_NS] = now

    @cython.cfunc
    def _segment(self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int) -> cython.void:
        """A segment without SYN. RFC 9293 §3.10.7.4."""
        base: cython.longlong = row * ROW_WORDS
        me: cython.longlong = base + SIDES + side * SIDE_WORDS
        peer: cython.longlong = base + SIDES + (1 - side) * SIDE_WORDS
        flags: cython.int = self.flags[i]
        number: cython.longlong = self.number[i]
        now: cython.longlong = self.time_ns[i]
        payload: cython.longlong = self.payload[i]
        window: cython.int = self.window[i]
        offset: cython.longlong
        end: cython.longlong
        sent: cython.longlong
        acked: cython.longlong = -1
        opening: cython.bint
        covers_fin: cython.bint = False
        ack_emitted: cython.bint = False
        if not self.rows[me + STATE] & HAS_ISN:
            self._set_isn(me, (self.sequence[i] - 1) & _MASK_32)
        if flags & FLAG_ACK and not self.rows[peer + STATE] & HAS_ISN:
            self._set_isn(peer, (self.acknowledgement[i] - 1) & _MASK_32)
        offset = self._unwrap(self.sequence[i], self.rows[me + ISN], self._reference(me, peer))
        self.stream_offset[i] = offset
        if flags & FLAG_RST:
            self._reset(i, row, side, offset)
            return

        if flags & FLAG_ACK:
            acked = self._unwrap(self.acknowledgement[i], self.rows[peer + ISN], self._reference(peer, me))
            opening = self.rows[peer + STATE] & SYN_SEEN and not self.rows[me + STATE] & (SYN_SEEN | SYN_ACK_SEEN)
            if opening and (acked < 1 or acked > self.rows[peer + SENT]):
                # A challenge: the peer still holds an older connection (RFC 9293 §3.5.1); its numbers are not ours.
                return
            if acked > self.rows[peer + SENT] and acked > self.rows[me + AHEAD]:
                self.rows[me + AHEAD] = acked
                self.rows[me + AHEAD_PACKET] = number
                self.rows[me + AHEAD_NS] = now
            if self.rows[me + STATE] & SYN_SEEN and not self.rows[peer + STATE] & (SYN_SEEN | SYN_ACK_SEEN):
                self.rows[me + STATE] |= MOVED_ON
            if (
                not self.rows[peer + STATE] & SYN_ACKED and acked >= 1
                and self.rows[peer + STATE] & (SYN_SEEN | SYN_ACK_SEEN)
                and self.rows[me + STATE] & (SYN_SEEN | SYN_ACK_SEEN)
            ):  # fmt: skip
                self._syn_acknowledged(base, peer, side, number, now)
            if self.rows[peer + FIN_AT] >= 0 and acked > self.rows[peer + FIN_AT]:
                covers_fin = True
                if not self.rows[peer + STATE] & FIN_ACKED:
                    self.rows[peer + STATE] |= FIN_ACKED
                    ack_emitted = True
                    if not flags & FLAG_FIN or self.rows[me + FIN_AT] >= 0:
                        self._emit(base, SCOPE_CLOSE, STEP_ACK, side, number, now, payload, window, False)

        sent = self.rows[me + SENT]
        end = offset + payload
        if sent == -1:
            self.rows[me + SENT] = sent = offset
        if offset > sent:
            self._add_gap(base, me, sent, offset, now)
            self.rows[me + SENT] = sent = offset
        if payload > 0 or flags & FLAG_FIN:
            if end + (flags & FLAG_FIN) > sent:
                self.rows[me + SENT] = end + (flags & FLAG_FIN)
            elif payload <= 1 and offset == sent - 1 and not flags & FLAG_FIN:
                self.rows[base + KEEP_ALIVES] += 1  # RFC 9293 §3.8.4: one byte before the next, some carry it
            else:
                self._seen_before(base, me, offset, end, now)
        elif offset == sent - 1 and self.rows[base + FLAGS] & OPENED and self.rows[me + FIN_AT] == -1:
            self.rows[base + KEEP_ALIVES] += 1
        elif (
            acked == self.rows[me + ACKED] and acked < self.rows[peer + SENT] and window == self.rows[me + WINDOW]
        ):  # RFC 5681 §2
            self.rows[base + DUPLICATE_ACKS] += 1
        if flags & FLAG_ACK and acked > self.rows[me + ACKED]:
            self.rows[me + ACKED] = acked
        self.rows[me + WINDOW] = window
        if window == 0:
            self.rows[base + ZERO_WINDOWS] += 1

        if flags & FLAG_FIN:
            self._fin(i, row, side, end, ack_emitted)
        elif covers_fin and payload > 0 and end > sent and not self.rows[me + STATE] & DATA_SENT:
            self.rows[me + STATE] |= DATA_SENT
            self._emit(base, SCOPE_CLOSE, STEP_DATA, side, number, now, payload, window, False)
        self._check_closed(row)

    @cython.cfunc
    def _fin(
        self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int, end: cython.longlong,
        acknowledges: cython.bint,
    ) -> cython.void:  # fmt: skip
        """The FIN of a segment. `acknowledges`: it is the first segment that acknowledges the peer's FIN."""
        base: cython.longlong = row * ROW_WORDS
        me: cython.longlong = base + SIDES + side * SIDE_WORDS
        peer: cython.longlong = base + SIDES + (1 - side) * SIDE_WORDS
        again: cython.bint = self.rows[me + FIN_AT] >= 0
        step: cython.int = STEP_FIN_ACK if acknowledges and not again else STEP_FIN
        if not again:
            self.rows[me + FIN_AT] = end
        self._emit(base, SCOPE_CLOSE, step, side, self.number[i], self.time_ns[i], self.payload[i], self.window[i],
                   again)  # fmt: skip
        if not again and self.rows[peer + AHEAD] > end and not self.rows[me + STATE] & FIN_ACKED:
            # The acknowledgement was captured before the FIN.
            self.rows[me + STATE] |= FIN_ACKED
            self._emit(base, SCOPE_CLOSE, STEP_ACK, 1 - side, self.rows[peer + AHEAD_PACKET],
                       self.rows[peer + AHEAD_NS], 0, 0, False)  # fmt: skip

    @cython.cfunc
    def _check_closed(self, row: cython.longlong) -> cython.void:
        base: cython.longlong = row * ROW_WORDS
        if (
            self.rows[base + SIDES + STATE] & FIN_ACKED and self.rows[base + SIDES + SIDE_WORDS + STATE] & FIN_ACKED
            and not self.rows[base + FLAGS] & ENDED
        ):  # fmt: skip
            self._end(row)

    @cython.cfunc
    def _reset(
        self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int, offset: cython.longlong
    ) -> cython.void:
        """A RST ends the connection only if the receiver would accept it."""
        base: cython.longlong = row * ROW_WORDS
        me: cython.longlong = base + SIDES + side * SIDE_WORDS
        peer: cython.longlong = base + SIDES + (1 - side) * SIDE_WORDS
        opening: cython.bint
        accepted: cython.bint
        reached: cython.longlong = self.rows[peer + ACKED]
        window: cython.longlong
        acked: cython.longlong
        self.rows[base + RESETS] += 1
        if self.rows[base + FLAGS] & ENDED:
            return
        opening = (
            (self.rows[me + STATE] | self.rows[peer + STATE]) & SYN_SEEN != 0
            and not self.rows[base + FLAGS] & OPENED
            and not (self.rows[me + STATE] | self.rows[peer + STATE]) & MOVED_ON
        )
        if opening and not self.rows[me + STATE] & (SYN_SEEN | SYN_ACK_SEEN):
            # It answers a SYN: acceptable if it acknowledges the SYN, RFC 9293 §3.10.7.3.
            acked = self._unwrap(self.acknowledgement[i], self.rows[peer + ISN], 0)
            accepted = self.flags[i] & FLAG_ACK != 0 and acked >= 1 and acked <= self.rows[peer + SENT]
        elif reached == -1:
            # The receiver's acknowledgements are not in the capture, so its window cannot be held against the RST.
            accepted = True
        else:
            # RFC 9293 §3.10.7.4 and RFC 5961 §3.2: inside the receiver's window.
            window = self._scaled_window(me, peer)
            accepted = offset >= reached and (offset <= reached + window or offset <= self.rows[me + SENT])
        if not accepted:
            self.rows[base + RESETS_IGNORED] += 1
            return
        self._emit(base, SCOPE_OPEN if opening else SCOPE_CLOSE, STEP_RST, side, self.number[i], self.time_ns[i],
                   self.payload[i], self.window[i], False)  # fmt: skip
        self._end(row)

    @cython.cfunc
    def _scaled_window(self, me: cython.longlong, peer: cython.longlong) -> cython.longlong:
        """The window that the peer of `me` last advertised, in bytes; the largest it can have meant if unknown."""
        mine: cython.longlong = self.rows[me + SYN_OPTIONS]
        theirs: cython.longlong = self.rows[peer + SYN_OPTIONS]
        shift: cython.longlong = 14
        if mine != 0 and theirs != 0:
            mine = (mine >> SYN_OPTION_SCALE_SHIFT) & 0xFFFF
            theirs = (theirs >> SYN_OPTION_SCALE_SHIFT) & 0xFFFF
            shift = 0 if mine == 0 or theirs == 0 else theirs - 1
            if shift > 14:  # RFC 7323 §2.3
                shift = 14
        return self.rows[peer + WINDOW] << shift

    # Holes in what was captured of a side's bytes.

    @cython.cfunc
    def _add_gap(
        self, base: cython.longlong, me: cython.longlong, start: cython.longlong, end: cython.longlong,
        now: cython.longlong,
    ) -> cython.void:  # fmt: skip
        gap: cython.longlong
        count: cython.int = 0
        self.rows[base + LOST_SEGMENTS] += 1
        gap = self.rows[me + GAPS]
        while gap != -1:
            count += 1
            gap = self.gaps[gap * 4 + 2]
        if count >= MOST_GAPS:
            # Widen the newest hole rather than keep ever more of them.
            self.gaps[self.rows[me + GAPS] * 4 + 1] = end
            return
        gap = self._new_gap()
        self.gaps[gap * 4] = start
        self.gaps[gap * 4 + 1] = end
        self.gaps[gap * 4 + 2] = self.rows[me + GAPS]
        self.gaps[gap * 4 + 3] = now
        self.rows[me + GAPS] = gap

    @cython.cfunc
    def _new_gap(self) -> cython.longlong:
        gap: cython.longlong = self.free_gap
        if gap != -1:
            self.free_gap = self.gaps[gap * 4 + 2]
            return gap
        if self.unused_gap == self.gap_capacity:
            self.gaps = memoryview(_doubled(self.gaps))
            self.gap_capacity *= 2
        self.unused_gap += 1
        return self.unused_gap - 1

    @cython.cfunc
    def _seen_before(
        self, base: cython.longlong, me: cython.longlong, start: cython.longlong, end: cython.longlong,
        now: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """A segment of bytes below the highest captured: late, if it fills a hole soon enough, else sent again."""
        before: cython.longlong = -1
        gap: cython.longlong = self.rows[me + GAPS]
        after: cython.longlong
        rest: cython.longlong
        late: cython.bint = False
        while gap != -1 and start < end:
            after = self.gaps[gap * 4 + 2]
            if start < self.gaps[gap * 4 + 1] and end > self.gaps[gap * 4]:
                # What overtakes on the path arrives within a round trip; what was lost is sent again after one.
                if now - self.gaps[gap * 4 + 3] <= self._round_trip(base):
                    late = True
                if start > self.gaps[gap * 4] and end < self.gaps[gap * 4 + 1]:
                    rest = self._new_gap()
                    self.gaps[rest * 4] = end
                    self.gaps[rest * 4 + 1] = self.gaps[gap * 4 + 1]
                    self.gaps[rest * 4 + 2] = after
                    self.gaps[rest * 4 + 3] = self.gaps[gap * 4 + 3]
                    self.gaps[gap * 4 + 1] = start
                    self.gaps[gap * 4 + 2] = rest
                    gap = rest
                elif start > self.gaps[gap * 4]:
                    self.gaps[gap * 4 + 1] = start
                elif end < self.gaps[gap * 4 + 1]:
                    self.gaps[gap * 4] = end
                else:
                    if before == -1:
                        self.rows[me + GAPS] = after
                    else:
                        self.gaps[before * 4 + 2] = after
                    self.gaps[gap * 4 + 2] = self.free_gap
                    self.free_gap = gap
                    gap = before
            before = gap
            gap = after
        if late:
            self.rows[base + OUT_OF_ORDER] += 1
        else:
            self.rows[base + RETRANSMISSIONS] += 1

    @cython.cfunc
    def _round_trip(self, base: cython.longlong) -> cython.longlong:
        """The handshake's duration in nanoseconds, at least 3 ms, the guess where it was not captured."""
        if self.rows[base + FLAGS] & OPENED:
            return max(3_000_000, self.rows[base + OPENED_NS] - self.rows[base + START_NS])
        return 3_000_000

    # Events.

    @cython.cfunc
    def _emit(
        self, base: cython.longlong, scope: cython.int, step: cython.int, side: cython.int, number: cython.longlong,
        now: cython.longlong, payload: cython.longlong, window: cython.longlong, again: cython.bint,
    ) -> cython.void:  # fmt: skip
        """An event of scope tcp-open or tcp-close: note it, and advance the scope's automaton."""
        run: cython.longlong = self.rows[base + OPEN_RUN + scope]
        state: cython.longlong = run & RUN_STATE_MASK
        symbol: cython.longlong
        reached: cython.longlong
        tests: cython.longlong[::1] = self.open_tests if scope == SCOPE_OPEN else self.close_tests
        truths: cython.longlong = 1 if again else 0
        value: cython.longlong
        t: cython.Py_ssize_t
        diverged: cython.bint = False
        count: cython.Py_ssize_t = tests.shape[0] // 3
        if self.rows[base + FLAGS] & SWAPPED:
            side = 1 - side
        for t in range(count):
            value = payload if tests[t * 3] == 0 else window
            if (
                (tests[t * 3 + 1] == 0 and value == tests[t * 3 + 2])
                or (tests[t * 3 + 1] == 1 and value != tests[t * 3 + 2])
                or (tests[t * 3 + 1] == 2 and value < tests[t * 3 + 2])
                or (tests[t * 3 + 1] == 3 and value > tests[t * 3 + 2])
            ):
                truths |= 2 << t
        symbol = (step * 2 + side) << (count + 1) | truths
        if run >> RUN_OVER_SHIFT:
            if not again:
                return
        elif run >> RUN_DIVERGED_SHIFT == 0:
            reached = self.open_automaton[state, symbol] if scope == SCOPE_OPEN else self.close_automaton[state, symbol]
            if reached == -1:
                reached = self.automata[scope].grow(state, symbol)
                self._load_automata()
            if reached == 0:
                if (run >> RUN_BEST_SHIFT) & RUN_STATE_MASK != 0:
                    self.rows[base + OPEN_RUN + scope] = run | cython.cast(cython.longlong, 1) << RUN_OVER_SHIFT
                    return
                diverged = True
                run |= (self.rows[base + EVENT_COUNT] + 1) << RUN_DIVERGED_SHIFT
            else:
                run = run & ~cython.cast(cython.longlong, RUN_STATE_MASK) | reached
                if self.open_complete[reached] if scope == SCOPE_OPEN else self.close_complete[reached]:
                    run = (
                        run & ~(cython.cast(cython.longlong, RUN_STATE_MASK) << RUN_BEST_SHIFT)
                        | reached << RUN_BEST_SHIFT
                    )
            self.rows[base + OPEN_RUN + scope] = run
        self._note(base, symbol << 2 | scope << 1 | again, number, now, diverged)

    @cython.cfunc
    def _note(
        self, base: cython.longlong, code: cython.longlong, number: cython.longlong, now: cython.longlong,
        diverged: cython.bint,
    ) -> cython.void:  # fmt: skip
        """Append an event to the connection's, or fold it into an equal one just before it."""
        tail: cython.longlong = self.rows[base + EVENT_TAIL]
        event: cython.longlong
        if tail != -1 and not diverged and self.events[tail * EVENT_WORDS + EVENT_CODE] == code:
            self.events[tail * EVENT_WORDS + EVENT_TIMES] += 1
            self.events[tail * EVENT_WORDS + EVENT_LAST_PACKET] = number
            return
        if self.rows[base + EVENT_COUNT] >= MOST_EVENTS:
            self.rows[base + FLAGS] |= EVENTS_FULL
            return
        event = self.free_event
        if event != -1:
            self.free_event = self.events[event * EVENT_WORDS + EVENT_NEXT]
        else:
            if self.unused_event == self.event_capacity:
                self.events = memoryview(_doubled(self.events))
                self.event_capacity *= 2
            event = self.unused_event
            self.unused_event += 1
        self.events[event * EVENT_WORDS + EVENT_NEXT] = -1
        self.events[event * EVENT_WORDS + EVENT_CODE] = code
        self.events[event * EVENT_WORDS + EVENT_PACKET] = number
        self.events[event * EVENT_WORDS + EVENT_LAST_PACKET] = number
        self.events[event * EVENT_WORDS + EVENT_NS] = now
        self.events[event * EVENT_WORDS + EVENT_TIMES] = 1
        if tail == -1:
            self.rows[base + EVENT_HEAD] = event
        else:
            self.events[tail * EVENT_WORDS + EVENT_NEXT] = event
        self.rows[base + EVENT_TAIL] = event
        self.rows[base + EVENT_COUNT] += 1


def _doubled(view):
    """A copy of a one-dimensional array with room for as much again; the new part is zero."""
    old = np.asarray(view)
    new = np.zeros(2 * old.shape[0], old.dtype)
    new[: old.shape[0]] = old
    return new
