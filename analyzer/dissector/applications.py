"""What runs inside the connections: finds out which protocol it is, by content, and hands the bytes to its dissector.

A Python object per connection exists only while the connection's bytes are followed: from its first payload until no
dissector claims it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from analyzer.dissector import layout, proxy_protocol
from analyzer.dissector.bytestream import ByteStream
from analyzer.dissector.connections import ConnectionTable
from analyzer.dissector.layer import Layer
from analyzer.dissector.packets import PacketTable
from analyzer.dissector.probing import Probe
from analyzer.dissector.recognition import Recognizer, proxy_header
from analyzer.dissector.undecided import Undecided

_NOBODY_WANTS: Final = (1 << 63) - 1
# Telling the packet stage what to pass over costs more than copying this much.
MOST_COPIED_BYTES: Final = 16_384
_SIDES: Final = (0, 1)
_BYTES: Final = (layout.HANDED_BYTES, layout.HANDED_KNOWN)


class Application:
    """One connection whose bytes are followed. The consumer of both its byte streams."""

    __slots__ = (
        "_closed", "_recognizer", "content", "fin", "last_data", "midstream", "proxy", "reset", "row", "streams",
        "swapped", "wanted",
    )  # fmt: skip

    def __init__(self, row: int, swapped: bool, midstream: bool, recognizer: Recognizer):
        self.midstream = midstream  # it was open before the capture began
        self.row = row
        self.swapped = swapped  # the sender of its first packet is the server
        self.streams = (ByteStream(0, self), ByteStream(1, self))
        self.content = Undecided()
        self.wanted = [0, 0]  # as the packet stage was told
        self.proxy: proxy_protocol.Header | None = None
        self.reset: tuple[int, int] | None = None  # time and packet of the accepted RST
        # Per side, offset of the FIN, and time and packet of it or of a later segment that filled a hole before it.
        self.fin: list[tuple[int, int, int] | None] = [None, None]
        self.last_data = [(0, 0), (0, 0)]  # time and packet of the last new bytes of each side, handed on or not
        self._closed = [False, False]
        self._recognizer = recognizer

    @property
    def layer(self) -> Layer | None:
        """The dissector of the outermost protocol; None if it is not known."""
        return self.content.inner

    # As the consumer of the byte streams.

    def feed(self, side: int, data: bytes, at_ns: int, packet: int) -> None:
        fin = self.fin[side]
        if fin is not None and packet > fin[2]:
            self.fin[side] = fin[0], max(fin[1], at_ns), packet
        self.content.feed(side, data, at_ns, packet)

    def skip(self, side: int, length: int, at_ns: int, packet: int) -> None:
        self.content.skip(side, length, at_ns, packet)

    def gap(self, side: int, length: int, cause: str, packet: int) -> None:
        self.content.gap(side, length, cause, packet)

    def skippable(self, side: int) -> int:
        return self.content.skippable(side)

    def close(self, side: int, how: str, at_ns: int, packet: int) -> None:
        """The side sends no more: "fin", "rst", or "end" of the capture. Only the first time counts."""
        if not self._closed[side]:
            self._closed[side] = True
            self.content.close(side, how, at_ns, packet)

    def end(self, side: int, missing: int, acked: int) -> None:
        """The side's FIN has come: it is over, unless bytes before the FIN are missing that may still come."""
        fin = self.fin[side]
        if fin is not None and not self._closed[side] and (acked > fin[0] or missing <= self.streams[side].lost):
            self.finish(side, fin[0], "fin", fin[1], fin[2], missing)

    def finish(self, side: int, offset: int, how: str, at_ns: int, packet: int, missing: int) -> None:
        """No bytes of the side will come after `offset`, and none before it that have not come yet."""
        self.streams[side].end(offset, *self.last_data[side], missing)
        fin = self.fin[side]
        self.close(side, how, *(fin[1:] if fin is not None else (at_ns, packet)))

    def turn(self) -> None:
        """Client and server change places: the packet stage has found out which is which.

        A dissector that has read the one as the other is wrong, and what it has read is lost.
        """
        self.swapped = not self.swapped
        self.streams = self.streams[1], self.streams[0]
        for side, stream in enumerate(self.streams):
            stream.side = side
        for pair in (self.wanted, self.fin, self.last_data, self._closed):
            pair.reverse()
        if self.content.open and self.proxy is None:
            self.content.turn()
        else:
            self.content, self.proxy, self.midstream = Undecided(), None, True

    # Finding out what it is.

    def decide(self) -> bool:
        """Look at what came so far; False if it is certain that nobody knows this protocol."""
        content = self.content
        if content.open:
            if self.proxy is None:
                header = proxy_header(content)
                if header is Probe.NEED_MORE:
                    return True
                if isinstance(header, proxy_protocol.Header):
                    self.proxy = header
            self._recognizer.decide(content, midstream=self.midstream)
        if content.inner is not None:
            self._recognizer.look_inside(content.inner)
        return not content.dropped


