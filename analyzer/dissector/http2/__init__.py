"""What HTTP/2 calls its steps: the names the flow pages of `http2` and `http2-stream` may use, and what each means.

RFC 9113 if no other document is named. A frame is a step where its last byte arrived; a header block where its last
frame (HEADERS, PUSH_PROMISE or CONTINUATION, §4.3) did.

Of the connection:

`Preface`
    The client's connection preface (§3.4), without the SETTINGS that follow it.
`SETTINGS`, `SETTINGS ACK`
    §6.5, §6.5.3.
`HEADERS`
    The first request of the connection, once: all that follows are steps of streams. After an Upgrade it is the
    HTTP/1.1 request, and comes before all others.
`PING`, `PING ACK`
    §6.7.
`WINDOW_UPDATE`
    Of the connection's window (§6.9): stream 0.
`PRIORITY_UPDATE`
    RFC 9218 §7.1.
`ORIGIN`
    RFC 8336 §2.
`ALTSVC`
    RFC 7838 §4, on stream 0 or any other.
`GOAWAY`
    §6.8. `last_stream` of 2147483647 announces the real one: the graceful close has two steps.
`Violation`
    A connection error (§5.4.1): what the frame's sender must not do. `error` is the code that its peer should answer
    with.

Of a stream:

`HEADERS`
    A request, or a final response. A request that was promised is PUSH_PROMISE. After an Upgrade stream 1 begins with
    HEADERS and END_STREAM of the client: the HTTP/1.1 request (RFC 7540 §3.2).
`Interim HEADERS`
    A response with a status of 100 to 199 (§8.1).
`Trailers`
    The field section after a body (§8.1).
`DATA`
    §6.1. One step per run of DATA of a side, where the run's first frame ended: another step of that side ends a run.
`END_STREAM`
    The side sends no more on this stream (§5.1): follows the step of the frame that carries the flag.
`PUSH_PROMISE`
    A promised request (§6.6), the first step of the stream that was promised.
`RST_STREAM`
    §6.4.
`Violation`
    A stream error (§5.4.2), a malformed message (§8.1.1) included.

WINDOW_UPDATE and PRIORITY of a stream are counted and no steps; so is what comes after a stream was closed.
`method`, `target`, `authority`, `scheme` and `protocol` of any step of a stream are those of its request, as far as
they are known by then.

This module holds names only, so that reading the flow pages costs nothing more; `connection.py` is the dissector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CONNECTION_STEPS: Final = (
    "Preface", "SETTINGS", "SETTINGS ACK", "HEADERS", "PING", "PING ACK", "WINDOW_UPDATE", "PRIORITY_UPDATE", "ORIGIN",
    "ALTSVC", "GOAWAY", "Violation",
)  # fmt: skip

STREAM_STEPS: Final = (
    "HEADERS", "Interim HEADERS", "Trailers", "DATA", "END_STREAM", "PUSH_PROMISE", "RST_STREAM", "Violation",
)  # fmt: skip

ATTRIBUTES: Final[Mapping[str, str]] = {
    "method": "text",
    "target": "text",  # :path, or for CONNECT :authority (RFC 9113 §8.5)
    "authority": "text",  # :authority, else Host
    "scheme": "text",
    "protocol": "text",  # :protocol of an extended CONNECT (RFC 8441 §4): "websocket"
    "status": "number",
    "error": "text",  # IANA's name of an error code, of GOAWAY, RST_STREAM and Violation: "REFUSED_STREAM"
    "last_stream": "number",  # of GOAWAY
    "length": "number",  # bytes of the frame's payload; of a header block, of the block; of a run of DATA, of all of it
    "grpc_status": "number",  # of Trailers, or of a response that has only them
}
