# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""The states of a stream, as a table. RFC 9113 §5.1.

The RFC describes them as one endpoint sees them. Here is what somebody sees who watches both: the client is the one who
opens streams and the server the one who promises them, so "half-closed (local)" and "(remote)" are one state, named
after the side that has ended. Pure-Python mode, types in `streams.pxd`.
"""

from __future__ import annotations

import cython

COMPILED = cython.compiled

CLIENT, SERVER = 0, 1

(IDLE, RESERVED, OPEN, CLIENT_ENDED, SERVER_ENDED, CLOSED, RESET_BY_CLIENT, RESET_BY_SERVER) = range(8)
STATE_NAMES = (
    "idle", "reserved", "open", "half-closed by the client", "half-closed by the server", "closed",
    "reset by the client", "reset by the server",
)  # fmt: skip

# What may happen, beside the names of frames. PROMISES: a PUSH_PROMISE is sent on the stream; PROMISE: it is promised.
HEADERS, DATA, WINDOW_UPDATE, RST_STREAM, END_STREAM, PROMISE, PROMISES = (
    "HEADERS", "DATA", "WINDOW_UPDATE", "RST_STREAM", "END_STREAM", "PROMISE", "PROMISES",
)  # fmt: skip

# What is not here must not be. PRIORITY may be sent in any state, and changes none.
NEXT = {
    (IDLE, CLIENT, HEADERS): OPEN,
    (IDLE, SERVER, PROMISE): RESERVED,
    (RESERVED, SERVER, HEADERS): CLIENT_ENDED,
    (RESERVED, SERVER, RST_STREAM): RESET_BY_SERVER,
    (RESERVED, CLIENT, RST_STREAM): RESET_BY_CLIENT,
    (RESERVED, CLIENT, WINDOW_UPDATE): RESERVED,
    **{(OPEN, side, step): OPEN for side in (CLIENT, SERVER) for step in (HEADERS, DATA, WINDOW_UPDATE)},
    (OPEN, SERVER, PROMISES): OPEN,
    (OPEN, CLIENT, END_STREAM): CLIENT_ENDED,
    (OPEN, SERVER, END_STREAM): SERVER_ENDED,
    **{(CLIENT_ENDED, SERVER, step): CLIENT_ENDED for step in (HEADERS, DATA, WINDOW_UPDATE, PROMISES)},
    (CLIENT_ENDED, CLIENT, WINDOW_UPDATE): CLIENT_ENDED,
    (CLIENT_ENDED, SERVER, END_STREAM): CLOSED,
    **{(SERVER_ENDED, CLIENT, step): SERVER_ENDED for step in (HEADERS, DATA, WINDOW_UPDATE)},
    (SERVER_ENDED, SERVER, WINDOW_UPDATE): SERVER_ENDED,
    (SERVER_ENDED, CLIENT, END_STREAM): CLOSED,
    **{(state, CLIENT, RST_STREAM): RESET_BY_CLIENT for state in (OPEN, CLIENT_ENDED, SERVER_ENDED)},
    **{(state, SERVER, RST_STREAM): RESET_BY_SERVER for state in (OPEN, CLIENT_ENDED, SERVER_ENDED)},
    # "Endpoints MUST ignore WINDOW_UPDATE or RST_STREAM frames received in this state" for a short time.
    **{
        (state, side, step): state
        for state in (CLOSED, RESET_BY_CLIENT, RESET_BY_SERVER)
        for side in (CLIENT, SERVER)
        for step in (WINDOW_UPDATE, RST_STREAM)
    },
    # What the peer sends may have been on its way when the stream was reset.
    **{(RESET_BY_CLIENT, SERVER, step): RESET_BY_CLIENT for step in (HEADERS, DATA, END_STREAM, PROMISES)},
    **{(RESET_BY_SERVER, CLIENT, step): RESET_BY_SERVER for step in (HEADERS, DATA, END_STREAM)},
}
# The same by step, then twice the state and the side.
FORBIDDEN = -1
_AFTER = cython.declare(
    dict,
    {
        step: [NEXT.get((at >> 1, at & 1, step), FORBIDDEN) for at in range(2 * len(STATE_NAMES))]
        for step in (HEADERS, DATA, WINDOW_UPDATE, RST_STREAM, END_STREAM, PROMISE, PROMISES)
    },
)
OVER = frozenset((CLOSED, RESET_BY_CLIENT, RESET_BY_SERVER))


@cython.cfunc
def following(state: cython.int, side: cython.int, step: str) -> cython.int:
    """The next state; `FORBIDDEN` for what `NEXT` does not have."""
    after: list = _AFTER[step]
    return after[2 * state + side]


def error_of(state):
    """The error code for what `NEXT` does not have."""
    return "PROTOCOL_ERROR" if state in (IDLE, RESERVED, OPEN) else "STREAM_CLOSED"


@cython.no_gc
@cython.final
@cython.cclass
class Stream:
    """A stream that is not over. Pairs are per side."""

    def __init__(self, number, exchange, state, uncertain):
        self.number = number
        self.exchange = exchange
        self.state = state
        self.uncertain = uncertain  # frames of it may be missing
        self.early = False  # the response was captured before the request
        self.final = False  # the final response has begun
        self.body = [0, 0]  # bytes of DATA without padding
        self.credit = [0, 0]  # by how much the flow-control window differs from the initial one
        self.expected = [-1, -1]  # Content-Length; -1: none, or it says nothing
        self.grpc = None  # messages of each side
        self.run = [None, None]  # of DATA
        self.sent = [-1, -1]  # when, in HEADERS and DATA frames of the connection, it last had one
        self.opened = 0  # as `Multiplexing` counts
        self.overlapped = 0
        self.tunnel = None  # from a CONNECT on, unless it is refused
        self.violations = 0
