"""Records a client that refers to a header nobody has sent: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, by_hand, frame, get

by_hand(
    __file__,
    "S DATA 1 END, C HEADERS 3 END, S GOAWAY 0 COMPRESSION_ERROR last 3",
    PREFACE + frame(SETTINGS, 0, 0),
    get(1, "/a.txt"),
    frame(HEADERS, END_STREAM | END_HEADERS, 3, b"\xff\x20"),
)
