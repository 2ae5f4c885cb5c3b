"""Records DATA on a stream that its sender has ended, and that the connection survives it: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import DATA, END_STREAM, GOAWAY, PREFACE, SETTINGS, by_hand, frame, get

by_hand(
    __file__,
    "S HEADERS 1 200, S DATA 1, C DATA 1 END, S RST_STREAM 1 STREAM_CLOSED, S DATA 3 END",
    PREFACE + frame(SETTINGS, 0, 0, b"\0\4\0\0\0\x64"),
    get(1, "/a.txt"),
    frame(DATA, END_STREAM, 1, b"more"),
    frame(SETTINGS, 0, 0, b"\0\4\0\0\x10\0") + get(3, "/a.txt"),
    frame(GOAWAY, 0, 0, bytes(8)),
    first=True,
)
