# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What streams carry in DATA: bodies, gRPC, tunnels; and how they end. RFC 9113 §6.1, §8.

Pure-Python mode, types in `bodies.pxd`.
"""

from __future__ import annotations

import cython

from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.exchanges import Grpc, Http2Event
from analyzer.dissector.http2.grpc import Messages
from analyzer.dissector.http2.tunnels import Tunnel, Tunnels
from analyzer.dissector.layer import EVERYTHING

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.findings import SIDE_NAMES
    from cython.cimports.analyzer.dissector.http2.frames import FrameReader
    from cython.cimports.analyzer.dissector.http2.lifecycles import Lifecycles
    from cython.cimports.analyzer.dissector.http2.streams import Stream, following
    from cython.cimports.analyzer.dissector.http2.wire import SERVER
else:
    from analyzer.dissector.http2.findings import SIDE_NAMES
    from analyzer.dissector.http2.frames import FrameReader
    from analyzer.dissector.http2.lifecycles import Lifecycles
    from analyzer.dissector.http2.streams import Stream, following
    from analyzer.dissector.http2.wire import SERVER

COMPILED = cython.compiled

_EVERYTHING = cython.declare(cython.longlong, EVERYTHING)
_DATA = cython.declare(str, states.DATA)
_END_STREAM = cython.declare(str, states.END_STREAM)


@cython.cclass
class Bodies(Lifecycles):
    """Counts the content of messages, and hands on that of tunnels. `reader` is the side whose frame it is."""

    @cython.cfunc
    def _begin_bodies(self, known: cython.bint) -> cython.void:
        self._begin_lifecycles(known)
        self._tunnels = Tunnels()
        self.sink = None  # who gets the bytes of bodies; None: they are only counted

    @property
    def tunnels(self) -> list[Tunnel]:
        """Of which somebody has to find out what runs inside."""
        return self._tunnels.open

    # DATA

    @cython.cfunc
    def _over(self, stream: Stream) -> cython.void:
        Lifecycles._over(self, stream)
        if stream.tunnel is not None:
            self._tunnels.closed(stream, "end", stream.tunnel.at_ns, stream.tunnel.packet)

    @cython.cfunc
    def data(self, reader: FrameReader, stream: cython.longlong) -> cython.void:
        """The header of a DATA frame has come: whose content follows."""
        side: cython.int = reader.number
        found: Stream
        self._on[side] = self._stray[side] = None
        if not stream:
            return
        found = self._streams.get(stream)
        if found is None and self.lost and stream not in self._closed:
            found = self._new(stream, states.OPEN, True)
        if found is None:
            self._misplaced(reader, stream, _DATA, _DATA)
        elif following(found.state, side, _DATA) < 0 and not found.uncertain:
            self._forbidden(reader, found, _DATA)
            self._stray[side] = found
            found = None
        self._on[side] = found
        if found is None:
            return
        self.multiplexing.frame(side, found, reader.packet, reader.at_ns)
        if side == SERVER and not found.final and not found.uncertain:
            message = "DATA before the response (RFC 9113 §8.1)"
            self._violated(side, stream, found, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
            found.final = True

    @cython.cfunc
    def content(
        self, reader: FrameReader, data, begin: cython.Py_ssize_t, length: cython.longlong, lost: cython.longlong
    ) -> cython.void:
        side: cython.int = reader.number
        found: Stream = self._on[side]
        sent: Stream = found if found is not None else self._stray[side]
        if sent is None or not length:
            return
        self._touch(reader, sent)
        message = self._message(sent, side)
        if message is not None:
            message.body_bytes += length
            if lost:
                message.body_lost += lost
            message.last_packet = reader.packet
        if found is None:
            return
        found.body[side] += length
        if lost:
            found.expected[side] = -1
        if found.tunnel is None and self.sink is None and found.grpc is None:
            return
        if data is not None:
            data = data[begin : begin + length]
        if found.tunnel is not None:
            self._through(reader, found.tunnel, data, length, lost)
            return
        if self.sink is not None and message is not None:
            if data is None:
                self.sink.gap(message)
            else:
                self.sink.body(message, data)
        if found.grpc is not None:
            grpc = found.grpc[side]
            if data is not None:
                grpc.feed(data)
            else:
                grpc.skip(length, lost=bool(lost))

    @cython.cfunc
    def _through(
        self, reader: FrameReader, tunnel, data, length: cython.longlong, lost: cython.longlong
    ) -> cython.void:
        if data is not None:
            tunnel.feed(reader.number, data, reader.at_ns, reader.packet)
        elif lost:
            tunnel.gap(reader.number, lost, reader.cause, reader.packet)
        else:
            tunnel.skip(reader.number, length, reader.at_ns, reader.packet)

    @cython.cfunc
    def unread(self, reader: FrameReader) -> cython.longlong:
        found: Stream = self._on[reader.number]
        if found is not None and found.tunnel is not None:
            return found.tunnel.skippable(reader.number)
        if self.sink is not None:
            return 0
        if found is None or found.grpc is None:
            return _EVERYTHING
        return found.grpc[reader.number].unread()

    @cython.cfunc
    def _data(self, reader: FrameReader, stream: Stream, ends: cython.bint) -> cython.void:
        """A DATA frame has ended."""
        side: cython.int = reader.number
        run = stream.run[side]
        if run is None:
            run = Http2Event(SIDE_NAMES[side], "DATA", reader.packet, reader.at_ns, stream.number, 0)
            run.times = 0
            stream.run[side] = run
            self._stream_event(stream, run)
        run.times += 1
        run.length += reader.content_length
        run.last_packet = reader.packet
        run.last_ns = reader.at_ns
        message = self._message(stream, side)
        if message is not None:
            message.last_packet = reader.packet
        if ends:
            self._end_stream(reader, stream)

    # Ends

    @cython.cfunc
    def _end_stream(self, reader: FrameReader, stream: Stream) -> cython.void:
        """§5.1: the flag END_STREAM."""
        side: cython.int = reader.number
        exchange = stream.exchange
        expected: cython.longlong
        message = self._message(stream, side)
        stream.run[side] = None
        event = Http2Event(SIDE_NAMES[side], "END_STREAM", reader.packet, reader.at_ns, stream.number)
        if side == SERVER and exchange.response is not None:
            event.status = exchange.response.status
        self._stream_event(stream, event)
        if message is not None:
            message.complete = message.cut is None
            message.last_packet = reader.packet
        if side == SERVER:
            exchange.finished_ns = reader.at_ns
        expected = stream.expected[side]
        if expected >= 0 and expected != stream.body[side] and not stream.uncertain:
            problem = f"content-length of {expected} and {stream.body[side]} bytes of DATA (RFC 9113 §8.1.1)"
            self._violated(side, stream.number, stream, "PROTOCOL_ERROR", problem, reader.packet, reader.at_ns)
        if stream.grpc is not None and stream.grpc[side].inside:
            self.fault(reader.packet, f"stream {stream.number}: it ends inside a gRPC message")
        if stream.tunnel is not None:
            stream.tunnel.close(side, "fin", reader.at_ns, reader.packet)
        self._move(stream, side, _END_STREAM)

    # gRPC

    @cython.cfunc
    def _is_grpc(self, stream: Stream) -> cython.void:
        side: cython.int
        exchange = stream.exchange
        if exchange.grpc is not None:
            return
        exchange.grpc = Grpc()
        stream.grpc = [Messages(), Messages()]
        for side in range(2):
            messages = stream.grpc[side]
            if stream.body[side] or stream.uncertain:
                messages.broken = "bytes are missing"
