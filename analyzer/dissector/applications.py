# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What runs inside the connections: finds out which protocol it is, by content, and hands the bytes to its dissector.

A Python object per connection exists only while the connection's bytes are followed: from its first payload until no
dissector claims it. Pure-Python mode, types in `applications.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector import proxy_protocol
from analyzer.dissector.probing import Probe
from analyzer.dissector.unknown import Dissector as _Unknown

if cython.compiled:
    from cython.cimports.analyzer.dissector.bytestream import ByteStream
    from cython.cimports.analyzer.dissector.layer import Layer
    from cython.cimports.analyzer.dissector.layout import *
    from cython.cimports.analyzer.dissector.recognition import Recognizer, proxy_header
    from cython.cimports.analyzer.dissector.undecided import Undecided
else:
    from analyzer.dissector.bytestream import ByteStream
    from analyzer.dissector.layer import Layer
    from analyzer.dissector.layout import *
    from analyzer.dissector.recognition import Recognizer, proxy_header
    from analyzer.dissector.undecided import Undecided

COMPILED = cython.compiled

# Telling the packet stage what to pass over costs more than copying this much.
MOST_COPIED_BYTES = 16_384
_MOST_COPIED_BYTES = cython.declare(cython.longlong, MOST_COPIED_BYTES)
_NOBODY_WANTS = cython.declare(cython.longlong, (1 << 63) - 1)


@cython.no_gc
@cython.final
@cython.cclass
class Stream(ByteStream):
    """A side's bytes, and what is known of its end."""

    def __init__(self, side):
        ByteStream.__init__(self, side)
        self.wanted = 0  # as the packet stage was told
        # Offset of the FIN (-1: none yet); time and packet of it, or of a later segment that filled a hole before it.
        self.fin_at = -1
        self.fin_ns = 0
        self.fin_packet = 0
        self.data_ns = 0  # of the last new bytes, handed on or not
        self.data_packet = 0
        self.closed = False


@cython.no_gc
@cython.final
@cython.cclass
class Application(Layer):
    """One connection whose bytes are followed. The reader of both its byte streams."""

    def __init__(self, row, swapped, midstream, recognizer: Recognizer):
        self.midstream = midstream  # it was open before the capture began
        self.row = row
        self.swapped = swapped  # the sender of its first packet is the server
        self.client = Stream(0)
        self.server = Stream(1)
        self.content = Undecided()
        self.proxy = None  # what a PROXY protocol header said
        self.reset = False  # a RST was accepted
        self.reset_ns = 0
        self.reset_packet = 0
        self._recognizer = recognizer

    @property
    def layer(self):
        """The dissector of the outermost protocol; None if it is not known."""
        return self.content.inner

    def contradictions(self) -> list:
        """Of each side that sent bytes again with another content: the side, what of it is listed (see `ByteStream`),
        and how many there were."""
        return [
            (stream.side, stream.contradictions, stream.contradicted)
            for stream in (self.client, self.server)
            if stream.contradicted
        ]

    @cython.cfunc
    def _stream(self, side: cython.int) -> Stream:
        return self.server if side else self.client

    # As the reader of the byte streams.

    @cython.ccall
    def feed(self, side: cython.int, data, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        stream: Stream = self._stream(side)
        if stream.fin_at >= 0 and packet > stream.fin_packet:
            stream.fin_ns = max(stream.fin_ns, at_ns)
            stream.fin_packet = packet
        self.content.feed(side, data, at_ns, packet)

    @cython.ccall
    def skip(
        self, side: cython.int, length: cython.longlong, at_ns: cython.longlong, packet: cython.longlong
    ) -> cython.void:
        self.content.skip(side, length, at_ns, packet)

    @cython.ccall
    def gap(self, side: cython.int, length: cython.longlong, cause: str, packet: cython.longlong) -> cython.void:
        self.content.gap(side, length, cause, packet)

    @cython.ccall
    def skippable(self, side: cython.int) -> cython.longlong:
        return self.content.skippable(side)

    @cython.ccall
    def close(self, side: cython.int, how: str, at_ns: cython.longlong, packet: cython.longlong) -> cython.void:
        """The side sends no more: "fin", "rst", or "end" of the capture. Only the first time counts."""
        stream: Stream = self._stream(side)
        if not stream.closed:
            stream.closed = True
            self.content.close(side, how, at_ns, packet)

    @cython.cfunc
    def _end(self, side: cython.int, missing: cython.longlong, acked: cython.longlong) -> cython.void:
        """The side's FIN has come: it is over, unless bytes before the FIN are missing that may still come."""
        stream: Stream = self._stream(side)
        if stream.fin_at >= 0 and not stream.closed and (acked > stream.fin_at or missing <= stream.lost):
            self._finish(side, stream.fin_at, stream.fin_ns, stream.fin_packet, missing)

    @cython.cfunc
    def _finish(
        self, side: cython.int, offset: cython.longlong, at_ns: cython.longlong, packet: cython.longlong,
        missing: cython.longlong,
    ) -> cython.void:  # fmt: skip
        """No bytes of the side will come after its FIN at `offset`, and none before it that have not come yet."""
        stream: Stream = self._stream(side)
        stream.end(self, offset, stream.data_ns, stream.data_packet, missing)
        if stream.fin_at >= 0:
            at_ns = stream.fin_ns
            packet = stream.fin_packet
        self.close(side, "fin", at_ns, packet)

    @cython.cfunc
    def turn(self) -> cython.void:
        """Client and server change places: the packet stage has found out which is which.

        A dissector that has read the one as the other is wrong, and what it has read is lost.
        """
        client: Stream = self.client
        self.client = self.server
        self.server = client
        self.client.side = 0
        self.server.side = 1
        self.swapped = not self.swapped
        if self.content.open and self.proxy is None:
            self.content.turn()
        else:
            self.content = Undecided()
            self.proxy = None
            self.midstream = True

    # Finding out what it is.

    @cython.cfunc
    def _decide(self, last: cython.bint = False) -> cython.bint:
        """Look at what came so far; False if it is certain that there is nothing to tell of it. `last`: that is all."""
        content: Undecided = self.content
        if content.inner is None and not content.dropped:
            if self.proxy is None:
                header = proxy_header(content)
                if header is Probe.NEED_MORE:
                    return True
                if isinstance(header, proxy_protocol.Header):
                    self.proxy = header
            if last or not self.midstream or content.grown():
                self._recognizer.decide(content, self.midstream)
        if content.inner is not None:
            if type(content.inner) is _Unknown and content.inner.over:
                return self.proxy is not None
            self._recognizer.look_inside(content.inner, 1)
        return not content.dropped or self.proxy is not None


@cython.final
@cython.cclass
class Applications:
    """The followed connections of a capture."""

    def __init__(self, connections, recognizer: Recognizer):
        self._connections = connections
        self._recognizer = recognizer
        self._followed = {}  # by connection id; None: nobody wants it, though the chunk may have more of it
        # Those that got bytes, by connection id, for whoever follows them live; None: nobody does.
        self.touched: dict | None = None

    def feed(self, table, data) -> None:
        """Take in the segments of a chunk that the packet stage hands on. `data`: the chunk's bytes."""
        i: cython.Py_ssize_t
        count: cython.Py_ssize_t = table.count
        handed: cython.schar[::1] = memoryview(table.handed)
        connections: cython.longlong[::1] = memoryview(table.connection)
        rows: cython.longlong[::1] = memoryview(table.row)
        sides: cython.schar[::1] = memoryview(table.side)
        senders: cython.schar[::1] = memoryview(table.sender)
        began: cython.schar[::1] = memoryview(table.began)
        offsets: cython.longlong[::1] = memoryview(table.stream_offset)
        acks: cython.longlong[::1] = memoryview(table.ack_offset)
        missing: cython.longlong[::1] = memoryview(table.missing)
        peer_missing: cython.longlong[::1] = memoryview(table.peer_missing)
        reached: cython.longlong[::1] = memoryview(table.reached)
        data_ns: cython.longlong[::1] = memoryview(table.data_ns)
        data_packet: cython.longlong[::1] = memoryview(table.data_packet)
        flags: cython.int[::1] = memoryview(table.flags)
        payload: cython.longlong[::1] = memoryview(table.payload)
        captured: cython.longlong[::1] = memoryview(table.payload_captured)
        begins: cython.longlong[::1] = memoryview(table.payload_offset)
        time_ns: cython.longlong[::1] = memoryview(table.time_ns)
        number: cython.longlong[::1] = memoryview(table.number)
        octets: cython.const[cython.uchar][::1] = data
        piece: bytes
        side: cython.int
        swapped: cython.bint
        at: cython.longlong
        begin: cython.longlong
        application: Application
        fresh: Application = None
        given_up: list = []
        for i in range(count):
            if handed[i] == HANDED_NOT:
                continue
            connection = connections[i]
            side = sides[i]
            swapped = side != senders[i]
            found = self._followed.get(connection, self)
            if found is None and handed[i] != HANDED_KNOWN:
                continue
            if found is self or found is None:  # not known yet, or given up
                if handed[i] != HANDED_BYTES and handed[i] != HANDED_KNOWN:
                    continue
                if found is None:
                    self._connections.remember(rows[i])
                fresh = found = Application(rows[i], swapped, not began[i], self._recognizer)
                self._followed[connection] = found
            application = found
            if self.touched is not None:
                self.touched[connection] = application
            if application.swapped != swapped:
                application.turn()
            if acks[i] >= 0:
                application._stream(1 - side).acknowledged(application, acks[i], number[i], peer_missing[i])
            stream: Stream = application._stream(side)
            if (
                handed[i] == HANDED_BYTES and offsets[i] + payload[i] <= stream.wanted
                and not flags[i] & (FLAG_SYN | FLAG_FIN | FLAG_RST) and not stream._held
            ):  # fmt: skip
                # Nobody wants them any more: that was said after the packet stage had seen the segment. But where
                # others wait, these may be what they wait for.
                continue
            stream.data_ns = data_ns[i]
            stream.data_packet = data_packet[i]
            stream.reached = reached[i]
            if handed[i] == HANDED_BYTES or handed[i] == HANDED_KNOWN:
                begin = offsets[i] + 1 if flags[i] & FLAG_SYN else offsets[i]
                at = begins[i]
                if cython.compiled:
                    if at < 0 or captured[i] < 0 or at + captured[i] > octets.shape[0]:
                        raise IndexError(at)
                    piece = b""
                    if captured[i] > 0:
                        piece = cython.cast(cython.p_char, cython.address(octets[at]))[: captured[i]]
                else:
                    piece = bytes(data[at : at + captured[i]])
                if fresh is not None:
                    if side == 0 and begin == 1 and not fresh.midstream:
                        self._recognizer.first(fresh.content, piece)
                    fresh = None
                stream.segment(application, begin, payload[i], piece, time_ns[i], number[i], missing[i])
            if flags[i] & FLAG_FIN and stream.fin_at < 0:
                stream.fin_at = offsets[i] + payload[i]
                stream.fin_ns = time_ns[i]
                stream.fin_packet = number[i]
            elif flags[i] & FLAG_RST:
                application.reset = True
                application.reset_ns = time_ns[i]
                application.reset_packet = number[i]
            application._end(side, missing[i], -1)
            application._end(1 - side, peer_missing[i], acks[i])
            if not self._steer(application):
                self._followed[connection] = None
                given_up.append(connection)
        for connection in given_up:
            if self._followed.get(connection, self) is None:
                del self._followed[connection]

    @cython.ccall
    def finish(self, rows: cython.longlong[:, ::1], i: cython.Py_ssize_t) -> Application | None:
        """The connection of row i is over, or the capture is: what was found in it, and forget it."""
        application: Application = self._followed.pop(rows[i, ID], None)
        if application is None:
            return None
        if application.midstream and application.content.open:
            application._decide(True)
        if (
            application.content.inner is None and application.proxy is None
            and not application.client.contradicted and not application.server.contradicted
        ):  # fmt: skip
            return None
        states: cython.longlong = rows[i, SIDES + STATE] | rows[i, SIDES + SIDE_WORDS + STATE]
        swapped: cython.bint = rows[i, FLAGS] & SWAPPED != 0
        if application.swapped != swapped:
            return None  # a SYN came later than all that was read, and it was read the wrong way round
        application.midstream = not states & (SYN_SEEN | SYN_ACK_SEEN)
        last_ns: cython.longlong = rows[i, LAST_NS]
        last_packet: cython.longlong = rows[i, LAST_PACKET]
        reset: cython.bint = application.reset and states & RESETTER != 0  # not one that turned out to be ignored
        side: cython.int
        words: cython.Py_ssize_t
        fin_at: cython.longlong
        sent: cython.longlong
        for side in range(2):
            words = SIDES + (side ^ swapped) * SIDE_WORDS
            stream: Stream = application._stream(side)
            stream.data_ns = rows[i, words + DATA_NS]
            stream.data_packet = rows[i, words + DATA_PACKET]
            # A FIN after a RST is none to the packet stage, and ends the bytes all the same.
            fin_at = rows[i, words + FIN_AT] if rows[i, words + FIN_AT] >= 0 else stream.fin_at
            if fin_at >= 0:
                application._finish(side, fin_at, last_ns, last_packet, rows[i, words + MISSING])
        for side in range(2):
            words = SIDES + (side ^ swapped) * SIDE_WORDS
            stream: Stream = application._stream(side)
            fin_at = rows[i, words + FIN_AT] if rows[i, words + FIN_AT] >= 0 else stream.fin_at
            sent = rows[i, words + SENT]
            if fin_at < 0:
                fin_at = max(stream.next, sent)
            stream.end(application, fin_at, stream.data_ns, stream.data_packet, rows[i, words + MISSING])
        for side in range(2):  # only now: a reset ends both
            if reset:
                application.close(side, "rst", application.reset_ns, application.reset_packet)
            else:
                application.close(side, "end", last_ns, last_packet)
        return application

    @cython.cfunc
    def _steer(self, application: Application) -> cython.bint:
        """Tell the packet stage what is wanted next. False if nothing is any more."""
        side: cython.int
        skippable: cython.longlong
        wanted: cython.longlong
        if not application._decide():
            self._connections.forget(application.row)
            return False
        for side in range(2):
            skippable = application.content.skippable(side)
            if skippable > 0:
                stream: Stream = application._stream(side)
                # The segment with the last of these bytes is handed on, so that its packet and time are known.
                wanted = _NOBODY_WANTS
                if skippable <= _NOBODY_WANTS - stream.next:
                    wanted = stream.next + skippable - 1
                if wanted > stream.wanted + _MOST_COPIED_BYTES:
                    self._connections.want(application.row, side ^ application.swapped, wanted)
                    stream.wanted = wanted
        return True
