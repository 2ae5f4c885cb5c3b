# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What is remembered of one direction of a connection. Pure-Python mode, types in `side.pxd`."""

from __future__ import annotations

import cython

if cython.compiled:
    from cython.cimports.analyzer.dissector.http1.states import HEAD
else:
    from analyzer.dissector.http1.states import HEAD

COMPILED = cython.compiled


@cython.no_gc
@cython.final
@cython.cclass
class Side:
    """One direction."""

    def __init__(self, number):
        self.number = number
        self.state = HEAD
        self.at_ns = 0
        self.packet = 0
        self.began_ns = 0  # first byte of the message that is being read
        self.began_packet = 0
        self.buffer = None  # an incomplete head or line; None: there was none yet
        self.line_seen = False  # the buffer holds a start line
        self.remaining = 0  # of a body or a chunk
        self.message = None  # whose body this is
        self.exchange = None  # what `message` belongs to
        self.messages = 0
        self.seen = False  # there were bytes
        self.said_close = False  # a message had the connection option `close`
        self.early = None  # whose response came before this request's head had ended
        self.hold = None  # its response decides what this side's next bytes are
        self.held = None  # bytes, how many are missing and why, time, packet
        self.held_bytes = 0
        self.pushback = None  # to be read before anything else
        self.resync = None
        self.lost_packet = 0  # where `resync` began
        self.closed = None  # how
        self.closed_ns = 0
        self.closed_packet = 0

    @cython.cfunc
    def waiting(self) -> bytearray:
        """`buffer`, to add to it."""
        if self.buffer is None:
            self.buffer = bytearray()
        return self.buffer