class Applications:
    """The followed connections of a capture."""

    def __init__(self, connections: ConnectionTable, recognizer: Recognizer):
        self._connections = connections
        self._recognizer = recognizer
        self._followed: dict[int, Application | None] = {}  # by connection id; None: nobody wants it

    def feed(self, table: PacketTable, data: memoryview) -> None:
        """Take in the segments of a chunk that the packet stage hands on."""
        which = np.flatnonzero(table.handed[: table.count])
        if not len(which):
            return
        columns = (
            table.handed, table.connection, table.row, table.side, table.sender, table.began, table.stream_offset,
            table.ack_offset, table.missing, table.peer_missing, table.data_ns, table.data_packet, table.flags,
            table.payload, table.payload_captured, table.payload_offset, table.time_ns, table.number,
        )  # fmt: skip
        followed = self._followed
        for (
            handed, connection, row, side, sender, began, offset, acked, missing, peer_missing, data_ns, data_packet,
            flags, payload, captured, at, time_ns, packet,
        ) in zip(*(column[which].tolist() for column in columns), strict=True):  # fmt: skip
            application = followed.get(connection)
            if application is None:
                given_up = connection in followed
                if handed not in _BYTES or (given_up and handed != layout.HANDED_KNOWN):
                    continue
                if given_up:
                    self._connections.remember(row)
                application = followed[connection] = Application(row, side != sender, not began, self._recognizer)
            elif application.swapped != (side != sender):
                application.turn()
            if acked >= 0:
                application.streams[1 - side].acknowledged(acked, packet, peer_missing)
            stream = application.streams[side]
            application.last_data[side] = data_ns, data_packet
            if handed in _BYTES:
                begin = offset + 1 if flags & layout.FLAG_SYN else offset
                stream.segment(begin, payload, bytes(data[at : at + captured]), time_ns, packet, missing)
            if flags & layout.FLAG_FIN and application.fin[side] is None:
                application.fin[side] = offset + payload, time_ns, packet
            elif flags & layout.FLAG_RST:
                application.reset = time_ns, packet
            application.end(side, missing, -1)
            application.end(1 - side, peer_missing, acked)
            if not self._steer(application):
                followed[connection] = None

    def finish(self, row: list[int]) -> Application | None:
        """The connection of this row is over, or the capture is: what was found in it, and forget it."""
        application = self._followed.pop(row[layout.ID], None)
        if application is None or application.layer is None:
            return None
        states = row[layout.SIDES + layout.STATE] | row[layout.SIDES + layout.SIDE_WORDS + layout.STATE]
        application.midstream = not states & (layout.SYN_SEEN | layout.SYN_ACK_SEEN)
        swapped = bool(row[layout.FLAGS] & layout.SWAPPED)
        if application.swapped != swapped:
            application.turn()
            if application.layer is None:
                return None
        last = row[layout.LAST_NS], row[layout.LAST_PACKET]
        offsets, missing = [0, 0], [0, 0]
        for side in _SIDES:
            words = layout.SIDES + (side ^ swapped) * layout.SIDE_WORDS
            fin_at = row[words + layout.FIN_AT]
            sent = row[words + layout.SENT]
            if states & layout.RESETTER and not row[words + layout.STATE] & layout.RESETTER:
                sent = row[layout.RESET_PEER_AT]
            offsets[side] = fin_at if fin_at >= 0 else max(application.streams[side].next, sent)
            missing[side] = row[words + layout.MISSING]
            application.last_data[side] = row[words + layout.DATA_NS], row[words + layout.DATA_PACKET]
            if fin_at >= 0:
                application.finish(side, fin_at, "fin", *(application.fin[side] or (0, *last))[1:], missing[side])
        for side, stream in enumerate(application.streams):
            stream.end(offsets[side], *application.last_data[side], missing[side])
        reset = application.reset if states & layout.RESETTER else None  # not one that turned out to be ignored
        for side in _SIDES:  # only now: a reset ends both
            application.close(side, "rst" if reset else "end", *(reset or last))
        return application

    def _steer(self, application: Application) -> bool:
        """Tell the packet stage what is wanted next. False if nothing is any more."""
        if not application.decide():
            self._connections.forget(application.row)
            return False
        for side in _SIDES:
            skippable = application.skippable(side)
            if skippable > 0:
                # The segment with the last of these bytes is handed on, so that its packet and time are known.
                wanted = min(application.streams[side].next + skippable - 1, _NOBODY_WANTS)
                if wanted > application.wanted[side] + MOST_COPIED_BYTES:
                    self._connections.want(application.row, side ^ application.swapped, wanted)
                    application.wanted[side] = wanted
        return True
