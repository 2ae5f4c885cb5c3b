"""What is remembered of one direction of a connection."""

from __future__ import annotations

from typing import Final

from analyzer.dissector.http1.exchanges import Exchange, Message
from analyzer.dissector.http1.resync import Resync

CLIENT: Final = 0
SERVER: Final = 1

# What a side's next byte belongs to.
HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILERS, UNTIL_CLOSE, LOST, HOLD, HANDED, RESUMABLE, DONE = range(12)
BODY: Final = (LENGTH, CHUNK_DATA, UNTIL_CLOSE)


class Side:
    """One direction."""

    __slots__ = (
        "at_ns", "began_ns", "began_packet", "buffer", "closed", "early", "exchange", "held", "held_bytes", "hold",
        "line_seen", "lost_packet", "message", "messages", "number", "packet", "pushback", "remaining", "resync",
        "said_close", "seen", "state",
    )  # fmt: skip

    def __init__(self, number: int):
        self.number = number
        self.state = HEAD
        self.at_ns = 0
        self.packet = 0
        self.began_ns = 0  # first byte of the message that is being read
        self.began_packet = 0
        self.buffer = bytearray()  # an incomplete head or line
        self.line_seen = False  # the buffer holds a start line
        self.remaining = 0  # of a body or a chunk
        self.message: Message | None = None  # whose body this is
        self.exchange: Exchange | None = None  # what `message` belongs to
        self.messages = 0
        self.seen = False  # there were bytes
        self.said_close = False  # a message had the connection option `close`
        self.early: Exchange | None = None  # whose response came before this request's head had ended
        self.hold: Exchange | None = None  # its response decides what this side's next bytes are
        self.held: list[tuple[bytes, int, str, int, int]] = []
        self.held_bytes = 0
        self.pushback: bytes | None = None  # to be read before anything else
        self.resync: Resync | None = None
        self.lost_packet = 0  # where `resync` began
        self.closed: tuple[str, int, int] | None = None  # how, when, packet
