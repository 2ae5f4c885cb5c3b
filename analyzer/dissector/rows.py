# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Connections as rows of integers: the storage below the connection tracker.

One row per connection (`layout.py`), found by an own hash table over full keys; no Python object per packet, and none
per connection (`pools.py` has the room for them). Ordinary Python in Cython's pure-Python mode:
uncompiled it gives the same answers, slower; `rows.pxd` has the types.
"""

from __future__ import annotations

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.analyzer.dissector.pools import ConnectionPools
else:
    from analyzer.dissector.layout import *
    from analyzer.dissector.pools import ConnectionPools

from analyzer.dissector.pools import doubled

COMPILED = cython.compiled

# Numbers this large are Python objects to Cython unless they have a type.
_MASK_64 = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
_LOW_32 = cython.declare(cython.ulonglong, 0xFFFFFFFF)
_NEVER = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
_TUNNEL = cython.declare(cython.ulonglong, 0xFFFFFFF0)

# A slot of the hash table: the upper half of the hash, so that keys of others are rarely looked at, and the row.
_HIGH_32 = cython.declare(cython.ulonglong, 0xFFFFFFFF00000000)
_FREE = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)


@cython.cclass
class ConnectionRows(ConnectionPools):
    """The connections of a capture that are not finished yet, and those not yet taken away.

    `seed`: random odd 64-bit numbers for the hash, from the operating system, so that a capture cannot be crafted to
    make connections collide. `settle_ns`: how long after its end a connection is reported, in capture time; segments
    until then still count. `linger_ns`: how long it stays, so that yet later ones are known to be its. `most_rows`: how
    many connections are kept at most. `vlan_key`: VLAN ids are part of the key. `follow`: hand segments with bytes on.
    """

    def __init__(self, seed, settle_ns, linger_ns, most_rows, vlan_key, follow):
        self._begin()
        self.follow = follow
        self.share, self.shares = 0, 1  # which connections are looked into here: one process of several
        self.settle_ns = settle_ns
        self.linger_ns = linger_ns
        self.most_rows = most_rows
        self.vlan_key = vlan_key
        self.tunnelled = {}  # rows by the ends of connections in tunnels, the last to begin
        self.seed = memoryview(seed)
        self.slot_bits = 12
        self.slot_mask = (1 << self.slot_bits) - 1
        self.slots = memoryview(np.full(1 << self.slot_bits, _FREE, np.uint64))
        self.finished = memoryview(np.zeros(1024, np.int64))
        self.open_first = self.open_last = self.ended_first = self.ended_last = -1
        self.live = self.next_stream = self.finished_count = self.taken_count = 0
        self.clock = 0
        self.clock_shift = 0
        self.behind = 0
        self.late = 0
        self.noting = False
        self.deadline = _NEVER
        self.unreported = -1
        self.report_deadline = _NEVER

    def load(self, table) -> None:
        """Look at the packets of one chunk from now on."""
        self.number = memoryview(table.number)
        self.time_ns = memoryview(table.time_ns)
        self.source_high = memoryview(table.source_high)
        self.source_low = memoryview(table.source_low)
        self.destination_high = memoryview(table.destination_high)
        self.destination_low = memoryview(table.destination_low)
        self.source_port = memoryview(table.source_port)
        self.destination_port = memoryview(table.destination_port)
        self.family = memoryview(table.family)
        self.encapsulation = memoryview(table.encapsulation)
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
        self.sender = memoryview(table.sender)
        self.began = memoryview(table.began)
        self.stream_offset = memoryview(table.stream_offset)
        self.ack_offset = memoryview(table.ack_offset)
        self.row_of = memoryview(table.row)
        self.handed = memoryview(table.handed)
        self.note = memoryview(table.note)
        self.missing = memoryview(table.missing)
        self.peer_missing = memoryview(table.peer_missing)
        self.reached = memoryview(table.reached)
        self.data_packet = memoryview(table.data_packet)
        self.data_ns = memoryview(table.data_ns)

    @cython.ccall
    def advance(self, now_ns: cython.longlong) -> cython.void:
        """It is `now_ns`, in capture time with `clock_shift` added: report what ended long enough ago, and forget what
        lingered long enough."""
        while now_ns > self.report_deadline:
            self._report(self.unreported)
        while now_ns > self.deadline:
            self._finish(self.ended_first)

    def expire(self, now_ns, idle_ns, opening_ns) -> None:
        """It is `now_ns`, with `clock_shift` added: connections without a packet for `idle_ns` make room as if there
        were too many, and so do those for `opening_ns` whose opening has begun and is not complete."""
        now: cython.longlong = now_ns
        idle: cython.longlong = idle_ns
        opening: cython.longlong = opening_ns
        base: cython.longlong
        row: cython.longlong = self.open_first
        after: cython.longlong
        quiet: cython.longlong
        while row != -1:
            base = row * ROW_WORDS
            after = self.rows[base + FOLLOWING]
            quiet = now - self.rows[base + LAST_MOMENT]
            if quiet >= idle or (quiet >= opening and self.rows[base + FLAGS] & (BY_SYN | OPENED) == BY_SYN):
                self.rows[base + FLAGS] |= EVICTED
                self._finish(row)
            row = after

    def set_back(self, by_ns) -> None:
        """The clock that packets are stamped by was set back: what is to happen after a while does not wait for it to
        come to where it was. `clock` goes on, `clock_shift` ahead of the packets."""
        self.clock_shift += by_ns

    def who(self, row) -> tuple:
        """The FLAGS of a row, and the words of its key."""
        key = np.asarray(self.keys)[row * KEY_WORDS : (row + 1) * KEY_WORDS]
        return int(self.rows[row * ROW_WORDS + FLAGS]), key.tolist()

    def finish(self) -> None:
        """The capture is over: every connection is finished, and those not yet taken are in the order of their ids."""
        while self.ended_first != -1:
            self._finish(self.ended_first)
        while self.open_first != -1:
            self._finish(self.open_first)
        waiting = np.asarray(self.finished)[self.taken_count : self.finished_count]
        ids = np.asarray(self.rows)[waiting * ROW_WORDS + ID]
        waiting[:] = waiting[np.argsort(ids)]

    def take_finished(self, most):
        """What was finished since the last call, at most so many connections, and forget it.

        Returns (rows, keys, events, ends): int64 of shape (n, ROW_WORDS), uint64 of shape (n, KEY_WORDS), int64 of
        shape (m, EVENT_WORDS), and int64 of shape (n,), where the events of connection i end in `events`.
        """
        first: cython.Py_ssize_t = self.taken_count
        n: cython.Py_ssize_t = min(self.finished_count - first, most)
        i: cython.Py_ssize_t
        at: cython.Py_ssize_t = 0
        word: cython.Py_ssize_t
        row: cython.longlong
        event: cython.longlong
        total: cython.longlong = 0
        which = np.asarray(self.finished)[first : first + n].copy()
        rows = np.asarray(self.rows).reshape(-1, ROW_WORDS)[which]
        keys = np.asarray(self.keys).reshape(-1, KEY_WORDS)[which]
        for i in range(n):
            total += self.rows[self.finished[first + i] * ROW_WORDS + EVENT_COUNT]
        events = np.zeros((total, EVENT_WORDS), np.int64)
        ends = np.zeros(n, np.int64)
        out: cython.longlong[:, ::1] = memoryview(events)
        ends_out: cython.longlong[::1] = memoryview(ends)
        for i in range(n):
            row = self.finished[first + i]
            event = self.rows[row * ROW_WORDS + EVENT_HEAD]
            while event != -1:
                for word in range(EVENT_WORDS):
                    out[at, word] = self.events[event * EVENT_WORDS + word]
                at += 1
                event = self.events[event * EVENT_WORDS + EVENT_NEXT]
            ends_out[i] = at
            self._free_events(row * ROW_WORDS)
            if self.rows[row * ROW_WORDS + FLAGS] & GONE:
                self._free_row(row)
            else:
                self.rows[row * ROW_WORDS + FLAGS] |= TAKEN
        self.taken_count += n
        if self.taken_count == self.finished_count:
            self.taken_count = self.finished_count = 0
        return rows, keys, events, ends

    @cython.ccall
    def want(self, row: cython.longlong, sender: cython.int, offset: cython.longlong) -> cython.void:
        """The dissector wants the bytes of this sender (as the table's column) only from `offset` on."""
        self.rows[row * ROW_WORDS + SIDES + sender * SIDE_WORDS + WANTED] = offset

    @cython.ccall
    def remember(self, row: cython.longlong) -> cython.void:
        """All bytes of this connection are wanted from now on, whatever was said before."""
        self.want(row, 0, 0)
        self.want(row, 1, 0)
        self.rows[row * ROW_WORDS + FLAGS] |= FOLLOWED

    @cython.ccall
    def forget(self, row: cython.longlong) -> cython.void:
        """Nobody wants any more of this connection's bytes, nor its end."""
        self.want(row, 0, _NEVER)
        self.want(row, 1, _NEVER)
        self.rows[row * ROW_WORDS + FLAGS] &= ~FOLLOWED

    @cython.cfunc
    def _find(self, i: cython.Py_ssize_t) -> cython.int:
        """Look up the connection of packet i: sets `found` (a row or -1), `from_a` and `hash`."""
        high_a: cython.ulonglong = self.source_high[i]
        low_a: cython.ulonglong = self.source_low[i]
        high_b: cython.ulonglong = self.destination_high[i]
        low_b: cython.ulonglong = self.destination_low[i]
        port_a: cython.ulonglong = self.source_port[i]
        port_b: cython.ulonglong = self.destination_port[i]
        version: cython.ulonglong = self.family[i]  # and the tunnel
        vlan: cython.ulonglong = 0
        ports: cython.ulonglong
        swap: cython.bint
        slot: cython.longlong
        entry: cython.ulonglong
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
        ports = port_a << 48 | port_b << 32 | version
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
            entry = self.slots[slot]
            if entry == _FREE:
                self.found = -1
                return 0
            if (entry ^ h) & _HIGH_32 == 0:
                row = entry & _LOW_32
                key = row * KEY_WORDS
                if (
                    self.keys[key + KEY_HASH] == h and self.keys[key + KEY_LOW_A] == low_a
                    and self.keys[key + KEY_LOW_B] == low_b and self.keys[key + KEY_PORTS] == ports
                    and self.keys[key + KEY_HIGH_A] == high_a and self.keys[key + KEY_HIGH_B] == high_b
                    and self.keys[key + KEY_VLAN] == vlan
                ):  # fmt: skip
                    self.found = row
                    return 0
            slot = (slot + 1) & self.slot_mask

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
            self.rows[key + WANTED] = 0 if self.follow else _NEVER
        self.rows[base + EVENT_HEAD] = -1
        self.rows[base + EVENT_TAIL] = -1
        self.rows[base + OPEN_RUN] = 1
        self.rows[base + CLOSE_RUN] = 1
        self.rows[base + FIRST_PACKET] = self.number[i]
        self.rows[base + START_NS] = self.time_ns[i]
        self.rows[base + VLAN] = self.vlan[i]
        self.rows[base + ENCAPSULATION] = self.encapsulation[i]
        if stream == -1 and (self.tunnelled or self.family[i] > 15):
            stream = self._stream_elsewhere(i)
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
                cython.cast(cython.ulonglong, self.source_port[i]) << 48
                | cython.cast(cython.ulonglong, self.destination_port[i]) << 32 | self.family[i]
            )  # fmt: skip
        else:
            self.keys[key + KEY_HIGH_A] = self.destination_high[i]
            self.keys[key + KEY_LOW_A] = self.destination_low[i]
            self.keys[key + KEY_HIGH_B] = self.source_high[i]
            self.keys[key + KEY_LOW_B] = self.source_low[i]
            self.keys[key + KEY_PORTS] = (
                cython.cast(cython.ulonglong, self.destination_port[i]) << 48
                | cython.cast(cython.ulonglong, self.source_port[i]) << 32 | self.family[i]
            )  # fmt: skip
        self.keys[key + KEY_VLAN] = self.vlan[i] if self.vlan_key else 0
        self.keys[key + KEY_HASH] = self.hash
        self.rows[base + FLAGS] = flags
        slot = self.hash >> (64 - self.slot_bits)
        while self.slots[slot] != _FREE:
            slot = (slot + 1) & self.slot_mask
        self.slots[slot] = self.hash & _HIGH_32 | cython.cast(cython.ulonglong, row)
        self.live += 1
        self._append(row, False)
        if self.family[i] > 15:
            self.tunnelled[self._ends(row)] = row
        return row

    @cython.cfunc
    def _stream_elsewhere(self, i: cython.Py_ssize_t) -> cython.longlong:
        """Wireshark's number for a connection that `_find` does not know, where it has the same ends in another tunnel.

        Wireshark looks at the innermost addresses only, and takes a SYN with another number for a new stream. -1: none.
        """
        family: cython.int = self.family[i]
        found: cython.longlong = -1
        other: cython.longlong
        side: cython.longlong
        hash: cython.ulonglong = self.hash
        if family > 15:
            self.family[i] = family & 15
            self._find(i)
            found = self.found
            self.family[i] = family
        if self.tunnelled:
            if self.from_a:
                ends = (
                    self.source_high[i], self.source_low[i], self.destination_high[i], self.destination_low[i],
                    self.source_port[i], self.destination_port[i],
                )  # fmt: skip
            else:
                ends = (
                    self.destination_high[i], self.destination_low[i], self.source_high[i], self.source_low[i],
                    self.destination_port[i], self.source_port[i],
                )  # fmt: skip
            other = self.tunnelled.get(ends, -1)
            # The one that began last is Wireshark's.
            if other != -1 and (found == -1 or self.rows[found * ROW_WORDS + ID] < self.rows[other * ROW_WORDS + ID]):
                found = other
        self.found = -1
        self.hash = hash
        if found == -1:
            return -1
        side = self.from_a != (self.rows[found * ROW_WORDS + FLAGS] & FIRST_IS_A != 0)
        other = found * ROW_WORDS + SIDES + side * SIDE_WORDS
        if self.flags[i] & (FLAG_SYN | FLAG_ACK) == FLAG_SYN and not (
            self.rows[other + STATE] & HAS_ISN and self.rows[other + ISN] == self.sequence[i]
        ):
            return -1
        return self.rows[found * ROW_WORDS + STREAM]

    def _ends(self, row) -> tuple:
        """A connection's key without its tunnel."""
        key = row * KEY_WORDS
        ports = self.keys[key + KEY_PORTS]
        return (
            self.keys[key + KEY_HIGH_A], self.keys[key + KEY_LOW_A], self.keys[key + KEY_HIGH_B],
            self.keys[key + KEY_LOW_B], ports >> 48, ports >> 32 & 0xFFFF,
        )  # fmt: skip

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
    def _append(self, row: cython.longlong, ended: cython.bint) -> cython.int:
        """Put a row at the end of the list of ended, or of open connections."""
        last: cython.longlong = self.ended_last if ended else self.open_last
        self.rows[row * ROW_WORDS + PREVIOUS] = last
        self.rows[row * ROW_WORDS + FOLLOWING] = -1
        if last != -1:
            self.rows[last * ROW_WORDS + FOLLOWING] = row
        if ended:
            self.ended_last = row
            if self.unreported == -1:
                self.unreported = row
                self.report_deadline = self.rows[row * ROW_WORDS + ENDED_NS] + self.settle_ns
            if self.ended_first == -1:
                self.ended_first = row
                self.deadline = self.rows[row * ROW_WORDS + ENDED_NS] + self.linger_ns
        else:
            self.open_last = row
            if self.open_first == -1:
                self.open_first = row

    @cython.cfunc
    def _unlink(self, row: cython.longlong) -> cython.int:
        before: cython.longlong = self.rows[row * ROW_WORDS + PREVIOUS]
        after: cython.longlong = self.rows[row * ROW_WORDS + FOLLOWING]
        if row == self.unreported:
            self._next_unreported(after)
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
    def _evict(self) -> cython.int:
        """Make room: an ended connection if there is one, else the longest-open one without a recent packet."""
        row: cython.longlong
        if self.ended_first != -1:
            self._finish(self.ended_first)
            return 0
        row = self.open_first
        while self.rows[row * ROW_WORDS + FLAGS] & RECENT:
            self.rows[row * ROW_WORDS + FLAGS] &= ~RECENT
            self._unlink(row)
            self._append(row, False)
            row = self.open_first
        self.rows[row * ROW_WORDS + FLAGS] |= EVICTED
        self._finish(row)
        return 0

    @cython.cfunc
    def _end(self, row: cython.longlong) -> cython.int:
        """The connection is closed. It stays for `linger_ns`, for late segments."""
        base: cython.longlong = row * ROW_WORDS
        self.rows[base + FLAGS] |= ENDED
        self.rows[base + ENDED_NS] = self.clock
        self._unlink(row)
        self._append(row, True)

    @cython.cfunc
    def _next_unreported(self, row: cython.longlong) -> cython.int:
        self.unreported = row
        self.report_deadline = _NEVER
        if row != -1:
            self.report_deadline = self.rows[row * ROW_WORDS + ENDED_NS] + self.settle_ns

    @cython.cfunc
    def _report(self, row: cython.longlong) -> cython.int:
        """Hand a row to `take_finished`, as it is now."""
        base: cython.longlong = row * ROW_WORDS
        one: cython.longlong
        other: cython.longlong
        gap: cython.longlong
        uncaptured: cython.longlong
        ahead: cython.longlong
        side: cython.int
        for side in range(2):
            one = base + SIDES + side * SIDE_WORDS
            other = base + SIDES + (1 - side) * SIDE_WORDS
            uncaptured = 0
            ahead = 0
            if self.rows[other + AHEAD] > self.rows[one + SENT] and self.rows[one + SENT] != -1:
                self.rows[one + STATE] |= LOST
                ahead = self.rows[other + AHEAD] - self.rows[one + SENT]
            gap = self.rows[one + GAPS]
            while gap != -1:
                if self.gaps[gap * GAP_WORDS + GAP_START] < self.rows[other + ACKED]:
                    self.rows[one + STATE] |= LOST
                    uncaptured += (
                        min(self.gaps[gap * GAP_WORDS + GAP_END], self.rows[other + ACKED])
                        - self.gaps[gap * GAP_WORDS + GAP_START]
                    )
                gap = self.gaps[gap * GAP_WORDS + GAP_NEXT]
            self._free_gaps(one)
            # More holes than are kept were widened: not all of what they span is missing.
            self.rows[base + UNCAPTURED_BYTES] += min(uncaptured, self.rows[one + MISSING]) + ahead
        if row == self.unreported:
            self._next_unreported(self.rows[base + FOLLOWING])
        self.rows[base + FLAGS] |= REPORTED
        if self.finished_count == self.finished.shape[0]:
            self.finished = memoryview(doubled(self.finished))
        self.finished[self.finished_count] = row
        self.finished_count += 1

    @cython.cfunc
    def _finish(self, row: cython.longlong) -> cython.int:
        """Take a row out of lists and hash table; it is reported if that has not happened yet."""
        base: cython.longlong = row * ROW_WORDS
        slot: cython.longlong
        hole: cython.longlong
        home: cython.longlong
        if not self.rows[base + FLAGS] & (REPORTED | QUOTED):
            self._report(row)
        self._unlink(row)
        if self.tunnelled and self.keys[row * KEY_WORDS + KEY_PORTS] & _TUNNEL != 0:
            ends = self._ends(row)
            if self.tunnelled.get(ends) == row:
                del self.tunnelled[ends]
        # Linear probing: close the hole by moving back what was pushed past it.
        slot = self.keys[row * KEY_WORDS + KEY_HASH] >> (64 - self.slot_bits)
        while self.slots[slot] & _LOW_32 != cython.cast(cython.ulonglong, row):
            slot = (slot + 1) & self.slot_mask
        hole = slot
        while True:
            slot = (slot + 1) & self.slot_mask
            if self.slots[slot] == _FREE:
                break
            home = self.slots[slot] >> (64 - self.slot_bits)
            if ((slot - home) & self.slot_mask) >= ((slot - hole) & self.slot_mask):
                self.slots[hole] = self.slots[slot]
                hole = slot
        self.slots[hole] = _FREE
        self.live -= 1
        if self.rows[base + FLAGS] & (TAKEN | QUOTED):
            self._free_row(row)
        else:
            self.rows[base + FLAGS] |= GONE

    def _grow_slots(self) -> None:
        slot: cython.longlong
        i: cython.Py_ssize_t
        old: cython.ulonglong[::1] = self.slots
        self.slot_bits += 1  # up to 32, the half of the hash that a slot holds
        self.slot_mask = (1 << self.slot_bits) - 1
        self.slots = memoryview(np.full(1 << self.slot_bits, _FREE, np.uint64))
        for i in range(old.shape[0]):
            if old[i] != _FREE:
                slot = old[i] >> (64 - self.slot_bits)
                while self.slots[slot] != _FREE:
                    slot = (slot + 1) & self.slot_mask
                self.slots[slot] = old[i]
