# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What is remembered of a connection besides its row: the events of its opening and closing, and the holes.

Every event advances the automaton of its scope by one table look-up. Pure-Python mode, types in `history.pxd`.
"""

from __future__ import annotations

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.layout import *

if cython.compiled:
    from cython.cimports.analyzer.dissector.rows import ConnectionRows
else:
    from analyzer.dissector.rows import ConnectionRows

from analyzer.dissector.pools import doubled

COMPILED = cython.compiled

# What becomes of an event.
_DROPPED = cython.declare(cython.int, 0)
_KEPT = cython.declare(cython.int, 1)
_DIVERGED = cython.declare(cython.int, 2)


@cython.cclass
class ConnectionHistory(ConnectionRows):
    """Rows with events and holes.

    `automata`: one per scope, tcp-open and tcp-close (`flows.matcher.Automaton`). `tests`: one int64 array per scope
    of (field, operator, value) triples, the attribute tests to evaluate on every event besides `retransmission`.
    """

    def __init__(self, automata, tests, seed, settle_ns, linger_ns, most_rows, vlan_key, follow):
        ConnectionRows.__init__(self, seed, settle_ns, linger_ns, most_rows, vlan_key, follow)
        self.automata = automata
        self.open_tests = memoryview(tests[0])
        self.close_tests = memoryview(tests[1])
        self.logging = False  # whether events are also told as they happen
        self.log = memoryview(np.zeros(LOG_WORDS, np.int64))
        self.log_count = 0
        self._load_automata()
        self.taken_packet = self.taken_ns = 0

    def _load_automata(self):
        self.open_automaton = memoryview(self.automata[0].table)
        self.open_complete = memoryview(self.automata[0].complete)
        self.close_automaton = memoryview(self.automata[1].table)
        self.close_complete = memoryview(self.automata[1].complete)

    @cython.cfunc
    def _emit(
        self, base: cython.longlong, scope: cython.int, step: cython.int, side: cython.int, number: cython.longlong,
        now: cython.longlong, payload: cython.longlong, window: cython.longlong, again: cython.bint,
    ) -> cython.int:  # fmt: skip
        """An event of scope tcp-open or tcp-close: note it, and advance the scope's automaton."""
        symbol: cython.longlong
        taken: cython.int
        tests: cython.longlong[::1] = self.open_tests if scope == SCOPE_OPEN else self.close_tests
        truths: cython.longlong = 1 if again else 0
        value: cython.longlong
        t: cython.Py_ssize_t
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
        taken = self._advance(base, scope, symbol, again)
        if taken != _DROPPED:
            if self.logging:
                self._log(base, symbol << 2 | scope << 1 | again, number, now)
            self._note(base, symbol << 2 | scope << 1 | again, number, now, taken == _DIVERGED)

    @cython.cfunc
    def _log(
        self, base: cython.longlong, code: cython.longlong, number: cython.longlong, now: cython.longlong
    ) -> cython.int:
        at: cython.longlong = self.log_count * LOG_WORDS
        if at == self.log.shape[0]:
            self.log = memoryview(doubled(self.log))
        self.log[at + LOG_CONNECTION] = self.rows[base + ID]
        self.log[at + LOG_CODE] = code
        self.log[at + LOG_PACKET] = number
        self.log[at + LOG_NS] = now
        self.log[at + LOG_ROW] = base // ROW_WORDS
        self.log_count += 1

    def take_log(self):
        """The events since the last call, with `logging`, as they looked when they happened: int64 of shape
        (n, LOG_WORDS)."""
        taken = np.asarray(self.log)[: self.log_count * LOG_WORDS].reshape(-1, LOG_WORDS).copy()
        self.log_count = 0
        return taken

    @cython.cfunc
    def _advance(
        self, base: cython.longlong, scope: cython.int, symbol: cython.longlong, again: cython.bint
    ) -> cython.int:
        """The scope's automaton sees one more event. _DROPPED: it came after the flow, and is not noted."""
        run: cython.longlong = self.rows[base + OPEN_RUN + scope]
        state: cython.longlong = run & RUN_STATE_MASK
        reached: cython.longlong
        if run >> RUN_OVER_SHIFT:
            return _KEPT if again else _DROPPED
        if run >> RUN_DIVERGED_SHIFT != 0:
            return _KEPT
        reached = self.open_automaton[state, symbol] if scope == SCOPE_OPEN else self.close_automaton[state, symbol]
        if reached == -1:
            reached = self.automata[scope].grow(state, symbol)
            self._load_automata()
        if reached == 0:
            if (run >> RUN_BEST_SHIFT) & RUN_STATE_MASK != 0:
                self.rows[base + OPEN_RUN + scope] = run | cython.cast(cython.longlong, 1) << RUN_OVER_SHIFT
                return _DROPPED
            self.rows[base + OPEN_RUN + scope] = run | (self.rows[base + EVENT_COUNT] + 1) << RUN_DIVERGED_SHIFT
            return _DIVERGED
        run = run & ~cython.cast(cython.longlong, RUN_STATE_MASK) | reached
        if self.open_complete[reached] if scope == SCOPE_OPEN else self.close_complete[reached]:
            run = run & ~(cython.cast(cython.longlong, RUN_STATE_MASK) << RUN_BEST_SHIFT) | reached << RUN_BEST_SHIFT
        self.rows[base + OPEN_RUN + scope] = run
        return _KEPT

    @cython.cfunc
    def _turn(self, base: cython.longlong) -> cython.int:
        """Client and server change places, also in the events noted so far."""
        event: cython.longlong = self.rows[base + EVENT_HEAD]
        side: cython.longlong
        self.rows[base + FLAGS] ^= SWAPPED
        while event != -1:
            side = cython.cast(cython.longlong, 1) << self._side_bit(self.events[event * EVENT_WORDS + EVENT_CODE])
            self.events[event * EVENT_WORDS + EVENT_CODE] ^= side
            event = self.events[event * EVENT_WORDS + EVENT_NEXT]
        self._replay(base)

    @cython.cfunc
    def _was_reset(self, base: cython.longlong) -> cython.bint:
        """Then there is nothing left to close. If it turns out otherwise, steps not noted yet are to be noted later."""
        return (self.rows[base + SIDES + STATE] | self.rows[base + SIDES + SIDE_WORDS + STATE]) & RESETTER != 0

    @cython.cfunc
    def _reset_failed(self, row: cython.longlong, side: cython.int) -> cython.int:
        """`side` has acknowledged what its peer sent after the peer's RST: it never saw the RST, or refused it for a
        reason that the capture does not show. One that is accepted closes at once (RFC 9293 §3.10.7.3, §3.10.7.4)."""
        base: cython.longlong = row * ROW_WORDS
        me: cython.longlong = base + SIDES + side * SIDE_WORDS
        peer: cython.longlong = base + SIDES + (1 - side) * SIDE_WORDS
        self.rows[peer + STATE] &= ~RESETTER
        self.rows[base + FLAGS] &= ~ENDED
        self.rows[base + RESETS_IGNORED] += 1
        self._take_back(base, STEP_RST)
        self._unlink(row)
        self._append(row, False)
        if self.rows[base + RESET_AT] == 0:
            self.rows[me + STATE] |= SYN_ACKED
            self._emit(base, SCOPE_OPEN, STEP_SYN_ACK, 1 - side, self.rows[peer + AHEAD_PACKET],
                       self.rows[peer + AHEAD_NS], self.rows[peer + SENT] - 1, self.rows[peer + WINDOW],
                       False)  # fmt: skip

    @cython.cfunc
    def _take_back(self, base: cython.longlong, step: cython.int) -> cython.int:
        """This step, the last of its kind, did not happen after all, or not then (`taken_packet`, `taken_ns`)."""
        event: cython.longlong = self.rows[base + EVENT_HEAD]
        before: cython.longlong = -1
        found: cython.longlong = -1
        found_before: cython.longlong = -1
        code: cython.longlong
        while event != -1:
            code = self.events[event * EVENT_WORDS + EVENT_CODE]
            if code >> (self._side_bit(code) + 1) == step:
                found = event
                found_before = before
            before = event
            event = self.events[event * EVENT_WORDS + EVENT_NEXT]
        if found != -1:
            self.taken_packet = self.events[found * EVENT_WORDS + EVENT_PACKET]
            self.taken_ns = self.events[found * EVENT_WORDS + EVENT_NS]
            event = self.events[found * EVENT_WORDS + EVENT_NEXT]
            if found_before == -1:
                self.rows[base + EVENT_HEAD] = event
            else:
                self.events[found_before * EVENT_WORDS + EVENT_NEXT] = event
            if event == -1:
                self.rows[base + EVENT_TAIL] = found_before
            self.events[found * EVENT_WORDS + EVENT_NEXT] = self.free_event
            self.free_event = found
        self._replay(base)

    @cython.cfunc
    def _side_bit(self, code: cython.longlong) -> cython.int:
        """Where `_emit` has put the side into an event's code: above the truths of its scope's tests."""
        return 3 + (self.close_tests.shape[0] if code & 2 else self.open_tests.shape[0]) // 3

    @cython.cfunc
    def _replay(self, base: cython.longlong) -> cython.int:
        """The automata see the connection's events anew, since they have changed.

        What came after a flow was not noted, and stays so. After `_turn` that makes a difference only to pages of a
        user's own that hold for one side.
        """
        event: cython.longlong = self.rows[base + EVENT_HEAD]
        code: cython.longlong
        run: cython.longlong
        _: cython.longlong
        self.rows[base + OPEN_RUN] = 1
        self.rows[base + CLOSE_RUN] = 1
        self.rows[base + EVENT_COUNT] = 0
        while event != -1:
            code = self.events[event * EVENT_WORDS + EVENT_CODE]
            for _ in range(self.events[event * EVENT_WORDS + EVENT_TIMES]):
                run = self.rows[base + OPEN_RUN + (code >> 1 & 1)]
                self._advance(base, code >> 1 & 1, code >> 2, code & 1)
                if self.rows[base + OPEN_RUN + (code >> 1 & 1)] == run:
                    break  # nor do further ones change anything, a million of them
            self.rows[base + EVENT_COUNT] += 1
            event = self.events[event * EVENT_WORDS + EVENT_NEXT]

    @cython.cfunc
    def _note(
        self, base: cython.longlong, code: cython.longlong, number: cython.longlong, now: cython.longlong,
        diverged: cython.bint,
    ) -> cython.int:  # fmt: skip
        """Append an event to the connection's, or fold it into an equal one just before it."""
        tail: cython.longlong = self.rows[base + EVENT_TAIL]
        event: cython.longlong
        if tail != -1 and not diverged and self.events[tail * EVENT_WORDS + EVENT_CODE] == code:
            self.events[tail * EVENT_WORDS + EVENT_TIMES] += 1
            self.events[tail * EVENT_WORDS + EVENT_LAST_PACKET] = number
            return 0
        if self.rows[base + EVENT_COUNT] >= MOST_EVENTS:
            self.rows[base + FLAGS] |= EVENTS_FULL
            return 0
        event = self._new_event()
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
        return 0

    @cython.cfunc
    def _add_gap(
        self, base: cython.longlong, me: cython.longlong, start: cython.longlong, end: cython.longlong,
        now: cython.longlong,
    ) -> cython.int:  # fmt: skip
        gap: cython.longlong
        self.rows[base + LOST_SEGMENTS] += 1
        self.rows[me + MISSING] += end - start
        if self._gaps_full(me):
            # Widen the newest hole rather than keep ever more of them.
            self.gaps[self.rows[me + GAPS] * GAP_WORDS + GAP_END] = end
            return 0
        gap = self._new_gap()
        self.gaps[gap * GAP_WORDS + GAP_START] = start
        self.gaps[gap * GAP_WORDS + GAP_END] = end
        self.gaps[gap * GAP_WORDS + GAP_NEXT] = self.rows[me + GAPS]
        self.gaps[gap * GAP_WORDS + GAP_NS] = now
        self.rows[me + GAPS] = gap
        return 0

    @cython.cfunc
    def _count_before(self, base: cython.longlong, me: cython.longlong) -> cython.int:
        """What the row says before the packet at hand: `_noticed` compares."""
        self.retransmissions = self.rows[base + RETRANSMISSIONS]
        self.out_of_order = self.rows[base + OUT_OF_ORDER]
        self.duplicate_acks = self.rows[base + DUPLICATE_ACKS]
        self.keep_alives = self.rows[base + KEEP_ALIVES]
        self.duplicates = self.rows[base + DUPLICATES]
        self.missed = self.rows[me + MISSING]

    @cython.cfunc
    def _noticed(self, base: cython.longlong, me: cython.longlong) -> cython.int:
        """What was counted since: NOTE_ of a segment."""
        if self.rows[base + DUPLICATES] > self.duplicates:
            return NOTE_COPY
        if self.rows[base + RETRANSMISSIONS] > self.retransmissions:
            return NOTE_RETRANSMISSION
        if self.rows[base + OUT_OF_ORDER] > self.out_of_order:
            return NOTE_OUT_OF_ORDER
        if self.rows[base + DUPLICATE_ACKS] > self.duplicate_acks:
            return NOTE_DUPLICATE_ACK
        if self.rows[base + KEEP_ALIVES] > self.keep_alives:
            return NOTE_KEEP_ALIVE
        if self.rows[me + MISSING] > self.missed:
            return NOTE_AFTER_GAP
        return NOTE_NONE

    @cython.cfunc
    def _gaps_full(self, me: cython.longlong) -> cython.bint:
        """Whether a side has as many holes as are kept."""
        count: cython.int = 0
        gap: cython.longlong = self.rows[me + GAPS]
        while gap != -1:
            count += 1
            gap = self.gaps[gap * GAP_WORDS + GAP_NEXT]
        return count >= MOST_GAPS

    @cython.cfunc
    def _seen_before(
        self, base: cython.longlong, me: cython.longlong, start: cython.longlong, end: cython.longlong,
        now: cython.longlong, overtaken: cython.bint,
    ) -> cython.bint:  # fmt: skip
        """A segment of bytes below the highest captured: late, if it fills a hole soon enough, or if it is known to be
        `overtaken`; else sent again.

        Whether it fills a hole.
        """
        before: cython.longlong = -1
        gap: cython.longlong = self.rows[me + GAPS]
        after: cython.longlong
        rest: cython.longlong
        late: cython.bint = False
        filled: cython.bint = False
        while gap != -1 and start < end:
            after = self.gaps[gap * GAP_WORDS + GAP_NEXT]
            if start < self.gaps[gap * GAP_WORDS + GAP_END] and end > self.gaps[gap * GAP_WORDS + GAP_START]:
                filled = True
                # Of a hole that spans more than is missing, what is filled may have been there before.
                self.rows[me + MISSING] -= min(
                    self.rows[me + MISSING],
                    min(end, self.gaps[gap * GAP_WORDS + GAP_END]) - max(start, self.gaps[gap * GAP_WORDS + GAP_START]),
                )
                # What overtakes on the path arrives within a round trip; what was lost is sent again after one.
                if overtaken or now - self.gaps[gap * GAP_WORDS + GAP_NS] <= self._round_trip(base):
                    late = True
                if start > self.gaps[gap * GAP_WORDS + GAP_START] and end < self.gaps[gap * GAP_WORDS + GAP_END]:
                    if self._gaps_full(me):
                        break  # the hole stays one; how much of it is missing is counted
                    rest = self._new_gap()
                    self.gaps[rest * GAP_WORDS + GAP_START] = end
                    self.gaps[rest * GAP_WORDS + GAP_END] = self.gaps[gap * GAP_WORDS + GAP_END]
                    self.gaps[rest * GAP_WORDS + GAP_NEXT] = after
                    self.gaps[rest * GAP_WORDS + GAP_NS] = self.gaps[gap * GAP_WORDS + GAP_NS]
                    self.gaps[gap * GAP_WORDS + GAP_END] = start
                    self.gaps[gap * GAP_WORDS + GAP_NEXT] = rest
                    gap = rest
                elif start > self.gaps[gap * GAP_WORDS + GAP_START]:
                    self.gaps[gap * GAP_WORDS + GAP_END] = start
                elif end < self.gaps[gap * GAP_WORDS + GAP_END]:
                    self.gaps[gap * GAP_WORDS + GAP_START] = end
                else:
                    if before == -1:
                        self.rows[me + GAPS] = after
                    else:
                        self.gaps[before * GAP_WORDS + GAP_NEXT] = after
                    self.gaps[gap * GAP_WORDS + GAP_NEXT] = self.free_gap
                    self.free_gap = gap
                    gap = before
            before = gap
            gap = after
        if late:
            self.rows[base + OUT_OF_ORDER] += 1
        else:
            self.rows[base + RETRANSMISSIONS] += 1
        return filled

    @cython.cfunc
    def _round_trip(self, base: cython.longlong) -> cython.longlong:
        """The handshake's duration in nanoseconds, at least 3 ms, the guess where it was not captured."""
        if self.rows[base + FLAGS] & OPENED:
            return max(3_000_000, self.rows[base + OPENED_NS] - self.rows[base + START_NS])
        return 3_000_000
