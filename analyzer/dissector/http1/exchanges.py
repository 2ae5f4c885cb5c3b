"""What the HTTP/1 dissector finds: exchanges, and the steps the flow pages are matched against."""

from __future__ import annotations

import msgspec

from analyzer.model import Side

Field = tuple[str, str]  # name and value


class Message(msgspec.Struct, gc=False):
    """A request or a response. Sizes in bytes, times in ns as they were fed."""

    version: str  # "HTTP/1.1"
    packet: int  # its first byte
    head_packet: int  # the last byte of its head
    last_packet: int  # its last byte so far
    header_bytes: int  # start line, fields and the empty line
    body_bytes: int = 0  # content: without the framing of chunks
    body_lost: int = 0  # of these, bytes that are not in the capture
    trailer_bytes: int = 0
    persistent: bool = False  # what this message alone says about the connection, RFC 9112 §9.3
    complete: bool = False
    cut: str | None = None  # why it is not complete: fin, rst, end (of the capture), or the cause of a gap
    block: bytes = b""  # the field lines, if they were asked for
    trailers: list[bytes] = []

    @property
    def header_bytes_on_wire(self) -> int:
        """HTTP/1 does not compress header fields."""
        return self.header_bytes

    @property
    def fields(self) -> list[Field]:
        """Header fields in the order sent, then trailer fields. Secrets are in it: whoever prints it takes them out.

        Empty unless the dissector was told to keep them.
        """
        lines = [line.lstrip(b"\n") for line in (*self.block.split(b"\r\n"), *self.trailers)]
        halves = (line.decode("utf-8", "backslashreplace").partition(":") for line in lines if line)
        return [(name.strip(), value.strip(" \t")) for name, _, value in halves]


class Request(Message, gc=False, kw_only=True):
    """RFC 9112 §3."""

    method: str
    target: str
    authority: str | None


class Response(Message, gc=False, kw_only=True):
    """RFC 9112 §4. No status: an HTTP/0.9 response, which is a body and nothing else."""

    status: int | None


class Exchange(msgspec.Struct, gc=False):
    """A request and its response; one of them may be missing."""

    request: Request | None = None
    response: Response | None = None
    interim: list[int] = []  # statuses of interim responses
    started_ns: int | None = None  # first byte of the request
    first_byte_ns: int | None = None  # first byte of the final response
    finished_ns: int | None = None  # last byte of the final response
    persistent: bool | None = None  # whether the connection may carry another exchange after this one, RFC 9112 §9.3


class HttpEvent(msgspec.Struct, frozen=True, gc=False):
    """A step; what the fields mean is said where the names are, in the package."""

    side: Side
    step: str
    packet: int
    at_ns: int  # as fed
    outstanding: int  # other requests that are not answered to the end yet
    method: str | None
    target: str | None
    authority: str | None
    status: int | None
    version: str | None
    protocol: str | None = None
