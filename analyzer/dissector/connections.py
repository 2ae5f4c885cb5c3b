# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The connection tracker: packets to connections, and to the events of their opening and closing.

What is an event is written down in `docs/flows.md`; the RFC stands at the branch that follows it. Ordinary Python in
Cython's pure-Python mode: uncompiled it gives the same answers, slower. `rows.py` is the storage below, `history.py`
keeps events and holes, `copies.py` recognises what was captured twice, `numbers.py` has the sequence numbers.
"""

from __future__ import annotations

import cython

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.layout import *

if cython.compiled:
    from cython.cimports.analyzer.dissector.numbers import ConnectionNumbers
else:
    from analyzer.dissector.numbers import ConnectionNumbers

from analyzer.dissector import orientation

COMPILED = cython.compiled

# Numbers this large are Python objects to Cython unless they have a type.
_MASK_32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_NEVER = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
_MIX = cython.declare(cython.longlong, 40503)  # 2**16 divided by the golden ratio: multiplicative hashing

# So far back is no disorder of packets any more, if so many segments in a row are: the clock was set back.
_STEP_NS = cython.declare(cython.longlong, 10_000_000_000)
_STEP_SEGMENTS = cython.declare(cython.longlong, 64)


@cython.cclass
class ConnectionTable(ConnectionNumbers):
    """Follows the connections of a capture, packet by packet. Arguments: see the two classes below it."""

    next_id: cython.longlong

    def __init__(self, automata, tests, seed, settle_ns, linger_ns, most_rows, vlan_key, follow):
        ConnectionNumbers.__init__(self, automata, tests, seed, settle_ns, linger_ns, most_rows, vlan_key, follow)
        self.next_id = 0

    def seen(self) -> int:
        """How many connections there were so far."""
        return self.next_id

    def track(self, table, data, checked=False) -> None:
        """Take in the packets of one chunk, whose bytes are `data`; fills the table's columns from `connection` on.

        `checked`: the column `checksum` is filled.
        """
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = table.count
        kind: cython.schar[::1] = memoryview(table.kind)
        checksum: cython.schar[::1] = memoryview(table.checksum)
        count_checksums: cython.bint = checked
        self.load(table)
        self.data = data
        for i in range(count):
            if kind[i] == KIND_TCP:
                self._packet(i)
                if count_checksums and checksum[i] != CHECKSUM_RIGHT and self.row_of[i] != -1:
                    self._count_checksum(self.row_of[i], checksum[i])
            else:
                self.connection[i] = -1
                self.side[i] = -1
                self.sender[i] = -1
                self.handed[i] = HANDED_NOT
                if kind[i] == KIND_ICMP_ERROR:
                    self._icmp_error(i)
                elif kind[i] == KIND_BAD_CHECKSUM:
                    self._find(i)
                    if self.found != -1:
                        self._count_checksum(self.found, CHECKSUM_BAD)
        self._remember_frames(count)

    @cython.cfunc
    def _count_checksum(self, row: cython.longlong, checksum: cython.int) -> cython.int:
        if checksum == CHECKSUM_BAD:
            self.rows[row * ROW_WORDS + BAD_CHECKSUMS] += 1
        else:
            self.rows[row * ROW_WORDS + UNFILLED_CHECKSUMS] += 1

    @cython.cfunc
    def _packet(self, i: cython.Py_ssize_t) -> cython.int:
        row: cython.longlong
        base: cython.longlong
        me: cython.longlong
        side: cython.int
        known: cython.longlong
        stream: cython.longlong = -1
        told: cython.bint = False
        now: cython.longlong = self.time_ns[i]
        flags: cython.int = self.flags[i]
        self.handed[i] = HANDED_NOT
        self.note[i] = NOTE_NONE
        self.ack_offset[i] = -1
        self.row_of[i] = -1
        moment: cython.longlong = now + self.clock_shift
        if moment > self.clock:
            self.clock = moment
            self.behind = 0
            if moment > self.report_deadline or moment > self.deadline:
                self.advance(moment)
        elif self.clock - moment > _STEP_NS:
            self._fall_behind(moment)
        self._find(i)
        row = self.found
        if row != -1:
            base = row * ROW_WORDS
            known = self.rows[base + FLAGS]
            side = self.from_a != (known & FIRST_IS_A != 0)
            me = base + SIDES + side * SIDE_WORDS
            if known & QUOTED:
                stream = self.rows[base + STREAM]
                self._finish(row)
                row = -1
            elif flags & (FLAG_SYN | FLAG_ACK) == FLAG_SYN and (
                self.rows[me + STATE] & HAS_ISN and self.rows[me + ISN] != self.sequence[i]
            ):
                self.rows[base + FLAGS] |= REUSED
                self._finish(row)
                row = -1
            elif known & REPORTED:
                if flags & (FLAG_SYN | FLAG_ACK) != FLAG_SYN or known & OPENED:
                    self.late += 1
                    self.connection[i] = self.rows[base + ID]
                    self.side[i] = side ^ (known & SWAPPED != 0)
                    self.sender[i] = side
                    return 0
                # A refused opening that is tried again with the same numbers after all.
                stream = self.rows[base + STREAM]
                self._finish(row)
                row = -1
        if row == -1:
            row = self._create(i, stream)
            base = row * ROW_WORDS
            self.rows[base + ID] = self.next_id
            self.next_id += 1
            if self.shares > 1:
                self._assign(base)
            side = 0
        self.rows[base + LAST_PACKET] = self.number[i]
        self.rows[base + LAST_NS] = now
        self.rows[base + LAST_MOMENT] = moment
        self.rows[base + FLAGS] |= RECENT
        me = base + SIDES + side * SIDE_WORDS
        self.rows[me + PACKETS] += 1
        payload: cython.longlong = self.payload[i]
        self.rows[me + BYTES] += payload
        if self.payload_captured[i] < payload:
            self.rows[base + CUT_SEGMENTS] += 1
        self.connection[i] = self.rows[base + ID]
        self.row_of[i] = row
        if self.noting:
            self._count_before(base, me)
        if flags & FLAG_SYN:
            self._syn(i, row, side)
        else:
            if self.payload_captured[i] > 0 and not self.rows[base + FLAGS] & (BY_SYN | BY_CONTENT):
                told = self._listen(i, base, side)
            self._segment(i, row, side)
            if told and self.handed[i] == HANDED_BYTES:
                self.handed[i] = HANDED_KNOWN
        if self.noting:
            self.note[i] = self._noticed(base, me)
        self.side[i] = side ^ ((self.rows[base + FLAGS] & SWAPPED) != 0)
        self.sender[i] = side
        self._chain_up(i)
        if self.handed[i] != HANDED_NOT:
            self.began[i] = (
                (self.rows[me + STATE] | self.rows[base + SIDES + (1 - side) * SIDE_WORDS + STATE])
                & (SYN_SEEN | SYN_ACK_SEEN)
            ) != 0  # fmt: skip
            self.missing[i] = self.rows[me + MISSING]
            self.data_packet[i] = self.rows[me + DATA_PACKET]
            self.data_ns[i] = self.rows[me + DATA_NS]
            self.peer_missing[i] = self.rows[base + SIDES + (1 - side) * SIDE_WORDS + MISSING]
            self.reached[i] = self.rows[base + SIDES + (1 - side) * SIDE_WORDS + ACKED]
        return 0

    @cython.cfunc
    def _assign(self, base: cython.longlong) -> cython.int:
        """A new connection is this process's or another's. Mixed, since captures may repeat themselves: every other
        connection might be the costly one."""
        mixed: cython.longlong = self.rows[base + ID] * _MIX >> 12
        if mixed % self.shares != self.share:
            self.rows[base + FLAGS] |= ELSEWHERE
            self.rows[base + SIDES + WANTED] = _NEVER
            self.rows[base + SIDES + SIDE_WORDS + WANTED] = _NEVER

    @cython.cfunc
    def _fall_behind(self, now: cython.longlong) -> cython.int:
        """A segment much older than others before it. After a clock was set back, time goes on from there."""
        self.behind += 1
        if self.behind >= _STEP_SEGMENTS:
            self.behind = 0
            self.set_back(self.clock - now)

    @cython.cfunc
    def _listen(self, i: cython.Py_ssize_t, base: cython.longlong, side: cython.int) -> cython.bint:
        """The SYN was not captured: what a side says may tell who is the client. Whether it does.

        Then bytes are wanted even if nobody knew what to do with those before.
        """
        at: cython.longlong = self.payload_offset[i]
        end: cython.longlong = at + min(self.payload_captured[i], orientation.MOST_BYTES)
        first: cython.int = self.data[at]
        says: cython.int
        if first != 22 and not (first >= 65 and first <= 90):  # neither a TLS handshake nor a capital letter
            return False
        says = orientation.speaker(bytes(self.data[at:end]))
        if says < 0:
            return False
        self.rows[base + FLAGS] = self.rows[base + FLAGS] & ~BY_PORT | BY_CONTENT
        if (side ^ (self.rows[base + FLAGS] & SWAPPED != 0)) != says:
            self._turn(base)
        if self.follow and not self.rows[base + FLAGS] & ELSEWHERE:
            self.rows[base + SIDES + WANTED] = 0
            self.rows[base + SIDES + SIDE_WORDS + WANTED] = 0
        return True

    @cython.cfunc
    def _icmp_error(self, i: cython.Py_ssize_t) -> cython.int:
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
            return 0
        base = self.found * ROW_WORDS
        if self.rows[base + ICMP_ERRORS] == 0:
            self.rows[base + ICMP_PACKET] = self.number[i]
            self.rows[base + ICMP_SAID] = self.acknowledgement[i] << 16 | self.window[i]
        self.rows[base + ICMP_ERRORS] += 1
        if not self.rows[base + FLAGS] & QUOTED:  # else there is no connection but in what errors quote
            self.connection[i] = self.rows[base + ID]
        if not self.flags[i]:
            return 0
        side = self.from_a != ((self.rows[base + FLAGS] & FIRST_IS_A) != 0)
        me = base + SIDES + side * SIDE_WORDS
        # Only for a SYN or SYN-ACK whose number is quoted rightly (RFC 5927 §4.1); for an open connection it is a soft
        # error (RFC 1122 §4.2.3.9).
        if (
            self.rows[me + STATE] & (SYN_SEEN | SYN_ACK_SEEN) and not self.rows[me + STATE] & SYN_ACKED
            and self.rows[me + ISN] == self.sequence[i] and not self.rows[base + FLAGS] & (OPENED | ENDED)
        ):  # fmt: skip
            self._emit(base, SCOPE_OPEN, STEP_ICMP, 1 - side, self.number[i], self.time_ns[i], 0, 0, False)
        return 0

    @cython.cfunc
    def _syn(self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int) -> cython.int:
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
        if (
            state & HAS_ISN and state & (SYN_ACK_SEEN if flags & FLAG_ACK else SYN_SEEN)
            and self.rows[me + ISN] == sequence and self._is_copy(i, side)
        ):  # fmt: skip
            self.rows[base + DUPLICATES] += 1
            return 0
        if flags & FLAG_RST:  # contradicts itself; no stack sends it
            self.rows[base + RESETS] += 1
            self.rows[base + RESETS_IGNORED] += 1
            return 0
        if self.rows[base + FLAGS] & ENDED:
            if (
                flags & FLAG_ACK
                and state & (RESETTER | SYN_ACK_SEEN) == RESETTER
                and (
                    self.rows[peer + STATE] & SYN_SEEN
                    and self.rows[peer + ISN] == (self.acknowledgement[i] - 1) & _MASK_32
                )
            ):
                # Refused, and then accepted: one of the two is not the server's. The client's answer will tell which.
                self._set_isn(me, sequence)
                self.rows[me + SENT] = 1 + payload
                self.rows[me + STATE] |= SYN_ACK_SEEN
                self.rows[me + WINDOW] = window
                self.rows[me + AHEAD_PACKET] = number
                self.rows[me + AHEAD_NS] = now
                self.rows[base + RESET_AT] = 0
                self._syn_options(i, me)
                return 0
            if flags & FLAG_ACK or self.rows[base + FLAGS] & OPENED or not state & SYN_SEEN:
                self.rows[base + RETRANSMISSIONS] += 1
                return 0
            self._retry(row, number)
            state = self.rows[me + STATE]
        if flags & FLAG_ACK:
            if self.rows[peer + STATE] & SYN_SEEN:
                # RFC 9293 §3.10.7.3: what a SYN-ACK acknowledges must be what was sent.
                offset = self._unwrap(self.acknowledgement[i], self.rows[peer + ISN], 0)
                if offset < 1 or offset > self.rows[peer + SENT]:
                    self._bad_syn_ack(base, number)
                    return 0
            elif not self.rows[peer + STATE] & HAS_ISN:
                self._set_isn(peer, (self.acknowledgement[i] - 1) & _MASK_32)
            if state & HAS_ISN and self.rows[me + ISN] != sequence:
                if state & SYN_ACKED:  # a second answer to the same SYN, with the first already acknowledged
                    self._bad_syn_ack(base, number)
                    return 0
                if not state & (SYN_SEEN | SYN_ACK_SEEN):
                    self.rows[peer + AHEAD] = -1
                self._set_isn(me, sequence)
        ahead = self.rows[peer + AHEAD]
        if not state & HAS_ISN:
            self._set_isn(me, sequence)
        if self.rows[base + EVENT_COUNT] == 0 and not self.rows[base + FLAGS] & BY_SYN:
            # Packets of this connection were captured before its SYN: now we know who the client is.
            self.rows[base + FLAGS] &= ~(BY_PORT | BY_CONTENT | SWAPPED)
            self.rows[base + FLAGS] |= BY_SYN
            if (side == 1) == ((flags & FLAG_ACK) == 0):
                self.rows[base + FLAGS] |= SWAPPED
        self._syn_options(i, me)
        self.rows[me + WINDOW] = window
        if payload > 0 and 1 + payload > self.rows[me + WANTED]:
            self.handed[i] = HANDED_BYTES
            self.rows[base + FLAGS] |= FOLLOWED
        if self.rows[me + SENT] < 1 + payload:
            self.rows[me + SENT] = 1 + payload
        if not flags & FLAG_ACK:
            again = state & SYN_SEEN != 0
            self.rows[me + STATE] |= SYN_SEEN
            if again:
                self.rows[base + RETRANSMISSIONS] += 1
            self._emit(base, SCOPE_OPEN, STEP_SYN, side, number, now, payload, window, again)
            if again or not self.rows[peer + STATE] & SYN_ACK_SEEN:
                return 0
            # The answer was captured before the question: it counts from now on.
            self.rows[me + STATE] |= SYN_ACKED
            self._emit(base, SCOPE_OPEN, STEP_SYN_ACK, 1 - side, self.rows[peer + AHEAD_PACKET],
                       self.rows[peer + AHEAD_NS], 0, self.rows[peer + WINDOW], False)  # fmt: skip
            if self.rows[me + AHEAD] >= 1:
                self._syn_acknowledged(base, peer, side, self.rows[me + FIRST_AHEAD_PACKET],
                                       self.rows[me + FIRST_AHEAD_NS])  # fmt: skip
            return 0
        again = state & SYN_ACK_SEEN != 0
        self.rows[me + STATE] |= SYN_ACK_SEEN
        if again:
            self.rows[base + RETRANSMISSIONS] += 1
        offset = self._unwrap(self.acknowledgement[i], self.rows[peer + ISN], 0)
        if self.rows[me + ACKED] < offset:
            self.rows[me + ACKED] = offset
        if not self.rows[peer + STATE] & SYN_SEEN:
            if not again:
                if self.rows[me + AHEAD] == -1:
                    self.rows[me + FIRST_AHEAD_PACKET] = number
                    self.rows[me + FIRST_AHEAD_NS] = now
                self.rows[me + AHEAD] = offset
                self.rows[me + AHEAD_PACKET] = number
                self.rows[me + AHEAD_NS] = now
            return 0
        self._emit(base, SCOPE_OPEN, STEP_SYN_ACK, side, number, now, payload, window, again)
        if not self.rows[peer + STATE] & SYN_ACKED:
            self.rows[peer + STATE] |= SYN_ACKED
            if self.rows[me + STATE] & SYN_ACKED:  # simultaneous open: each SYN was acknowledged by a SYN-ACK
                self._opened(base, now)
        if ahead >= 1 and not self.rows[me + STATE] & SYN_ACKED:
            self._syn_acknowledged(base, me, 1 - side, self.rows[peer + FIRST_AHEAD_PACKET],
                                   self.rows[peer + FIRST_AHEAD_NS])  # fmt: skip
        return 0

    @cython.cfunc
    def _syn_acknowledged(
        self, base: cython.longlong, owner: cython.longlong, side: cython.int, number: cython.longlong,
        now: cython.longlong,
    ) -> cython.int:  # fmt: skip
        """`side` acknowledges the SYN or SYN-ACK of `owner`, its peer: the event ACK of the opening."""
        self.rows[owner + STATE] |= SYN_ACKED
        self._emit(base, SCOPE_OPEN, STEP_ACK, side, number, now, 0, 0, False)
        if self.rows[base + SIDES + side * SIDE_WORDS + STATE] & SYN_ACKED:
            self._opened(base, now)

    @cython.cfunc
    def _opened(self, base: cython.longlong, now: cython.longlong) -> cython.int:
        self.rows[base + FLAGS] |= OPENED
        self.rows[base + OPENED_NS] = now

    @cython.cfunc
    def _segment(self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int) -> cython.int:
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
        filled: cython.bint = False
        overtaken: cython.bint
        if not self.rows[me + STATE] & HAS_ISN:
            self._set_isn(me, (self.sequence[i] - 1) & _MASK_32)
        if flags & FLAG_ACK and not self.rows[peer + STATE] & HAS_ISN:
            self._set_isn(peer, (self.acknowledgement[i] - 1) & _MASK_32)
        offset = self._unwrap(self.sequence[i], self.rows[me + ISN], self._reference(me, peer))
        self.stream_offset[i] = offset
        if flags & FLAG_RST:
            # A host that gets several segments may answer each with the same RST, so it takes more to call one a copy.
            if (
                self.rows[base + RESETS] > 0 and (self.rows[base + DUPLICATES] > 0 or self._mark(i) >> 17 != 0)
                and self._is_copy(i, side)
            ):  # fmt: skip
                self.rows[base + DUPLICATES] += 1
            else:
                self._reset(i, row, side, offset)
            return 0
        if flags & FLAG_ACK:
            acked = self._unwrap(self.acknowledgement[i], self.rows[peer + ISN], self._reference(peer, me))
            if (
                acked <= self.rows[me + ACKED] and offset + payload + (flags & FLAG_FIN) <= self.rows[me + SENT]
                and self._is_copy(i, side)
            ):  # fmt: skip
                self.rows[base + DUPLICATES] += 1
                return 0
        self.rows[peer + STATE] &= ~UNSURE  # whoever goes on has not accepted its peer's RST

        if flags & FLAG_ACK:
            opening = self.rows[peer + STATE] & SYN_SEEN and not self.rows[me + STATE] & (SYN_SEEN | SYN_ACK_SEEN)
            if opening and (acked < 1 or acked > self.rows[peer + SENT]):
                # A challenge: the peer still holds an older connection (RFC 9293 §3.5.1); its numbers are not ours.
                return 0
            if opening:
                self.rows[me + STATE] |= MOVED_ON
            if acked > self.rows[peer + SENT] and acked > self.rows[me + AHEAD]:
                if self.rows[me + AHEAD] == -1:
                    self.rows[me + FIRST_AHEAD_PACKET] = number
                    self.rows[me + FIRST_AHEAD_NS] = now
                self.rows[me + AHEAD] = acked
                self.rows[me + AHEAD_PACKET] = number
                self.rows[me + AHEAD_NS] = now
            if (
                self.rows[base + FLAGS] & ENDED and self.rows[peer + STATE] & RESETTER
                and acked > self.rows[base + RESET_AT] and acked <= self.rows[peer + SENT]
            ):  # fmt: skip
                self._reset_failed(row, side)
            self.ack_offset[i] = acked
            if self.rows[base + FLAGS] & FOLLOWED and self.rows[peer + GAPS] != -1:
                self.handed[i] = HANDED_ACK
            if self.rows[me + STATE] & SYN_SEEN and not self.rows[peer + STATE] & (SYN_SEEN | SYN_ACK_SEEN):
                self.rows[me + STATE] |= MOVED_ON
            if (
                not self.rows[peer + STATE] & SYN_ACKED and acked >= 1
                and self.rows[peer + STATE] & (SYN_SEEN | SYN_ACK_SEEN)
                and self.rows[me + STATE] & (SYN_SEEN | SYN_ACK_SEEN)
            ):  # fmt: skip
                self._syn_acknowledged(base, peer, side, number, now)
            if self.rows[peer + FIN_AT] >= 0 and acked > self.rows[peer + FIN_AT] and not self._was_reset(base):
                covers_fin = True
                if not self.rows[peer + STATE] & FIN_ACKED:
                    self.rows[peer + STATE] |= FIN_ACKED
                    ack_emitted = True
                    if not flags & FLAG_FIN or self.rows[me + FIN_AT] >= 0:
                        self._emit(base, SCOPE_CLOSE, STEP_ACK, side, number, now, payload, window, False)
                        if offset > self.rows[me + SENT] and self.rows[me + FIN_AT] == -1:
                            self.rows[me + STATE] |= OVERTOOK

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
                if payload > 0:
                    self.rows[me + DATA_PACKET] = number
                    self.rows[me + DATA_NS] = now
            elif payload <= 1 and offset == sent - 1 and not flags & FLAG_FIN:
                self.rows[base + KEEP_ALIVES] += 1  # RFC 9293 §3.8.4: one byte before the next, some carry it
            else:
                # What is sent again acknowledges what its sender has by then; numbers do not go back (RFC 9293 §3.4).
                overtaken = acked != -1 and acked < self.rows[me + ACKED]
                filled = self._seen_before(base, me, offset, end + (flags & FLAG_FIN), now, overtaken)
        elif offset == sent - 1 and self.rows[base + FLAGS] & OPENED and self.rows[me + FIN_AT] == -1:
            self.rows[base + KEEP_ALIVES] += 1
        elif (
            acked == self.rows[me + ACKED] and acked < self.rows[peer + SENT] and window == self.rows[me + WINDOW]
        ):  # RFC 5681 §2
            self.rows[base + DUPLICATE_ACKS] += 1
        if flags & FLAG_ACK and acked > self.rows[me + ACKED]:
            self.rows[me + ACKED] = acked
            if self.rows[me + FIN_AT] >= 0:
                self.rows[me + STATE] |= ANSWERED
        self.rows[me + WINDOW] = window
        if window == 0:
            self.rows[base + ZERO_WINDOWS] += 1

        if self.rows[base + FLAGS] & ENDED and not self._was_reset(base):
            self.handed[i] = (
                HANDED_NOT  # nothing comes after two FINs; what comes after a RST was on its way, or goes on
            )
        elif payload > 0 and (
            end > self.rows[me + WANTED]
            or ((filled or self.rows[me + GAPS] != -1) and self.rows[base + FLAGS] & FOLLOWED)
        ):
            self.handed[i] = HANDED_BYTES
            self.rows[base + FLAGS] |= FOLLOWED
        elif flags & FLAG_FIN and self.rows[base + FLAGS] & FOLLOWED:
            self.handed[i] = HANDED_END
        if flags & FLAG_FIN:
            overtaken = (
                self.rows[me + STATE] & OVERTOOK != 0 and end < sent and self.rows[me + FIN_AT] == -1
                and not self._was_reset(base)
            )  # fmt: skip
            if overtaken:
                self._take_back(base, STEP_ACK)
                ack_emitted = covers_fin
            self._fin(i, row, side, end, ack_emitted)
            if overtaken and not covers_fin:
                # By its number the acknowledgement was sent after this FIN, though it was captured before.
                self._emit(base, SCOPE_CLOSE, STEP_ACK, side, self.taken_packet, self.taken_ns, 0, window, False)
        elif covers_fin and payload > 0 and end > sent and not self.rows[me + STATE] & DATA_SENT:
            self.rows[me + STATE] |= DATA_SENT
            self._emit(base, SCOPE_CLOSE, STEP_DATA, side, number, now, payload, window, False)
        self._check_closed(row)
        return 0

    @cython.cfunc
    def _fin(
        self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int, end: cython.longlong,
        acknowledges: cython.bint,
    ) -> cython.int:  # fmt: skip
        """The FIN of a segment. `acknowledges`: it is the first segment that acknowledges the peer's FIN."""
        base: cython.longlong = row * ROW_WORDS
        me: cython.longlong = base + SIDES + side * SIDE_WORDS
        peer: cython.longlong = base + SIDES + (1 - side) * SIDE_WORDS
        again: cython.bint = self.rows[me + FIN_AT] >= 0
        step: cython.int = STEP_FIN_ACK if acknowledges and not again else STEP_FIN
        if self._was_reset(base) and not again:
            return 0
        if not again:
            self.rows[me + FIN_AT] = end
        self._emit(base, SCOPE_CLOSE, step, side, self.number[i], self.time_ns[i], self.payload[i], self.window[i],
                   again)  # fmt: skip
        if not again and self.rows[peer + AHEAD] > end and not self.rows[me + STATE] & FIN_ACKED:
            # The acknowledgement was captured before the FIN.
            self.rows[me + STATE] |= FIN_ACKED
            self._emit(base, SCOPE_CLOSE, STEP_ACK, 1 - side, self.rows[peer + AHEAD_PACKET],
                       self.rows[peer + AHEAD_NS], 0, 0, False)  # fmt: skip
        return 0

    @cython.cfunc
    def _check_closed(self, row: cython.longlong) -> cython.int:
        base: cython.longlong = row * ROW_WORDS
        if (
            self.rows[base + SIDES + STATE] & FIN_ACKED and self.rows[base + SIDES + SIDE_WORDS + STATE] & FIN_ACKED
            and not self.rows[base + FLAGS] & ENDED
        ):  # fmt: skip
            self._end(row)

    @cython.cfunc
    def _reset(
        self, i: cython.Py_ssize_t, row: cython.longlong, side: cython.int, offset: cython.longlong
    ) -> cython.int:
        """A RST ends the connection only if the receiver would accept it."""
        base: cython.longlong = row * ROW_WORDS
        me: cython.longlong = base + SIDES + side * SIDE_WORDS
        peer: cython.longlong = base + SIDES + (1 - side) * SIDE_WORDS
        opening: cython.bint
        accepted: cython.bint
        reached: cython.longlong = self.rows[peer + ACKED]
        acked: cython.longlong
        self.rows[base + RESETS] += 1
        if self.rows[base + FLAGS] & ENDED:
            return 0
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
            # The receiver has acknowledged nothing yet, or its acknowledgements are not in the capture.
            accepted = not self.rows[me + STATE] & (SYN_SEEN | SYN_ACK_SEEN) or (
                offset >= 0 and offset <= self.rows[me + SENT]
            )
        else:
            # RFC 9293 §3.10.7.4 and RFC 5961 §3.2: only the number expected next ends the connection; any other in the
            # window is challenged. What is expected next lies between what the receiver has acknowledged and the
            # highest that was sent to it.
            accepted = offset >= reached and (offset == reached or offset <= self.rows[me + SENT])
        if not accepted:
            self.rows[base + RESETS_IGNORED] += 1
            if offset > self.rows[me + SENT] and not opening:
                self.rows[me + STATE] |= UNSURE
            return 0
        if self.rows[base + FLAGS] & FOLLOWED:
            self.handed[i] = HANDED_END
        self._emit(base, SCOPE_OPEN if opening else SCOPE_CLOSE, STEP_RST, side, self.number[i], self.time_ns[i],
                   self.payload[i], self.window[i], False)  # fmt: skip
        self.rows[me + STATE] |= RESETTER
        self.rows[base + RESET_AT] = _NEVER if opening else max(offset, self.rows[me + SENT])
        self._end(row)
        return 0
