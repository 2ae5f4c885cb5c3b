"""What the HTTP/2 dissector finds: exchanges, and the steps the flow pages are matched against."""

from __future__ import annotations

import msgspec

from analyzer.dissector.handover import Handover
from analyzer.model import Side

Field = tuple[str, str]  # name and value; "?" for what depends on header fields that were not captured


class Message(msgspec.Struct, gc=False, kw_only=True):
    """A request or a response. Sizes in bytes."""

    packet: int  # its first byte
    head_packet: int  # the last byte of its header block
    last_packet: int  # its last byte so far
    header_bytes: int  # fields known, as lines of HTTP/1.1: "name: value" and CRLF
    header_bytes_on_wire: int  # of the block: without frame headers, padding and priority
    fields_unknown: int = 0  # fields that depend on what was not captured
    body_bytes: int = 0  # content: DATA without padding
    body_lost: int = 0  # of these, bytes that are not in the capture
    trailer_bytes: int = 0
    trailer_bytes_on_wire: int = 0
    complete: bool = False
    cut: str | None = None  # why it is not complete: fin, rst, end (of the capture), RST_STREAM, or a gap's cause
    header_fields: list[Field] = []
    trailers: list[Field] = []

    @property
    def fields(self) -> list[Field]:
        """Header fields in the order sent, then trailer fields. Secrets are in it: whoever prints it takes them out.

        Empty unless the dissector was told to keep them.
        """
        return self.header_fields + self.trailers


class Request(Message, gc=False, kw_only=True):
    """RFC 9113 §8.3.1. None: not sent, or not known."""

    method: str | None
    target: str | None  # :path; of CONNECT, :authority
    authority: str | None  # :authority, else Host
    scheme: str | None
    protocol: str | None = None  # of an extended CONNECT, RFC 8441 §4
    priority: str | None = None  # the field, or the last PRIORITY_UPDATE, RFC 9218 §4


class Response(Message, gc=False, kw_only=True):
    """RFC 9113 §8.3.2."""

    status: int | None  # None: not known


class Grpc(msgspec.Struct, gc=False):
    """A gRPC call. Messages per side: complete ones; None once bytes that tell where they begin were lost."""

    status: int | None = None  # of the trailers: grpc-status
    client_messages: int | None = 0
    server_messages: int | None = 0


class Exchange(msgspec.Struct, gc=False):
    """A stream: a request and its response; one of them may be missing. Times in ns as fed."""

    stream: int
    request: Request | None = None
    response: Response | None = None
    interim: list[int] = []  # statuses of interim responses
    started_ns: int | None = None  # first byte of the request
    first_byte_ns: int | None = None  # first byte of the final response
    finished_ns: int | None = None  # last byte of the final response
    pushed: bool = False
    promised_on: int | None = None  # the stream whose response brought the promise
    events: list[Http2Event] = []
    events_beyond: int = 0
    closed_by_reset: Side | None = None
    error: str | None = None  # of the RST_STREAM, as IANA names it
    above_goaway: bool = False  # opened by the receiver of a GOAWAY with a lower last stream: not processed (§6.8)
    grpc: Grpc | None = None
    multiplexed_with: list[int] = []  # streams that were open at the same time; at most `MOST_LISTED`
    multiplexed: int = 0  # how many there were
    tunnel: Handover | None = None  # what a CONNECT led to, RFC 9113 §8.5, RFC 8441
    interleaved: bool = False  # one side's HEADERS and DATA of this and other streams alternate


class Http2Event(msgspec.Struct, gc=False):
    """A step; what the fields mean is said where the names are, in the package. Only a run of DATA still changes."""

    side: Side
    step: str
    packet: int
    at_ns: int  # as fed
    stream: int  # 0: the connection
    length: int | None = None
    status: int | None = None
    error: str | None = None
    last_stream: int | None = None
    grpc_status: int | None = None
    times: int = 1  # frames in a run of DATA
    last_packet: int = 0  # of a run
    last_ns: int = 0
    request: Request | None = None

    @property
    def method(self) -> str | None:
        return self.request.method if self.request is not None else None

    @property
    def target(self) -> str | None:
        return self.request.target if self.request is not None else None

    @property
    def authority(self) -> str | None:
        return self.request.authority if self.request is not None else None

    @property
    def scheme(self) -> str | None:
        return self.request.scheme if self.request is not None else None

    @property
    def protocol(self) -> str | None:
        return self.request.protocol if self.request is not None else None


class Goaway(msgspec.Struct, frozen=True, gc=False):
    """RFC 9113 §6.8. `last_stream` of 2147483647: the first step of a graceful close."""

    side: Side
    error: str
    last_stream: int
    packet: int
    at_ns: int
    debug: str = ""  # printable, cut


class Alternative(msgspec.Struct, frozen=True, gc=False):
    """An ALTSVC frame of the server (RFC 7838 §4). Texts printable, cut."""

    stream: int  # 0: for `origin`; else for the origin of the stream's request
    origin: str | None
    value: str  # as in the Alt-Svc field
    packet: int


class Origins(msgspec.Struct, frozen=True, gc=False):
    """An ORIGIN frame of the server (RFC 8336 §2). Texts printable, cut."""

    origins: list[str]
    packet: int


class Stall(msgspec.Struct, frozen=True, gc=False):
    """A sender whose flow-control window was used up, and who went on when its peer had enlarged it (§5.2)."""

    stream: int  # whose window; 0: the connection's
    side: Side  # who waited
    from_ns: int
    length_ns: int
    packet: int  # what enlarged the window


class HeadOfLine(msgspec.Struct, gc=False):
    """Bytes that were captured, and could not be read before a missing segment came: TCP keeps the order."""

    side: Side  # whose bytes
    packet: int  # the one that had been missing
    from_ns: int  # when the first of the waiting bytes were captured
    length_ns: int
    missing: list[int] = []  # streams with frames in the missing segment
    waiting: list[int] = []  # other streams, with frames in the bytes that waited


class Upgraded(msgspec.Struct, frozen=True, gc=False):
    """The HTTP/1.1 request that became stream 1 (RFC 7540 §3.2)."""

    method: str
    target: str
    authority: str | None
    header_bytes: int
    packet: int
    at_ns: int  # its first byte
    body_bytes: int = 0
    settings: str | None = None  # the value of HTTP2-Settings (RFC 7540 §3.2.1)
    head_packet: int = 0  # its last byte
