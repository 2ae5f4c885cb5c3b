"""What streams carry in DATA: bodies, gRPC, tunnels; and how they end. RFC 9113 §6.1, §8."""

from __future__ import annotations

from analyzer.dissector.content import Sink
from analyzer.dissector.http2 import streams as states
from analyzer.dissector.http2.exchanges import Grpc, Http2Event
from analyzer.dissector.http2.findings import SIDE_NAMES
from analyzer.dissector.http2.frames import FrameReader
from analyzer.dissector.http2.grpc import Messages
from analyzer.dissector.http2.lifecycles import Lifecycles
from analyzer.dissector.http2.streams import CLIENT, NEXT, SERVER, Stream
from analyzer.dissector.http2.tunnels import Tunnel, Tunnels
from analyzer.dissector.layer import EVERYTHING


class Bodies(Lifecycles):
    """Counts the content of messages, and hands on that of tunnels. `reader` is the side whose frame it is."""

    def __init__(self, *, known: bool):
        super().__init__(known=known)
        self._tunnels = Tunnels()
        self.sink: Sink | None = None  # who gets the bytes of bodies; None: they are only counted

    @property
    def tunnels(self) -> list[Tunnel]:
        """Of which somebody has to find out what runs inside."""
        return self._tunnels.open

    # DATA

    def _over(self, stream: Stream) -> None:
        super()._over(stream)
        if stream.tunnel is not None:
            self._tunnels.closed(stream, "end", stream.tunnel.at_ns, stream.tunnel.packet)

    def data(self, reader: FrameReader, stream: int) -> None:
        """The header of a DATA frame has come: whose content follows."""
        side = reader.number
        self._on[side] = self._stray[side] = None
        if not stream:
            return
        found = self._streams.get(stream)
        if found is None and self.lost and stream not in self._closed:
            found = self._new(stream, states.OPEN, uncertain=True)
        if found is None:
            self._misplaced(reader, stream, states.DATA)
        elif (found.state, side, states.DATA) not in NEXT and not found.uncertain:
            self._forbidden(reader, found, states.DATA)
            found, self._stray[side] = None, found
        self._on[side] = found
        if found is None:
            return
        self.multiplexing.frame(side, found, reader.packet, reader.at_ns)
        if side == SERVER and not found.final and not found.uncertain:
            message = "DATA before the response (RFC 9113 §8.1)"
            self._violated(side, stream, found, "PROTOCOL_ERROR", message, reader.packet, reader.at_ns)
            found.final = True

    def content(
        self, reader: FrameReader, stream: int, data: bytes | memoryview | None, length: int, lost: int
    ) -> None:
        side = reader.number
        found = self._on[side]
        sent = found or self._stray[side]
        if sent is None or not length:
            return
        self._touch(reader, sent)
        message = self._message(sent, side)
        if message is not None:
            message.body_bytes += length
            message.body_lost += lost
            message.last_packet = reader.packet
        if found is None:
            return
        found.body[side] += length
        if lost:
            found.expected[side] = None
        if found.tunnel is not None:
            self._through(reader, found.tunnel, data, length, lost)
            return
        if self.sink is not None and message is not None:
            if data is None:
                self.sink.gap(message)
            else:
                self.sink.body(message, data)
        grpc = found.grpc[side]
        if grpc is not None:
            if data is not None:
                grpc.feed(data)
            else:
                grpc.skip(length, lost=bool(lost))

    def _through(
        self, reader: FrameReader, tunnel: Tunnel, data: bytes | memoryview | None, length: int, lost: int
    ) -> None:
        if data is not None:
            tunnel.feed(reader.number, data, reader.at_ns, reader.packet)
        elif lost:
            tunnel.gap(reader.number, lost, reader.cause, reader.packet)
        else:
            tunnel.skip(reader.number, length, reader.at_ns, reader.packet)

    def unread(self, reader: FrameReader, stream: int) -> int:
        found = self._on[reader.number]
        if found is not None and found.tunnel is not None:
            return int(found.tunnel.skippable(reader.number))
        if self.sink is not None:
            return 0
        grpc = found.grpc[reader.number] if found is not None else None
        return EVERYTHING if grpc is None else grpc.unread()

    def _data(self, reader: FrameReader, stream: Stream, *, ends: bool) -> None:
        """A DATA frame has ended."""
        side = reader.number
        run = stream.run[side]
        if run is None:
            run = Http2Event(
                SIDE_NAMES[side], "DATA", reader.packet, reader.at_ns, stream.number, reader.length, times=0
            )
            run.length = 0
            stream.run[side] = run
            self._stream_event(stream, run)
        run.times += 1
        run.length = (run.length or 0) + reader.content_length
        run.last_packet, run.last_ns = reader.packet, reader.at_ns
        message = self._message(stream, side)
        if message is not None:
            message.last_packet = reader.packet
        if ends:
            self._end_stream(reader, stream)

    # Ends

    def _end_stream(self, reader: FrameReader, stream: Stream) -> None:
        """§5.1: the flag END_STREAM."""
        side, exchange = reader.number, stream.exchange
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
        if expected is not None and expected != stream.body[side] and not stream.uncertain:
            problem = f"content-length of {expected} and {stream.body[side]} bytes of DATA (RFC 9113 §8.1.1)"
            self._violated(side, stream.number, stream, "PROTOCOL_ERROR", problem, reader.packet, reader.at_ns)
        grpc = stream.grpc[side]
        if grpc is not None and grpc.inside:
            self.fault(reader.packet, f"stream {stream.number}: it ends inside a gRPC message")
        if stream.tunnel is not None:
            stream.tunnel.close(side, "fin", reader.at_ns, reader.packet)
        self._move(stream, side, states.END_STREAM)

    # gRPC

    def _is_grpc(self, stream: Stream) -> None:
        exchange = stream.exchange
        if exchange.grpc is not None:
            return
        exchange.grpc = Grpc()
        for side in (CLIENT, SERVER):
            messages = stream.grpc[side] = Messages()
            if stream.body[side] or stream.uncertain:
                messages.broken = "bytes are missing"
