"""What a field section says, and what is wrong with it. RFC 9113 §8.

What is not known of a section is no fault of it.
"""

from __future__ import annotations

import re
from typing import Final

from analyzer.dissector.http2.header_blocks import Block

REQUEST, RESPONSE, TRAILERS = "request", "response", "trailers"

# §8.2.1: what a name must not have. A colon may only begin it.
_BAD_NAME = re.compile(rb"[\x00-\x20A-Z\x7f-\xff]|.:|\A\Z", re.DOTALL)
_BAD_VALUE = re.compile(rb"[\0\r\n]|\A[ \t]|[ \t]\Z")
_CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)  # §8.2.2
_PSEUDO: Final = {
    REQUEST: frozenset((b":method", b":scheme", b":authority", b":path", b":protocol")),  # §8.3.1, RFC 8441 §4
    RESPONSE: frozenset((b":status",)),  # §8.3.2
    TRAILERS: frozenset[bytes](),  # §8.1
}
_SEEN: Final = frozenset(
    (b"host", b"content-length", b"content-type", b"grpc-status", b"priority", b"te", b"sec-websocket-extensions")
)
_STATUS = re.compile(rb"[1-9][0-9][0-9]\Z")
_NUMBER = re.compile(rb"[0-9]{1,18}\Z")
_SHOWN: Final = 60  # bytes of a name in a message


class Section:
    """One field section. `faults` say each kind of malformation once (§8.1.1)."""

    __slots__ = ("_pseudo", "_seen", "faults", "kind", "unknown")

    def __init__(self, kind: str, block: Block):
        self.kind = kind
        self.unknown = block.unknown > 0 or block.error is not None
        self.faults: dict[str, str] = {}  # kind of fault: message
        self._pseudo: dict[bytes, bytes | None] = {}
        self._seen: dict[bytes, bytes | None] = {}
        self._read(block)

    def pseudo(self, name: bytes) -> bytes | None:
        return self._pseudo.get(name)

    def field(self, name: bytes) -> bytes | None:
        """The last value of one of the few fields that are looked at."""
        return self._seen.get(name)

    def number(self, name: bytes) -> int | None:
        value = self._seen.get(name)
        return int(value) if value is not None and _NUMBER.match(value) else None

    @property
    def status(self) -> int | None:
        value = self._pseudo.get(b":status")
        return int(value) if value is not None and _STATUS.match(value) else None

    def _read(self, block: Block) -> None:
        allowed, pseudo = _PSEUDO[self.kind], self._pseudo
        regular = False
        for name, value in block.fields:
            if name is None:
                continue
            if name[:1] == b":":
                if regular:
                    self._fault("order", f"`{_shown(name)}` after a regular field (RFC 9113 §8.3)")
                if name not in allowed:
                    self._fault("pseudo", f"`{_shown(name)}` in {self.kind} (RFC 9113 §8.3)")
                elif name in pseudo:
                    self._fault("twice", f"`{_shown(name)}` twice (RFC 9113 §8.3)")
                else:
                    pseudo[name] = value
            else:
                regular = True
                if _BAD_NAME.search(name):
                    self._bad_name(name)
                elif name in _CONNECTION_SPECIFIC:
                    self._fault("connection", f"the field `{_shown(name)}` (RFC 9113 §8.2.2)")
                elif name in _SEEN:
                    self._seen[name] = value
                    if name == b"te" and value is not None and value.lower() != b"trailers":
                        self._fault("connection", "`te` other than trailers (RFC 9113 §8.2.2)")
            if value is not None and _BAD_VALUE.search(value):
                self._fault("value", f"the value of `{_shown(name)}` (RFC 9113 §8.2.1)")
        if self.kind == REQUEST:
            self._check_request()
        elif self.kind == RESPONSE:
            self._check_response()

    def _fault(self, kind: str, message: str) -> None:
        self.faults.setdefault(kind, message)

    def _bad_name(self, name: bytes) -> None:
        if name.lower() != name and not _BAD_NAME.search(name.lower()):
            self._fault("name", f"`{_shown(name)}` is not in lower case (RFC 9113 §8.2.1)")
        else:
            self._fault("name", f"`{_shown(name)}` is no field name (RFC 9113 §8.2.1)")

    def _check_request(self) -> None:
        """§8.3.1, §8.5, RFC 8441 §4."""
        if self.unknown:
            return
        pseudo = self._pseudo
        if pseudo.get(b":method") == b"CONNECT" and b":protocol" not in pseudo:
            if b":scheme" in pseudo or b":path" in pseudo:
                self._fault("connect", "CONNECT with :scheme or :path (RFC 9113 §8.5)")
            if b":authority" not in pseudo:
                self._fault("connect", "CONNECT without :authority (RFC 9113 §8.5)")
            return
        missing = [name for name in (b":method", b":scheme", b":path") if name not in pseudo]
        if missing:
            self._fault("missing", f"a request without {_shown(b', '.join(missing))} (RFC 9113 §8.3.1)")
        self._check_target(pseudo.get(b":path"), pseudo.get(b":authority"))
        if b":protocol" in pseudo and pseudo.get(b":method") != b"CONNECT":
            self._fault("protocol", ":protocol without CONNECT (RFC 8441 §4)")

    def _check_target(self, path: bytes | None, authority: bytes | None) -> None:
        """§8.3.1, of http and https."""
        if self._pseudo.get(b":scheme") not in (b"http", b"https"):
            return
        if path == b"":
            self._fault("path", "a request with an empty :path (RFC 9113 §8.3.1)")
        elif path is not None and path[:1] != b"/" and (path != b"*" or self._pseudo.get(b":method") != b"OPTIONS"):
            self._fault("path", "a :path that does not begin with a slash (RFC 9113 §8.3.1)")
        if authority is not None and b"@" in authority:
            self._fault("authority", "an :authority with userinfo (RFC 9113 §8.3.1)")
        host = self._seen.get(b"host")
        if host is not None and authority is not None and _host(host) != _host(authority):
            self._fault("host", "a host field that differs from :authority (RFC 9113 §8.3.1)")

    def _check_response(self) -> None:
        """§8.3.2, §8.6."""
        if b":status" not in self._pseudo:
            if not self.unknown:
                self._fault("missing", "a response without :status (RFC 9113 §8.3.2)")
        elif self._pseudo[b":status"] is not None and self.status is None:
            self._fault("status", "a :status that is not three digits (RFC 9113 §8.3.2)")
        elif self.status == 101:
            self._fault("status", "status 101, which HTTP/2 does not have (RFC 9113 §8.6)")


def _host(value: bytes) -> bytes:
    """Without the port if it is a usual one."""
    return value.lower().removesuffix(b":443").removesuffix(b":80")


def _shown(name: bytes | None) -> str:
    if name is None:
        return "…"
    text = name[:_SHOWN].decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + ("…" if len(name) > _SHOWN else "")
