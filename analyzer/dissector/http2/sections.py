# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""What a field section says, and what is wrong with it. RFC 9113 §8.

What is not known of a section is no fault of it. Pure-Python mode, types in `sections.pxd`.
"""

from __future__ import annotations

import cython

if cython.compiled:
    from cython.cimports.analyzer.dissector.http2.header_blocks import Block
else:
    from analyzer.dissector.http2.header_blocks import Block

COMPILED = cython.compiled

REQUEST, RESPONSE, TRAILERS = "request", "response", "trailers"

_CONNECTION_SPECIFIC = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)  # §8.2.2
_PSEUDO = {
    REQUEST: frozenset((b":method", b":scheme", b":authority", b":path", b":protocol")),  # §8.3.1, RFC 8441 §4
    RESPONSE: frozenset((b":status",)),  # §8.3.2
    TRAILERS: frozenset(),  # §8.1
}
_SEEN = frozenset(
    (b"host", b"content-length", b"content-type", b"grpc-status", b"priority", b"te", b"sec-websocket-extensions")
)
_SHOWN = 60  # bytes of a name in a message


@cython.no_gc
@cython.final
@cython.cclass
class Section:
    """One field section. `faults` say each kind of malformation once (§8.1.1): kind and message; None: there are
    none."""

    def __init__(self, kind, block):
        self.kind = kind
        self.faults = None
        self._pseudo = {}
        self._seen = {}
        self._read(block)

    @cython.cfunc
    def pseudo(self, name: bytes) -> bytes | None:
        return self._pseudo.get(name)

    @cython.cfunc
    def field(self, name: bytes) -> bytes | None:
        """The last value of one of the few fields that are looked at."""
        return self._seen.get(name) if self._seen else None

    @cython.cfunc
    def number(self, name: bytes) -> object:
        """The value as a number; None if it is none."""
        value: bytes = self.field(name)
        number: cython.longlong = _digits(value, 18)
        return number if number >= 0 else None

    @cython.cfunc
    def status(self) -> object:
        """As a number; None if it is none, or not known."""
        value: bytes = self._pseudo.get(b":status")
        number: cython.longlong = _digits(value, 3)
        return number if number >= 100 else None

    @cython.cfunc
    def _read(self, block: Block) -> cython.void:
        allowed: frozenset = _PSEUDO[self.kind]
        pseudo: dict = self._pseudo
        regular: cython.bint = False
        entry: tuple
        name: bytes
        value: bytes
        self.unknown = block.unknown > 0 or block.error is not None
        for entry in block.fields:
            name = entry[0]
            value = entry[1]
            if name is None:
                continue
            if len(name) and name[0] == 58:
                if regular:
                    self.fault("order", f"`{_shown(name)}` after a regular field (RFC 9113 §8.3)")
                if name not in allowed:
                    self.fault("pseudo", f"`{_shown(name)}` in {self.kind} (RFC 9113 §8.3)")
                elif name in pseudo:
                    self.fault("twice", f"`{_shown(name)}` twice (RFC 9113 §8.3)")
                else:
                    pseudo[name] = value
            else:
                regular = True
                if not _is_name(name):
                    self._bad_name(name)
                elif name in _CONNECTION_SPECIFIC:
                    self.fault("connection", f"the field `{_shown(name)}` (RFC 9113 §8.2.2)")
                elif name in _SEEN:
                    self._seen[name] = value
                    if name == b"te" and value is not None and value.lower() != b"trailers":
                        self.fault("connection", "`te` other than trailers (RFC 9113 §8.2.2)")
            if value is not None and not _is_value(value):
                self.fault("value", f"the value of `{_shown(name)}` (RFC 9113 §8.2.1)")
        if self.kind == REQUEST:
            self._check_request()
        elif self.kind == RESPONSE:
            self._check_response()

    @cython.cfunc
    def fault(self, kind: str, message: str) -> cython.void:
        if self.faults is None:
            self.faults = {}
        self.faults.setdefault(kind, message)

    @cython.cfunc
    def _bad_name(self, name: bytes) -> cython.void:
        lower: bytes = name.lower()
        if lower != name and _is_name(lower):
            self.fault("name", f"`{_shown(name)}` is not in lower case (RFC 9113 §8.2.1)")
        else:
            self.fault("name", f"`{_shown(name)}` is no field name (RFC 9113 §8.2.1)")

    @cython.cfunc
    def _check_request(self) -> cython.void:
        """§8.3.1, §8.5, RFC 8441 §4."""
        if self.unknown:
            return
        pseudo: dict = self._pseudo
        if pseudo.get(b":method") == b"CONNECT" and b":protocol" not in pseudo:
            if b":scheme" in pseudo or b":path" in pseudo:
                self.fault("connect", "CONNECT with :scheme or :path (RFC 9113 §8.5)")
            if b":authority" not in pseudo:
                self.fault("connect", "CONNECT without :authority (RFC 9113 §8.5)")
            return
        if b":method" not in pseudo or b":scheme" not in pseudo or b":path" not in pseudo:
            missing = [name for name in (b":method", b":scheme", b":path") if name not in pseudo]
            self.fault("missing", f"a request without {_shown(b', '.join(missing))} (RFC 9113 §8.3.1)")
        self._check_target(pseudo.get(b":path"), pseudo.get(b":authority"))
        if b":protocol" in pseudo and pseudo.get(b":method") != b"CONNECT":
            self.fault("protocol", ":protocol without CONNECT (RFC 8441 §4)")

    @cython.cfunc
    def _check_target(self, path: bytes | None, authority: bytes | None) -> cython.void:
        """§8.3.1, of http and https."""
        if self._pseudo.get(b":scheme") not in (b"http", b"https"):
            return
        if path == b"":
            self.fault("path", "a request with an empty :path (RFC 9113 §8.3.1)")
        elif path is not None and path[:1] != b"/" and (path != b"*" or self._pseudo.get(b":method") != b"OPTIONS"):
            self.fault("path", "a :path that does not begin with a slash (RFC 9113 §8.3.1)")
        if authority is not None and b"@" in authority:
            self.fault("authority", "an :authority with userinfo (RFC 9113 §8.3.1)")
        host = self.field(b"host")
        if host is not None and authority is not None and _host(host) != _host(authority):
            self.fault("host", "a host field that differs from :authority (RFC 9113 §8.3.1)")

    @cython.cfunc
    def _check_response(self) -> cython.void:
        """§8.3.2, §8.6."""
        if b":status" not in self._pseudo:
            if not self.unknown:
                self.fault("missing", "a response without :status (RFC 9113 §8.3.2)")
            return
        status = self.status()
        if status is None and self._pseudo[b":status"] is not None:
            self.fault("status", "a :status that is not three digits (RFC 9113 §8.3.2)")
        elif status == 101:
            self.fault("status", "status 101, which HTTP/2 does not have (RFC 9113 §8.6)")


@cython.cfunc
def _digits(value: bytes | None, most: cython.int) -> cython.longlong:
    """The number that at most so many digits are, and nothing else; -1: it is none."""
    number: cython.longlong = 0
    byte: cython.uchar
    if value is None or not 0 < len(value) <= most:
        return -1
    for byte in value:
        if not 48 <= byte <= 57:
            return -1
        number = number * 10 + byte - 48
    return number


@cython.cfunc
def _is_name(name: bytes) -> cython.bint:
    """§8.2.1, of a name that no colon begins."""
    byte: cython.uchar
    for byte in name:
        if byte <= 32 or 65 <= byte <= 90 or byte >= 127 or byte == 58:
            return False
    return len(name) > 0


@cython.cfunc
def _is_value(value: bytes) -> cython.bint:
    """§8.2.1."""
    at: cython.Py_ssize_t = 0
    size: cython.Py_ssize_t = len(value)
    if not size:
        return True
    if value[0] == 32 or value[0] == 9 or value[size - 1] == 32 or value[size - 1] == 9:
        return False
    while at < size and value[at] != 0 and value[at] != 10 and value[at] != 13:
        at += 1
    return at == size


def _host(value):
    """Without the port if it is a usual one."""
    return value.lower().removesuffix(b":443").removesuffix(b":80")


def _shown(name):
    if name is None:
        return "…"
    text = name[:_SHOWN].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + ("…" if len(name) > _SHOWN else "")
