# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What the HTTP/1 dissector finds: exchanges, and the steps the flow pages are matched against.

Ordinary Python in Cython's pure-Python mode; `exchanges.pxd` has the types. Two objects are equal if all that is known
of them is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cython

from analyzer.dissector.http1 import STEPS

if TYPE_CHECKING:
    from analyzer.model import Side

COMPILED = cython.compiled

# A time that is not known. Within the dissector times are C integers; its users see None.
NEVER = -(1 << 63)
_NEVER = cython.declare(cython.longlong, NEVER)

_SIDES: tuple[Side, Side] = ("client", "server")
_NO_INTERIM: list = []  # nobody changes it


@cython.no_gc
@cython.cclass
class Message:
    """A request or a response. Sizes in bytes, times in ns as they were fed."""

    def __init__(self):
        self.version = ""  # "HTTP/1.1"
        self.packet = 0  # its first byte
        self.head_packet = 0  # the last byte of its head
        self.last_packet = 0  # its last byte so far
        self.header_bytes = 0  # start line, fields and the empty line
        self.body_bytes = 0  # content: without the framing of chunks
        self.body_lost = 0  # of these, bytes that are not in the capture
        self.trailer_bytes = 0
        self.persistent = False  # what this message alone says about the connection, RFC 9112 §9.3
        self.complete = False
        self.cut = None  # why it is not complete: fin, rst, end (of the capture), or the cause of a gap
        self.block = b""  # the field lines, if they were asked for
        self.trailers = None  # and those of the trailer section

    @property
    def header_bytes_on_wire(self) -> int:
        """HTTP/1 does not compress header fields."""
        return self.header_bytes

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Header fields in the order sent, then trailer fields, as name and value. Secrets are in it: whoever prints it
        takes them out.

        Empty unless the dissector was told to keep them.
        """
        lines = [line.lstrip(b"\n") for line in (*self.block.split(b"\r\n"), *(self.trailers or ()))]
        halves = (line.decode("utf-8", "backslashreplace").partition(":") for line in lines if line)
        return [(name.strip(), value.strip(" \t")) for name, _, value in halves]

    def known(self) -> tuple:
        """All that is known of it."""
        return (
            self.version, self.packet, self.head_packet, self.last_packet, self.header_bytes, self.body_bytes,
            self.body_lost, self.trailer_bytes, self.persistent, self.complete, self.cut, self.block,
            tuple(self.trailers or ()),
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.known() == other.known()

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.known()}"


@cython.no_gc
@cython.final
@cython.cclass
class Request(Message):
    """RFC 9112 §3."""

    def __init__(self):
        Message.__init__(self)
        self.method = ""
        self.target = ""  # as sent
        self.authority = None  # of an absolute target, else of Host

    def known(self) -> tuple:
        return (self.method, self.target, self.authority, *Message.known(self))


@cython.no_gc
@cython.final
@cython.cclass
class Response(Message):
    """RFC 9112 §4."""

    def __init__(self):
        Message.__init__(self)
        self.code = -1

    @property
    def status(self) -> int | None:
        """None: an HTTP/0.9 response, which is a body and nothing else."""
        return None if self.code < 0 else self.code

    def known(self) -> tuple:
        return (self.code, *Message.known(self))


@cython.no_gc
@cython.freelist(64)
@cython.final
@cython.cclass
class Exchange:
    """A request and its response; one of them may be missing."""

    def __init__(self):
        self.request = None
        self.response = None
        self.interim = _NO_INTERIM  # statuses of interim responses
        self.started = _NEVER
        self.first_byte = _NEVER
        self.finished = _NEVER
        self.persistent = None  # whether the connection may carry another exchange after this one, RFC 9112 §9.3

    @property
    def started_ns(self) -> int | None:
        """First byte of the request."""
        return None if self.started == _NEVER else self.started

    @property
    def first_byte_ns(self) -> int | None:
        """First byte of the final response."""
        return None if self.first_byte == _NEVER else self.first_byte

    @property
    def finished_ns(self) -> int | None:
        """Last byte of the final response."""
        return None if self.finished == _NEVER else self.finished

    def known(self) -> tuple:
        """All that is known of it."""
        return (
            self.request, self.response, self.interim, self.started_ns, self.first_byte_ns, self.finished_ns,
            self.persistent,
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.known() == other.known()

    def __repr__(self) -> str:
        return f"Exchange{self.known()}"


@cython.no_gc
@cython.freelist(64)
@cython.final
@cython.cclass
class HttpEvent:
    """A step; what the fields mean is said where the names are, in the package."""

    def __init__(self):
        self.by = 0
        self.code = 0
        self.packet = 0
        self.at_ns = 0  # as fed
        self.outstanding = 0  # other requests that are not answered to the end yet
        self.request = None  # the one it is, or answers
        self.said = -1  # a response's status
        self.version = None
        self.protocol = None

    @property
    def side(self) -> Side:
        return _SIDES[self.by]

    @property
    def step(self) -> str:
        return STEPS[self.code]

    @property
    def method(self) -> str | None:
        return None if self.request is None else self.request.method

    @property
    def target(self) -> str | None:
        return None if self.request is None else self.request.target

    @property
    def authority(self) -> str | None:
        return None if self.request is None else self.request.authority

    @property
    def status(self) -> int | None:
        return None if self.said < 0 else self.said

    def known(self) -> tuple:
        """All that is known of it."""
        return (
            self.side, self.step, self.packet, self.at_ns, self.outstanding, self.method, self.target, self.authority,
            self.status, self.version, self.protocol,
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.known() == other.known()

    def __repr__(self) -> str:
        return f"HttpEvent{self.known()}"
