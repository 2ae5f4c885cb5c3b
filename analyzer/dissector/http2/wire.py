"""Numbers of RFC 9113 and of the frame reader that the modules of HTTP/2 share; `wire.pxd` repeats them for the
compiled ones, and a test holds the two against each other."""

from __future__ import annotations

# Sides of a connection.
CLIENT = 0
SERVER = 1

# Types of frames, §6, RFC 7838 §4, RFC 8336 §2, RFC 9218 §7.1.
DATA = 0
HEADERS = 1
PRIORITY = 2
RST_STREAM = 3
SETTINGS = 4
PUSH_PROMISE = 5
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8
CONTINUATION = 9
ALTSVC = 10
ORIGIN = 12
PRIORITY_UPDATE = 16

# Flags, §6.
END_STREAM = 1
ACK = 1
END_HEADERS = 4
PADDED = 8
HAS_PRIORITY = 32

# Of an identifier of a stream the reserved bit means nothing, §4.1.
STREAM_ID = 2147483647

# What a side's next byte belongs to.
IN_PREFACE = 0
IN_HEADER = 1
PAD_LENGTH = 2
CONTENT = 3
PADDING = 4
COLLECT = 5
PASS = 6
LOST = 7
