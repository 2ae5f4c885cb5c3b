# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""Start lines, field lines, and what they say about the length of a body. RFC 9112 if no other document is named.

A head that follows the grammar is read in one pass that looks for the few fields that matter; all others are never
looked at. What does not is a matter of `odd.py`. Input is `bytes`; nothing here raises for any input. Pure-Python mode,
types in `head.pxd`.
"""

from __future__ import annotations

import re

import cython

from analyzer.dissector.http1 import odd
from analyzer.dissector.http1.odd import KNOWN_METHODS, TOKEN

if cython.compiled:
    from cython.cimports.analyzer.dissector.http1.states import *
else:
    from analyzer.dissector.http1.states import *

COMPILED = cython.compiled

_VERSION_1_0 = cython.declare(str, "HTTP/1.0")
_VERSION_1_1 = cython.declare(str, "HTTP/1.1")
_WITH_PATHS = cython.declare(dict, {method: method.decode() for method in KNOWN_METHODS - {b"CONNECT"}})
# 1 where a byte may be part of a token, RFC 9110 §5.6.2.
_TOKEN_BYTES = cython.declare(bytes, bytes(re.match(TOKEN, bytes([byte])) is not None for byte in range(256)))
_NOTHING = cython.declare(tuple, ())


@cython.no_gc
@cython.final
@cython.cclass
class RequestLine:
    """§3. A version of HTTP/0.9: there was none."""

    def __init__(self):
        self.method = ""
        self.target = ""
        self.version = ""
        self.fault = None
        self.authority = None  # of an absolute or an authority target


@cython.no_gc
@cython.final
@cython.cclass
class StatusLine:
    """§4. The reason means nothing and is not kept."""

    def __init__(self):
        self.version = ""
        self.status = 0
        self.fault = None


@cython.cfunc
def _version_at(line: bytes, at: cython.Py_ssize_t) -> str | None:
    """The version that the eight bytes from `at` on are; None if they are none that most messages have."""
    if (
        line[at] == 72 and line[at + 1] == 84 and line[at + 2] == 84 and line[at + 3] == 80 and line[at + 4] == 47
        and line[at + 5] == 49 and line[at + 6] == 46
    ):  # fmt: skip
        if line[at + 7] == 49:
            return _VERSION_1_1
        if line[at + 7] == 48:
            return _VERSION_1_0
    return None


@cython.ccall
def parse_request_line(line: bytes) -> RequestLine | None:
    """A request line without its line end; None if it is none."""
    size: cython.Py_ssize_t = len(line)
    blank: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t
    byte: cython.uchar
    while blank < size and line[blank] != 32:
        blank += 1
    if blank + 11 <= size and line[blank + 1] == 47 and line[size - 9] == 32:
        version = _version_at(line, size - 8)
        method = _WITH_PATHS.get(line[:blank])
        if version is not None and method is not None:
            for at in range(blank + 1, size - 9):
                byte = line[at]
                if byte <= 32 or byte >= 127:
                    return _odd_request_line(line)
            found: RequestLine = RequestLine()
            found.method = method
            found.target = line[blank + 1 : size - 9].decode("ascii")
            found.version = version
            return found
    return _odd_request_line(line)


@cython.cfunc
def _odd_request_line(line: bytes) -> RequestLine | None:
    read = odd.request_line(line)
    if read is None:
        return None
    found: RequestLine = RequestLine()
    found.method, found.target, found.version, found.fault, found.authority = read
    return found


@cython.ccall
def parse_status_line(line: bytes) -> StatusLine | None:
    """A status line without its line end; None if it is none."""
    size: cython.Py_ssize_t = len(line)
    if size < 12 or line[8] != 32 or (size > 12 and line[12] != 32):
        return _odd_status_line(line)
    version = _version_at(line, 0)
    one: cython.int = line[9] - 48
    two: cython.int = line[10] - 48
    three: cython.int = line[11] - 48
    if version is None or not (0 <= one <= 9 and 0 <= two <= 9 and 0 <= three <= 9):
        return _odd_status_line(line)
    found: StatusLine = StatusLine()
    found.version = version
    found.status = one * 100 + two * 10 + three
    if not 1 <= one <= 5:
        found.fault = f"no response has the status {found.status} (RFC 9110 §15)"
    return found


@cython.cfunc
def _odd_status_line(line: bytes) -> StatusLine | None:
    read = odd.status_line(line)
    if read is None:
        return None
    found: StatusLine = StatusLine()
    found.version, found.status, found.fault = read
    return found


@cython.no_gc
@cython.final
@cython.cclass
class Fields:
    """The field lines of a head. One pass over them finds out whether they follow the grammar, and what the fields say
    that matter to the connection; all others are never looked at."""

    def __init__(self):
        self.head = b""
        self.begin = 0  # of the block, in `head`
        self.end = 0
        self._block = None
        self._lower = None
        self.faults = _NOTHING
        self.hosts = 0  # Host fields
        self.host_begin = 0  # the first one's value
        self.host_end = 0
        self.connections = 0  # Connection fields
        self.usual = True  # they are `close` or `keep-alive`
        self.close = False  # connection options
        self.keep_alive = False
        self.upgrade = False
        self.upgrades = False  # there is an Upgrade field
        self.lengths = 0  # Content-Length fields
        self.number = -1  # what they say, if it is one number
        self.codings = 0  # Transfer-Encoding fields
        self.chunked = False  # they are `chunked`
        self.kind = NO_BODY  # how the end of the body is found, once `frame` was called
        self.length = 0
        self.length_faults = _NOTHING

    @property
    def block(self) -> bytes:
        """The lines: it begins with the LF of the start line and ends with an empty line; every line in it ends with
        CRLF and is well-formed."""
        if self._block is None:
            self._block = self.head[self.begin : self.end]
        return self._block

    @property
    def lower(self) -> bytes:
        if self._lower is None:
            self._lower = self.block.lower()
        return self._lower

    @cython.cfunc
    def read(self, head: bytes, begin: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Reads the lines behind the LF at `begin` up to and with the empty one. Index after it; -1: there is none, or
        a line is not well-formed: then this object is of no further use."""
        at: cython.Py_ssize_t = begin + 1
        size: cython.Py_ssize_t = len(head)
        name: cython.Py_ssize_t
        colon: cython.Py_ssize_t
        length: cython.Py_ssize_t
        byte: cython.uchar
        self.head = head
        self.begin = begin
        while at < size:
            if head[at] == 13:
                if at + 1 >= size or head[at + 1] != 10:
                    return -1
                self.end = at + 2
                self._done()
                return self.end
            name = at
            while at < size and _TOKEN_BYTES[head[at]]:
                at += 1
            if at in (name, size) or head[at] != 58:  # colon
                return -1
            colon = at
            at += 1
            while at < size:
                # §5; no bare CR, LF or NUL in a value (RFC 9110 §5.5).
                byte = head[at]
                if byte <= 13 and (byte == 13 or byte == 10 or byte == 0):
                    break
                at += 1
            if at + 1 >= size or head[at] != 13 or head[at + 1] != 10:
                return -1
            length = colon - name
            if length == 4 or length == 7 or length == 10 or length == 14 or length == 17:
                self._found(name, colon, colon + 1, at)
            at += 2
        return -1

    @cython.cfunc
    def _found(
        self, name: cython.Py_ssize_t, colon: cython.Py_ssize_t, begin: cython.Py_ssize_t, end: cython.Py_ssize_t
    ) -> cython.void:
        """A field whose name is as long as one of those that matter; its value from `begin` to `end`."""
        head: bytes = self.head
        at: cython.Py_ssize_t
        number: cython.longlong = 0
        while begin < end and (head[begin] == 32 or head[begin] == 9):
            begin += 1
        while begin < end and (head[end - 1] == 32 or head[end - 1] == 9):
            end -= 1
        if colon - name == 4:
            if self._is(name, b"host"):
                if self.hosts == 0:
                    self.host_begin = begin
                    self.host_end = end
                self.hosts += 1
        elif colon - name == 7:
            if self._is(name, b"upgrade"):
                self.upgrades = True
        elif colon - name == 10:
            if self._is(name, b"connection"):
                self.connections += 1
                if end - begin == 5 and self._is(begin, b"close"):
                    self.close = True
                elif end - begin == 10 and self._is(begin, b"keep-alive"):
                    self.keep_alive = True
                else:
                    self.usual = False
        elif colon - name == 14:
            if self._is(name, b"content-length"):
                self.lengths += 1
                self.number = -1
                if self.lengths > 1 or begin == end or end - begin > 18:
                    return
                for at in range(begin, end):
                    if not 48 <= head[at] <= 57:
                        return
                    number = number * 10 + head[at] - 48
                self.number = number
        elif self._is(name, b"transfer-encoding"):
            self.codings += 1
            self.chunked = self.codings == 1 and end - begin == 7 and self._is(begin, b"chunked")

    @cython.cfunc
    def _is(self, at: cython.Py_ssize_t, name: bytes) -> cython.bint:
        """Whether these letters and hyphens stand there, in either case."""
        head: bytes = self.head
        k: cython.Py_ssize_t
        for k in range(len(name)):  # noqa: SIM110 - a loop in C
            if head[at + k] | 32 != name[k]:
                return False
        return True

    @cython.cfunc
    def _done(self) -> cython.void:
        if self.connections and not self.usual:
            options = self.tokens(b"\nconnection:")
            self.close = b"close" in options
            self.keep_alive = b"keep-alive" in options
            self.upgrade = b"upgrade" in options

    @cython.cfunc
    def host(self) -> str:
        """The first Host field's value."""
        value: bytes = self.head[self.host_begin : self.host_end]
        return value.decode("ascii") if value.isascii() else odd.text_of(value)

    @cython.cfunc
    def frame(self, version: str, response: cython.bint, bodiless: cython.bint) -> cython.void:
        """Finds out how long the body is (§6.3): `kind`, `length` and `length_faults`. `bodiless`: a response to HEAD,
        or 1xx, 204, 304, whatever its fields say."""
        if not self.codings:
            if not self.lengths:
                self.kind = BY_CLOSE if response and not bodiless else NO_BODY  # rules 7 and 8
                return
            if self.number >= 0:
                if self.number and not bodiless:
                    self.kind = BY_LENGTH
                    self.length = self.number
                return
            length, fault = odd.content_length(self)
            if bodiless:  # rule 1
                if length is None and fault:
                    self.length_faults = (fault,)
                return
            if fault:
                self.length_faults = (fault,)
            if length is None:
                self.kind = UNKNOWN  # rule 5
            elif length:
                self.kind = BY_LENGTH
                self.length = length
            return
        if bodiless:
            return
        if self.chunked and not self.lengths and version >= "HTTP/1.1":
            self.kind = BY_CHUNKS  # rule 4
            return
        self.kind, self.length, self.length_faults = odd.transfer_coded(self, version, response)

    def values(self, key: bytes) -> list:
        """All values of a field, without the blanks around them. `key`: as b"\\nhost:"."""
        lower = self.lower
        at = lower.find(key)
        found = []
        while at >= 0:
            start = at + len(key)
            end = lower.index(b"\r", start)
            found.append(self.block[start:end].strip(b" \t"))
            at = lower.find(key, end)
        return found

    def tokens(self, key: bytes) -> list:
        """A field that is a list (RFC 9110 §5.6.1), in lower case; empty elements do not count."""
        elements = [element.strip(b" \t") for value in self.values(key) for element in value.lower().split(b",")]
        return [element for element in elements if element]

    def first(self, key: bytes):
        """A field's first value; None if there is none."""
        values = self.values(key)
        return values[0] if values else None


@cython.cfunc
def fields_of(head: bytes, begin: cython.Py_ssize_t) -> Fields:
    """The fields of a head whose start line ends with the LF at `begin`, repaired where they are not well-formed."""
    fields: Fields = Fields()
    if begin > 0 and head[begin - 1] == 13 and fields.read(head, begin) == len(head):
        return fields
    fields = Fields()
    block, fields.faults = odd.repaired(head, begin)
    fields.read(block, 0)
    return fields
