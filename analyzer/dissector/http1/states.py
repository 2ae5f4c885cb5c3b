"""Numbers that the compiled modules of HTTP/1 and their users share; `states.pxd` repeats them as C constants, and a
test holds the two against each other."""

from __future__ import annotations

# Sides of a connection.
CLIENT = 0
SERVER = 1

# What a side's next byte belongs to.
HEAD = 0
LENGTH = 1
CHUNK_SIZE = 2
CHUNK_DATA = 3
CHUNK_END = 4
TRAILERS = 5
UNTIL_CLOSE = 6
LOST = 7
HOLD = 8
HANDED = 9
RESUMABLE = 10
DONE = 11

# Places of the steps in STEPS.
HTTP_REQUEST = 0
INTERIM_RESPONSE = 1
HTTP_RESPONSE = 2
CUT_RESPONSE = 3
UPGRADE = 4
TUNNEL = 5

# How the end of a body is found, RFC 9112 §6.3. UNKNOWN: it cannot be; the next message is looked for by its content.
NO_BODY = 0
BY_LENGTH = 1
BY_CHUNKS = 2
BY_CLOSE = 3
UNKNOWN = 4
