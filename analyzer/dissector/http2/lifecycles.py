"""From when to when streams are open, and what must not happen to them in their state. RFC 9113 §5.1."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.exchanges import Exchange, Message
from analyzer.dissector.http2.findings import Findings
from analyzer.dissector.http2.frames import FrameReader
from analyzer.dissector.http2.header_blocks import HeaderDecoder
from analyzer.dissector.http2.multiplexing import MOST_HELD_UP
from analyzer.dissector.http2.streams import CLIENT, NEXT, OVER, SERVER, STATE_NAMES, Stream, error_of

MOST_OPEN: Final = 10_000  # streams followed at once
MOST_REMEMBERED: Final = 1000  # streams that are over, to judge what still comes
MOST_EARLY: Final = 100


class HeaderBlock:
    """A field block of one side whose END_HEADERS has not come yet. `stream`: of its frames, 0: there is none."""

    __slots__ = ("data", "ends", "first_ns", "first_packet", "frames", "length", "promised", "stream", "whole")

    def __init__(self) -> None:
        self.stream = 0
        self.promised: int | None = None  # of PUSH_PROMISE
        self.ends = False  # END_STREAM
        self.data = bytearray()
        self.length = 0  # bytes so far, kept or not
        self.frames = 0
        self.whole = True  # nothing of it is missing
        self.first_ns = 0
        self.first_packet = 0


class Lifecycles(Findings):
    """Opens, moves and closes streams. `reader` is the side whose frame it is."""

    def __init__(self, *, known: bool):
        super().__init__()
        self._headers = (HeaderDecoder(known=known), HeaderDecoder(known=known))
        self._streams: dict[int, Stream] = {}
        self._closed: OrderedDict[int, int] = OrderedDict()  # stream: its last state
        self._highest = [0, 0]  # stream opened by the client, promised by the server
        self._open = [0, 0]  # streams that each side has opened and that count (§5.1.2)
        self._not_followed = 0
        self._early: list[tuple[int, int, int, str]] = []  # the server answers what the client has not been seen to ask
        self._last_allowed: list[int | None] = [None, None]  # per side, of its GOAWAY
        self._unasked: dict[int, Stream] = {}  # answered to the end; their requests may still be found
        self._on: list[Stream | None] = [None, None]  # whose DATA a side is sending
        self._stray: list[Stream | None] = [None, None]  # on which that side may not send DATA
        self._blocks = (HeaderBlock(), HeaderBlock())
        self._carried: tuple[list[int], list[int]] = ([], [])  # streams with frames in a side's latest packet
        self._carrier = [0, 0]

    def _touch(self, reader: FrameReader, stream: Stream) -> None:
        """Bytes of a stream's HEADERS or DATA."""
        side = reader.number
        carried = self._carried[side]
        if reader.late_ns is not None:
            late_ns, at_ns = reader.late_ns, reader.at_ns
            missing = carried if self._carrier[side] == reader.packet else []
            self.multiplexing.held_up(side, reader.packet, late_ns, at_ns, missing, stream.number)
            return
        if self._carrier[side] != reader.packet:
            self._carrier[side] = reader.packet
            carried.clear()
        if len(carried) < MOST_HELD_UP and (not carried or carried[-1] != stream.number):
            carried.append(stream.number)

    # States

    def _find(self, reader: FrameReader, number: int, step: str, called: str | None = None) -> Stream | None:
        """The stream of a frame that opens none, if it may have one in its state. Else what is wrong is said."""
        called = called or step
        stream = self._streams.get(number)
        side = reader.number
        if stream is None:
            self._misplaced(reader, number, step, called)
            return None
        if (stream.state, side, step) in NEXT or stream.uncertain:
            return stream
        self._forbidden(reader, stream, called)
        return None

    def _forbidden(self, reader: FrameReader, stream: Stream, step: str) -> None:
        message = f"{step} on a stream that is {STATE_NAMES[stream.state]} (RFC 9113 §5.1)"
        error = error_of(stream.state)
        self._violated(reader.number, stream.number, stream, error, message, reader.packet, reader.at_ns)

    def _misplaced(self, reader: FrameReader, number: int, step: str, called: str | None = None) -> None:
        """A frame of a stream that is not followed: over, never opened, or one of too many."""
        side = reader.number
        state = self._closed.get(number)
        if state is None:
            if self.lost or self._not_followed or not self._idle(number):
                return
            state = states.IDLE
            message = f"{called or step} on a stream that is idle (RFC 9113 §5.1)"
            if side == SERVER and number % 2:
                self._answers_early(reader, number, message)
                return
        elif (state, side, step) in NEXT or self.lost:
            return
        else:
            message = f"{called or step} on a stream that is {STATE_NAMES[state]} (RFC 9113 §5.1)"
        self._violated(side, number, None, error_of(state), message, reader.packet, reader.at_ns)

    def _idle(self, number: int) -> bool:
        return number > self._highest[CLIENT if number % 2 else SERVER]

    def _answers_early(self, reader: FrameReader, number: int, message: str) -> None:
        """The request may have been captured later than the response: wait before blaming the server."""
        if len(self._early) < MOST_EARLY:
            self._early.append((number, reader.packet, reader.at_ns, message))

    def _judge_early(self) -> None:
        """All requests have been seen by now."""
        early, self._early = self._early, []
        for number, packet, at_ns, message in early:
            if self._idle(number) and not self.lost:
                self._violated(SERVER, number, self._streams.get(number), "PROTOCOL_ERROR", message, packet, at_ns)

    def _move(self, stream: Stream, side: int, step: str) -> None:
        """A stream that may not make this step stays as it is, unless frames of it may be missing."""
        after = NEXT.get((stream.state, side, step))
        if after is None:
            if not stream.uncertain or step not in (states.END_STREAM, states.RST_STREAM):
                return
            after = states.CLOSED
        elif step == states.END_STREAM and side == SERVER:
            if stream.exchange.request is None:
                self.multiplexing.closed(stream)  # whatever comes of it was before this
            if stream.uncertain and after not in OVER:
                if stream.exchange.request is None:
                    self._wait_for_request(stream)
                else:
                    after = states.CLOSED  # the end of the request was most likely before
        if after in OVER and stream.state not in OVER:
            stream.state = after
            self._over(stream)
        stream.state = after

    def _wait_for_request(self, stream: Stream) -> None:
        """Where frames of the client were lost, it takes some more to find the next, and the server is ahead."""
        self._unasked[stream.number] = stream
        if len(self._unasked) > MOST_REMEMBERED:
            self._never_asked(next(iter(self._unasked)))

    def _asked_beyond(self, number: int) -> None:
        """§5.1.1: identifiers only rise, so nothing more is asked on lower streams."""
        for lower in [one for one in self._unasked if one < number]:
            self._never_asked(lower)

    def _never_asked(self, number: int) -> None:
        stream = self._unasked.pop(number)
        stream.state = states.CLOSED
        self._over(stream)

    def _over(self, stream: Stream) -> None:
        number = stream.number
        if self._streams.pop(number, None) is None:
            return
        self._unasked.pop(number, None)
        self._open[CLIENT if number % 2 else SERVER] -= 1
        self._closed[number] = stream.state
        if len(self._closed) > MOST_REMEMBERED:
            self._closed.popitem(last=False)
        for side in (CLIENT, SERVER):
            message = self._message(stream, side)
            if message is not None and not message.complete:
                message.cut = message.cut or self.lost  # its end was missed
        self.flow.closed(number)
        self.multiplexing.closed(stream)
        self._finish_grpc(stream)

    def _new(self, number: int, state: int, *, uncertain: bool = False, kept: bool = True) -> Stream | None:
        if len(self._streams) >= MOST_OPEN:
            over = self.multiplexing.forgotten()
            if over is None:
                self._not_followed += 1
                return None
            over.state = states.CLOSED  # most likely: frames were missed since its last one
            self._over(over)
        exchange = Exchange(number)
        stream = Stream(number, exchange, state, uncertain=uncertain or self.lost is not None)
        self._streams[number] = stream
        if kept:
            self._keep(exchange)
        owner = CLIENT if number % 2 else SERVER
        self._highest[owner] = max(self._highest[owner], number)
        self._open[owner] += 1
        last = self._last_allowed[1 - owner]
        exchange.above_goaway = last is not None and number > last
        self.multiplexing.opened(stream)
        return stream

    def _message(self, stream: Stream, side: int) -> Message | None:
        """What a side sends on a stream. The request that was promised is not the client's."""
        if side == SERVER:
            return stream.exchange.response
        return stream.exchange.request if not stream.exchange.pushed else None

    def _finish_grpc(self, stream: Stream) -> None:
        call = stream.exchange.grpc
        if call is None:
            return
        client, server = stream.grpc
        if client is not None and server is not None:
            call.client_messages = client.count if client.broken is None else None
            call.server_messages = server.count if server.broken is None else None
