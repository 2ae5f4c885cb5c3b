# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""From when to when streams are open, and what must not happen to them in their state. RFC 9113 §5.1.

Pure-Python mode, types in `lifecycles.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.exchanges import Exchange
from analyzer.dissector.http2.multiplexing import MOST_HELD_UP
from analyzer.dissector.http2.streams import STATE_NAMES, error_of

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.findings import Findings
    from cython.cimports.analyzer.dissector.http2.frames import FrameReader
    from cython.cimports.analyzer.dissector.http2.header_blocks import HeaderDecoder
    from cython.cimports.analyzer.dissector.http2.streams import Stream, following
    from cython.cimports.analyzer.dissector.http2.wire import CLIENT, SERVER
else:
    from analyzer.dissector.http2.findings import Findings
    from analyzer.dissector.http2.frames import FrameReader
    from analyzer.dissector.http2.header_blocks import HeaderDecoder
    from analyzer.dissector.http2.streams import Stream, following
    from analyzer.dissector.http2.wire import CLIENT, SERVER

COMPILED = cython.compiled

MOST_OPEN = 10_000  # streams followed at once
MOST_REMEMBERED = 1000  # streams that are over, to judge what still comes
MOST_EARLY = 100


OVER = cython.declare(frozenset, states.OVER)
_CLOSED = cython.declare(cython.int, states.CLOSED)


@cython.no_gc
@cython.final
@cython.cclass
class HeaderBlock:
    """A field block of one side whose END_HEADERS has not come yet. `stream`: of its frames, 0: there is none."""

    def __init__(self):
        self.stream = 0
        self.promised = -1  # of PUSH_PROMISE; -1: it is none
        self.ends = False  # END_STREAM
        self.data = b""
        self.length = 0  # bytes so far, kept or not
        self.frames = 0
        self.whole = True  # nothing of it is missing
        self.first_ns = 0
        self.first_packet = 0

    @cython.cfunc
    def joined(self, fragment: bytes) -> bytearray:
        """What there is of it, with another fragment."""
        data = self.data if isinstance(self.data, bytearray) else bytearray(self.data)
        data += fragment
        return data


@cython.cclass
class Lifecycles(Findings):
    """Opens, moves and closes streams. `reader` is the side whose frame it is."""

    @cython.cfunc
    def _begin_lifecycles(self, known: cython.bint) -> cython.void:
        self._begin_findings()
        self._headers = (HeaderDecoder(known), HeaderDecoder(known))
        self._streams = {}
        self._closed = {}  # stream: its last state; the oldest first
        self._highest = [0, 0]  # stream opened by the client, promised by the server
        self._open = [0, 0]  # streams that each side has opened and that count (§5.1.2)
        self._not_followed = 0
        self._early = []  # the server answers what the client has not been seen to ask
        self._last_allowed = [None, None]  # per side, of its GOAWAY
        self._unasked = {}  # answered to the end; their requests may still be found
        self._on = [None, None]  # whose DATA a side is sending
        self._stray = [None, None]  # on which that side may not send DATA
        self._blocks = (HeaderBlock(), HeaderBlock())
        self._carried = ([], [])  # streams with frames in a side's latest packet
        self._carrier = [0, 0]

    @cython.cfunc
    def _touch(self, reader: FrameReader, stream: Stream) -> cython.void:
        """Bytes of a stream's HEADERS or DATA."""
        side: cython.int = reader.number
        carried: list = self._carried[side]
        count: cython.Py_ssize_t
        if reader.late:
            missing: list = carried if self._carrier[side] == reader.packet else []
            self.multiplexing.held_up(side, reader.packet, reader.late_ns, reader.at_ns, missing, stream.number)
            return
        if self._carrier[side] != reader.packet:
            self._carrier[side] = reader.packet
            carried.clear()
        count = len(carried)
        if count < MOST_HELD_UP and (not count or carried[count - 1] != stream.number):
            carried.append(stream.number)

    # States

    @cython.cfunc
    def _find(self, reader: FrameReader, number: cython.longlong, step: str, called: str) -> Stream | None:
        """The stream of a frame that opens none, if it may have one in its state. Else what is wrong is said: `called`
        is the frame."""
        stream: Stream = self._streams.get(number)
        side: cython.int = reader.number
        if stream is None:
            self._misplaced(reader, number, step, called)
            return None
        if following(stream.state, side, step) >= 0 or stream.uncertain:
            return stream
        self._forbidden(reader, stream, called)
        return None

    @cython.cfunc
    def _forbidden(self, reader: FrameReader, stream: Stream, step: str) -> cython.void:
        message = f"{step} on a stream that is {STATE_NAMES[stream.state]} (RFC 9113 §5.1)"
        error = error_of(stream.state)
        self._violated(reader.number, stream.number, stream, error, message, reader.packet, reader.at_ns)

    @cython.cfunc
    def _misplaced(self, reader: FrameReader, number: cython.longlong, step: str, called: str) -> cython.void:
        """A frame of a stream that is not followed: over, never opened, or one of too many."""
        side: cython.int = reader.number
        state = self._closed.get(number)
        if state is None:
            if self.lost or self._not_followed or not self._idle(number):
                return
            state = states.IDLE
            message = f"{called} on a stream that is idle (RFC 9113 §5.1)"
            if side == SERVER and number % 2:
                self._answers_early(reader, number, message)
                return
        elif following(state, side, step) >= 0 or self.lost:
            return
        else:
            message = f"{called} on a stream that is {STATE_NAMES[state]} (RFC 9113 §5.1)"
        self._violated(side, number, None, error_of(state), message, reader.packet, reader.at_ns)

    @cython.cfunc
    def _idle(self, number: cython.longlong) -> cython.bint:
        return number > self._highest[CLIENT if number % 2 else SERVER]

    @cython.cfunc
    def _answers_early(self, reader: FrameReader, number: cython.longlong, message: str) -> cython.void:
        """The request may have been captured later than the response: wait before blaming the server."""
        if len(self._early) < MOST_EARLY:
            self._early.append((number, reader.packet, reader.at_ns, message))

    @cython.cfunc
    def _judge_early(self) -> cython.void:
        """All requests have been seen by now."""
        early = self._early
        if not early:
            return
        self._early = []
        for number, packet, at_ns, message in early:
            if self._idle(number) and not self.lost:
                self._violated(SERVER, number, self._streams.get(number), "PROTOCOL_ERROR", message, packet, at_ns)

    @cython.cfunc
    def _move(self, stream: Stream, side: cython.int, step: str) -> cython.void:
        """A stream that may not make this step stays as it is, unless frames of it may be missing."""
        after: cython.int = following(stream.state, side, step)
        if after < 0:
            if not stream.uncertain or step not in (states.END_STREAM, states.RST_STREAM):
                return
            after = _CLOSED
        elif step == states.END_STREAM and side == SERVER:
            if stream.exchange.request is None:
                self.multiplexing.closed(stream)  # whatever comes of it was before this
            if stream.uncertain and after not in OVER:
                if stream.exchange.request is None:
                    self._wait_for_request(stream)
                else:
                    after = _CLOSED  # the end of the request was most likely before
        if after in OVER and stream.state not in OVER:
            stream.state = after
            self._over(stream)
        stream.state = after

    @cython.cfunc
    def _wait_for_request(self, stream: Stream) -> cython.void:
        """Where frames of the client were lost, it takes some more to find the next, and the server is ahead."""
        self._unasked[stream.number] = stream
        if len(self._unasked) > MOST_REMEMBERED:
            self._never_asked(next(iter(self._unasked)))

    @cython.cfunc
    def _asked_beyond(self, number: cython.longlong) -> cython.void:
        """§5.1.1: identifiers only rise, so nothing more is asked on lower streams."""
        for lower in [one for one in self._unasked if one < number]:
            self._never_asked(lower)

    @cython.cfunc
    def _never_asked(self, number: cython.longlong) -> cython.void:
        stream: Stream = self._unasked.pop(number)
        stream.state = _CLOSED
        self._over(stream)

    @cython.cfunc
    def _over(self, stream: Stream) -> cython.void:
        number: cython.longlong = stream.number
        side: cython.int
        if self._streams.pop(number, None) is None:
            return
        if self._unasked:
            self._unasked.pop(number, None)
        self._open[CLIENT if number % 2 else SERVER] -= 1
        self._closed[number] = stream.state
        if len(self._closed) > MOST_REMEMBERED:
            del self._closed[next(iter(self._closed))]
        for side in range(2):
            message = self._message(stream, side)
            if message is not None and not message.complete:
                message.cut = message.cut or self.lost  # its end was missed
        self.flow.closed(number)
        self.multiplexing.closed(stream)
        self._finish_grpc(stream)

    @cython.cfunc
    def _new(self, number: cython.longlong, state: cython.int, uncertain: cython.bint) -> Stream | None:
        stream: Stream
        over: Stream
        owner: cython.int = CLIENT if number & 1 else SERVER
        if len(self._streams) >= MOST_OPEN:
            over = self.multiplexing.forgotten()
            if over is None:
                self._not_followed += 1
                return None
            over.state = _CLOSED  # most likely: frames were missed since its last one
            self._over(over)
        exchange = Exchange(number)
        stream = Stream(number, exchange, state, uncertain or self.lost is not None)
        self._streams[number] = stream
        self._keep(exchange)
        self._highest[owner] = max(self._highest[owner], number)
        self._open[owner] += 1
        last = self._last_allowed[1 - owner]
        if last is not None and number > last:
            exchange.above_goaway = True
        self.multiplexing.opened(stream)
        return stream

    @cython.cfunc
    def _message(self, stream: Stream, side: cython.int) -> object:
        """What a side sends on a stream. The request that was promised is not the client's."""
        if side == SERVER:
            return stream.exchange.response
        return stream.exchange.request if not stream.exchange.pushed else None

    @cython.cfunc
    def _finish_grpc(self, stream: Stream) -> cython.void:
        call = stream.exchange.grpc
        if call is None:
            return
        if stream.grpc is not None:
            client, server = stream.grpc
            call.client_messages = client.count if client.broken is None else None
            call.server_messages = server.count if server.broken is None else None
