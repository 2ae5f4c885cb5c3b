"""Records a hundred requests, each cancelled at once: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import GOAWAY, PREFACE, RST_STREAM, SETTINGS, by_hand, frame, get

by_hand(
    __file__,
    "C HEADERS 1 GET /a.txt END, C RST_STREAM 1 CANCEL, C HEADERS 199 GET /a.txt END, C RST_STREAM 199 CANCEL",
    PREFACE + frame(SETTINGS, 0, 0),
    b"".join(get(n, "/a.txt") + frame(RST_STREAM, 0, n, b"\0\0\0\x08") for n in range(1, 201, 2)),
    frame(GOAWAY, 0, 0, bytes(8)),
    first=True,
)
