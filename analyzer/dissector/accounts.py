# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Connections as Zeek accounts for them: two endpoint states, the letters of `history`, sizes from sequence numbers.

Kept only where an output asks for it: the tracker's own rows follow RFC 9293 and need less. Zeek's rules are those of
its documentation (`base/protocols/conn/main.zeek`) and of its behaviour; where they are no RFC's is said in
`docs/zeek.md`. One slot of plain integers per connection, free again when its report has been taken. Pure-Python mode.
"""

from __future__ import annotations

from typing import NamedTuple

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.analyzer.dissector.layout import *
else:
    from analyzer.dissector.layout import *

COMPILED = cython.compiled

# States of an endpoint.
INACTIVE = 0
SYN_SENT = 1
SYN_ACK_SENT = 2
PARTIAL = 3
ESTABLISHED = 4
CLOSED = 5
RESET = 6
_INACTIVE = cython.declare(cython.longlong, INACTIVE)
_SYN_SENT = cython.declare(cython.longlong, SYN_SENT)
_SYN_ACK_SENT = cython.declare(cython.longlong, SYN_ACK_SENT)
_PARTIAL = cython.declare(cython.longlong, PARTIAL)
_ESTABLISHED = cython.declare(cython.longlong, ESTABLISHED)
_CLOSED = cython.declare(cython.longlong, CLOSED)
_RESET = cython.declare(cython.longlong, RESET)

MOST_LETTERS = 128
_MOST_LETTERS = cython.declare(cython.longlong, MOST_LETTERS)

# Words of a slot: of the connection, then of the sender of the first packet, then of its peer.
_LAST_NS = cython.declare(cython.longlong, 0)
_LETTERS = cython.declare(cython.longlong, 1)  # how many
_ENDS = cython.declare(cython.longlong, 2)
_END_WORDS = cython.declare(cython.longlong, 19)
_STATE = cython.declare(cython.longlong, 0)
_BEFORE = cython.declare(cython.longlong, 1)  # the state before
_SEEN = cython.declare(cython.longlong, 2)  # which letters, one bit each
_LAST = cython.declare(cython.longlong, 3)  # offset after what was sent; the SYN is 0
_ACKED = cython.declare(cython.longlong, 4)  # offset that the peer has acknowledged
_FIN = cython.declare(cython.longlong, 5)  # whether it was sent
_LAST_SYN = cython.declare(cython.longlong, 6)  # sequence numbers of the latest ones
_LAST_FIN = cython.declare(cython.longlong, 7)
_LAST_RST = cython.declare(cython.longlong, 8)
_AGAIN = cython.declare(cython.longlong, 9)  # how often: retransmissions, zero windows, gaps, bad checksums
_ZERO = cython.declare(cython.longlong, 10)
_GAPS = cython.declare(cython.longlong, 11)
_BAD = cython.declare(cython.longlong, 12)
_IP_BYTES = cython.declare(cython.longlong, 13)
_DID_CLOSE = cython.declare(cython.longlong, 14)
_WHOLE = cython.declare(cython.longlong, 15)  # offset up to which nothing is missing
_BEYOND = cython.declare(cython.longlong, 16)  # offset of the first bytes captured after that; -1: none
_HELD = cython.declare(cython.longlong, 17)  # offset after the last bytes captured whole
_MISSED = cython.declare(cython.longlong, 18)  # bytes acknowledged and not captured
_WORDS = cython.declare(cython.longlong, 40)

_BIT_SYN = cython.declare(cython.longlong, 1)
_BIT_FIN = cython.declare(cython.longlong, 2)
_BIT_RST = cython.declare(cython.longlong, 4)
_BIT_DATA = cython.declare(cython.longlong, 8)
_BIT_ACK = cython.declare(cython.longlong, 16)
_BIT_ODD = cython.declare(cython.longlong, 32)
_BIT_TORN = cython.declare(cython.longlong, 64)


class End(NamedTuple):
    """One side. `size`: bytes of its stream, by sequence numbers; `ip_bytes`: of its packets, from the IP header on.
    `missed`: bytes that its peer has acknowledged and the capture does not hold, cut off ones among them."""

    state: int
    size: int
    ip_bytes: int
    missed: int


class Account(NamedTuple):
    """A connection. `history`: capitals are the client's letters. `flipped`: the first packet was the server's.
    `last_ns`: the time of the last packet that Zeek's duration covers, since 1970."""

    client: End
    server: End
    history: str
    flipped: bool
    last_ns: int


