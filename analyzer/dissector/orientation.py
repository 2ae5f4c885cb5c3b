"""Who is the client of a connection whose SYN was not captured? Told by what the two sides say.

Only what no peer says in the same words counts: the beginning of an HTTP/1 request or response, the preface of HTTP/2,
a TLS ClientHello or ServerHello. It is looked for at the beginning of a segment, where programs begin their messages.
"""

from __future__ import annotations

import re
from typing import Final

CLIENT: Final = 0
SERVER: Final = 1
NEITHER: Final = -1

# Bytes of a segment that are looked at: room for a long request line.
MOST_BYTES: Final = 8192

# RFC 9112 §4.
_RESPONSE = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9][ \r\n]")
# RFC 9112 §3, and the preface of HTTP/2 (RFC 9113 §3.4). Registered methods are capital letters with hyphens.
_REQUEST = re.compile(rb"[A-Z]{3,32}+(?:-[A-Z]{1,32}+)? [!-~]++ HTTP/(?:1\.[01]|2\.0)\r?\n")
# RFC 8446 §5.1 and §4: a handshake record whose first message is a ClientHello (1) or ServerHello (2) of less than
# 64 KiB; SSL 3.0 to TLS 1.3 agree in these bytes.
_HELLO = re.compile(rb"\x16\x03[\0-\4]..([\1\2])\0", re.DOTALL)


def speaker(begin: bytes) -> int:
    """Who says this: CLIENT, SERVER, or NEITHER if it does not tell. `begin`: the first bytes of a segment."""
    if hello := _HELLO.match(begin):
        return CLIENT if hello[1] == b"\1" else SERVER
    if _RESPONSE.match(begin):
        return SERVER
    return CLIENT if _REQUEST.match(begin) else NEITHER