@cython.cclass
class Accounts:
    """Takes packet tables, chunk by chunk; `of` tells of a connection until the call of `release` after the next."""

    words: cython.longlong[::1]
    letters: cython.uchar[::1]
    slot_of_row: cython.longlong[::1]
    id_of_row: cython.longlong[::1]
    slots: dict  # by the connection's id
    free: list
    used: cython.longlong
    done: list
    swapped: set  # of those finished: the first packet was the server's

    def __init__(self):
        self.words = memoryview(np.zeros(64 * _WORDS, np.int64))
        self.letters = memoryview(np.zeros(64 * _MOST_LETTERS, np.uint8))
        self.slot_of_row = memoryview(np.zeros(64, np.int64))
        self.id_of_row = memoryview(np.full(64, -1, np.int64))
        self.slots = {}
        self.free = []
        self.used = 0
        self.done = []
        self.swapped = set()

    def take(self, table) -> None:
        """The segments of a chunk, after the tracker has seen them."""
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = table.count
        kind: cython.schar[::1] = memoryview(table.kind)
        row: cython.longlong[::1] = memoryview(table.row)
        connection: cython.longlong[::1] = memoryview(table.connection)
        sender: cython.schar[::1] = memoryview(table.sender)
        side: cython.schar[::1] = memoryview(table.side)
        checksum: cython.schar[::1] = memoryview(table.checksum)
        flags: cython.int[::1] = memoryview(table.flags)
        window: cython.int[::1] = memoryview(table.window)
        sequence: cython.longlong[::1] = memoryview(table.sequence)
        payload: cython.longlong[::1] = memoryview(table.payload)
        captured: cython.longlong[::1] = memoryview(table.payload_captured)
        offset: cython.longlong[::1] = memoryview(table.stream_offset)
        ack: cython.longlong[::1] = memoryview(table.ack_offset)
        time_ns: cython.longlong[::1] = memoryview(table.time_ns)
        family: cython.int[::1] = memoryview(table.family)
        ip_offset: cython.longlong[::1] = memoryview(table.ip_offset)
        tcp_offset: cython.longlong[::1] = memoryview(table.tcp_offset)
        data: cython.const[cython.uchar][::1] = table.data
        base: cython.longlong
        size: cython.longlong
        headers: cython.longlong
        for i in range(count):
            if kind[i] != KIND_TCP or row[i] < 0 or sender[i] < 0:
                continue
            base = self._slot(row[i], connection[i]) * _WORDS
            headers = cython.cast(cython.longlong, data[tcp_offset[i] + 12] >> 4) * 4
            if family[i] & 15 == 4:
                size = cython.cast(cython.longlong, data[ip_offset[i]] & 15) * 4 if ip_offset[i] >= 0 else 20
            else:
                size = tcp_offset[i] - ip_offset[i] if ip_offset[i] >= 0 else 40
                if size < 40 or size > 2048:  # put together from fragments: the extension headers were elsewhere
                    size = 40
            self.words[base + _ENDS + sender[i] * _END_WORDS + _IP_BYTES] += size + headers + payload[i]
            self._segment(
                base, sender[i], side[i] == 0, flags[i], window[i], sequence[i], payload[i], offset[i], ack[i],
                time_ns[i], checksum[i] == CHECKSUM_BAD, captured[i] < payload[i],
            )  # fmt: skip

    @cython.cfunc
    def _slot(self, row: cython.longlong, connection: cython.longlong) -> cython.longlong:
        """The connection's slot, a new one for its first segment."""
        slot: cython.longlong
        at: cython.longlong
        if row < self.id_of_row.shape[0] and self.id_of_row[row] == connection:
            return self.slot_of_row[row]
        if row >= self.id_of_row.shape[0]:
            more = max(row + 1, 2 * self.id_of_row.shape[0]) - self.id_of_row.shape[0]
            self.id_of_row = memoryview(np.concatenate([np.asarray(self.id_of_row), np.full(more, -1, np.int64)]))
            self.slot_of_row = memoryview(np.concatenate([np.asarray(self.slot_of_row), np.zeros(more, np.int64)]))
        if self.free:
            slot = self.free.pop()
        else:
            slot = self.used
            self.used += 1
            if slot * _WORDS == self.words.shape[0]:
                self.words = memoryview(np.concatenate([np.asarray(self.words)] * 2))
                self.letters = memoryview(np.concatenate([np.asarray(self.letters)] * 2))
        for at in range(slot * _WORDS, (slot + 1) * _WORDS):
            self.words[at] = 0
        self.id_of_row[row] = connection
        self.slot_of_row[row] = slot
        self.slots[connection] = slot
        return slot

    @cython.cfunc
    def _add(self, base: cython.longlong, sender: cython.int, letter: cython.int) -> cython.void:
        """A letter of the history, given as a capital."""
        count: cython.longlong = self.words[base + _LETTERS]
        if count >= _MOST_LETTERS:
            return
        if count == _MOST_LETTERS - 1:
            letter = 88  # X: limits exceeded
        self.letters[base // _WORDS * _MOST_LETTERS + count] = letter + 32 * sender
        self.words[base + _LETTERS] = count + 1

    @cython.cfunc
    def _once(
        self, base: cython.longlong, end: cython.longlong, sender: cython.int, bit: cython.longlong, letter: cython.int
    ) -> cython.bint:
        """Adds the letter if it is the first; whether it was not."""
        if self.words[end + _SEEN] & bit:
            return True
        self.words[end + _SEEN] |= bit
        self._add(base, sender, letter)
        return False

    @cython.cfunc
    def _again(
        self, base: cython.longlong, end: cython.longlong, sender: cython.int, bit: cython.longlong, letter: cython.int,
        word: cython.longlong, number: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """Adds the letter, and once more for each further one with another sequence number."""
        if self._once(base, end, sender, bit, letter) and self.words[end + word] != number:
            self._add(base, sender, letter)
        self.words[end + word] = number

    @cython.cfunc
    def _scaled(
        self, base: cython.longlong, end: cython.longlong, sender: cython.int, letter: cython.int, word: cython.longlong
    ) -> cython.void:
        """Adds the letter for the first, tenth, hundredth … of a kind."""
        count: cython.longlong = self.words[end + word] + 1
        self.words[end + word] = count
        while count % 10 == 0:
            count //= 10
        if count == 1:
            self._add(base, sender, letter)

    @cython.cfunc
    def _become(self, end: cython.longlong, state: cython.longlong) -> cython.void:
        if self.words[end + _STATE] != state:
            self.words[end + _BEFORE] = self.words[end + _STATE]
            self.words[end + _STATE] = state

    @cython.cfunc
    def _segment(
        self, base: cython.longlong, sender: cython.int, client: cython.bint, flags: cython.int, window: cython.int,
        sequence: cython.longlong, payload: cython.longlong, offset: cython.longlong, ack: cython.longlong,
        now: cython.longlong, bad: cython.bint, cut: cython.bint,
    ) -> cython.void:  # fmt: skip
        me: cython.longlong = base + _ENDS + sender * _END_WORDS
        peer: cython.longlong = base + _ENDS + (1 - sender) * _END_WORDS
        syn: cython.bint = flags & FLAG_SYN != 0
        fin: cython.bint = flags & FLAG_FIN != 0
        rst: cython.bint = flags & FLAG_RST != 0
        acks: cython.bint = flags & FLAG_ACK != 0
        state: cython.longlong
        end: cython.longlong
        new: cython.bint
        if self.words[base + _LAST_NS] == 0:
            self.words[base + _LAST_NS] = now
        if bad:  # its receiver has never seen it
            self._scaled(base, me, sender, 67, _BAD)
            return
        state = self.words[me + _STATE]
        new = state == _INACTIVE
        if syn + fin + rst > 1:
            self._once(base, me, sender, _BIT_TORN if fin and rst else _BIT_ODD, 73 if fin and rst else 81)
        elif syn:
            self._again(base, me, sender, _BIT_SYN, 72 if acks else 83, _LAST_SYN, sequence)
        elif fin:
            self._again(base, me, sender, _BIT_FIN, 70, _LAST_FIN, sequence + payload)
        elif rst:
            self._again(base, me, sender, _BIT_RST, 82, _LAST_RST, sequence)
        elif payload > 0:
            self._once(base, me, sender, _BIT_DATA, 68)
        elif acks:
            self._once(base, me, sender, _BIT_ACK, 65)
        # Nobody asks for room after a RST, or of a peer that sends no more.
        if window == 0 and not rst and state != _RESET and self.words[peer + _STATE] != _CLOSED:
            self._scaled(base, me, sender, 87, _ZERO)
        if not self.words[me + _DID_CLOSE] or not self.words[peer + _DID_CLOSE]:
            self.words[base + _LAST_NS] = max(now, self.words[base + _LAST_NS])
        if fin:
            self.words[me + _FIN] = 1

        end = offset + (0 if rst else payload) + syn + fin
        if new or (syn and state == _RESET and self.words[me + _BEFORE] == _INACTIVE):
            self.words[me + _LAST] = end
            self.words[me + _WHOLE] = self.words[me + _HELD] = offset if cut else end
            self.words[me + _BEYOND] = -1
        elif state != _RESET and offset >= 0:
            if end > self.words[me + _LAST]:
                if not rst or end - self.words[me + _LAST] < 1 << 20:
                    self.words[me + _LAST] = end
            elif payload > 0 and not rst and not (fin and self.words[me + _LAST] == 1):
                self._scaled(base, me, sender, 84, _AGAIN)
        if acks and not rst and ack > self.words[peer + _ACKED]:
            self.words[peer + _ACKED] = ack
        self._next_state(me, peer, client, syn, fin, rst, acks, payload)
        if acks and not rst and ack > 0 and self.words[peer + _STATE] != _INACTIVE:
            self._acknowledge(base, peer, 1 - sender, ack)
        if not new and end > offset and not rst:
            self._hold(me, end - fin if cut else offset, end)

    @cython.cfunc
    def _hold(self, me: cython.longlong, offset: cython.longlong, end: cython.longlong) -> cython.void:
        """Bytes were captured: do they follow what is whole? Of several holes the first is known, and the others are
        taken to be filled when it is."""
        self.words[me + _HELD] = max(end, self.words[me + _HELD])
        if offset <= self.words[me + _WHOLE]:
            self.words[me + _WHOLE] = max(end, self.words[me + _WHOLE])
            self._close_hole(me)
        elif end > offset and (self.words[me + _BEYOND] == -1 or offset < self.words[me + _BEYOND]):
            self.words[me + _BEYOND] = offset

    @cython.cfunc
    def _close_hole(self, me: cython.longlong) -> cython.void:
        if self.words[me + _BEYOND] != -1 and self.words[me + _WHOLE] >= self.words[me + _BEYOND]:
            self.words[me + _WHOLE] = max(self.words[me + _HELD], self.words[me + _WHOLE])
            self.words[me + _BEYOND] = -1

    @cython.cfunc
    def _acknowledge(
        self, base: cython.longlong, owner: cython.longlong, sender: cython.int, ack: cython.longlong
    ) -> cython.void:
        """The peer of `owner` may have bytes that were not captured: a gap, unless the connection is at its end."""
        peer: cython.longlong = base + _ENDS + (1 - sender) * _END_WORDS
        until: cython.longlong
        if ack <= self.words[owner + _WHOLE]:
            return
        if self.words[owner + _STATE] == _ESTABLISHED and self.words[peer + _STATE] == _ESTABLISHED:
            self._scaled(base, owner, sender, 71, _GAPS)
        while ack > self.words[owner + _WHOLE]:
            until = self.words[owner + _BEYOND]
            if until == -1 or until > ack:
                until = ack
            self.words[owner + _MISSED] += until - self.words[owner + _WHOLE]
            self.words[owner + _WHOLE] = until
            self._close_hole(owner)

    @cython.cfunc
    def _next_state(
        self, me: cython.longlong, peer: cython.longlong, client: cython.bint, syn: cython.bint, fin: cython.bint,
        rst: cython.bint, acks: cython.bint, payload: cython.longlong,
    ) -> cython.void:  # fmt: skip
        state: cython.longlong = self.words[me + _STATE]
        other: cython.longlong = self.words[peer + _STATE]
        if state == _INACTIVE:
            if syn and client:
                self._become(me, _SYN_ACK_SENT if acks else _SYN_SENT)
            elif syn:
                if other == _SYN_SENT or (other == _SYN_ACK_SENT and not acks):
                    self._become(peer, _ESTABLISHED)
                self._become(me, _ESTABLISHED)
            if fin:
                self._become(me, _CLOSED)
            if rst:
                self._become(me, _RESET)
            if not syn and not fin and not rst:
                if not client and payload == 0 and other == _SYN_SENT:
                    pass  # a challenge: it still holds an older connection (RFC 9293 §3.5.1)
                elif acks and other == _ESTABLISHED:
                    self._become(me, _ESTABLISHED)  # its SYN was answered, and not captured
                else:
                    self._become(me, _PARTIAL)
        elif state in (_SYN_SENT, _SYN_ACK_SENT):
            if fin:
                self._become(me, _CLOSED)
            if rst:
                self._become(me, _RESET)
        elif state in (_ESTABLISHED, _PARTIAL):
            if syn and state == _PARTIAL and other == _INACTIVE and not acks:
                self._become(me, _SYN_SENT)
            if fin and not rst:
                self._become(me, _CLOSED)
                if other == _RESET and self.words[peer + _BEFORE] == _CLOSED:
                    self._become(peer, _CLOSED)
            if rst:
                self._become(me, _RESET)
        elif state == _CLOSED and rst and other != _CLOSED:
            self._become(me, _RESET)
        if fin or (rst and state != _RESET):
            self.words[me + _DID_CLOSE] = 1

    def release(self, ids, swapped) -> None:
        """These connections have finished; `swapped`: of which of them the server sent the first packet. Slots of those
        before them are free again."""
        for one in self.done:
            slot = self.slots.pop(one, None)
            if slot is not None:
                self.free.append(slot)
        self.done = list(ids)
        self.swapped = set(swapped)

    def of(self, connection: int) -> Account | None:
        """The account of a connection that has finished; None if there is none any more."""
        slot = self.slots.get(connection)
        if slot is None:
            return None
        base: cython.longlong = slot * _WORDS
        begin: cython.longlong = slot * _MOST_LETTERS
        first: cython.longlong = base + _ENDS
        second: cython.longlong = first + _END_WORDS
        history = bytes(self.letters[begin : begin + self.words[base + _LETTERS]]).decode("ascii")
        flipped = connection in self.swapped
        if flipped:
            first, second, history = second, first, history.swapcase()
        return Account(
            self._end(first, second), self._end(second, first), history, flipped, self.words[base + _LAST_NS]
        )

    @cython.cfunc
    def _end(self, me: cython.longlong, peer: cython.longlong):
        state: cython.longlong = self.words[me + _STATE]
        size: cython.longlong = max(self.words[me + _LAST], self.words[me + _ACKED])
        size = max(0, size - 1)  # the SYN, captured or not
        if size > 0 and self.words[me + _FIN]:
            size -= 1
        if state == _INACTIVE:
            size = 0  # it never spoke: what its peer acknowledges was said before the capture, or beside it
        if state == _RESET and self.words[me + _BEFORE] == _SYN_SENT and self.words[peer + _STATE] == _INACTIVE:
            size = 0  # an older connection was found and aborted: the numbers are not ours
        return End(state, size, self.words[me + _IP_BYTES], self.words[me + _MISSED])
