"""Records frames of types nobody has defined between those of a request: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import GOAWAY, PREFACE, SETTINGS, by_hand, frame, get

by_hand(
    __file__,
    "C type 11 0, C HEADERS 1 GET /a.txt END, C type 240 1, S DATA 1 END, C GOAWAY 0 NO_ERROR last 0",
    PREFACE + frame(SETTINGS, 0, 0, b"\x0a\x0a\x00\x00\x00\x01") + frame(0x0B, 0xFF, 0, b"unknown"),
    get(1, "/a.txt") + frame(0xF0, 0, 1, b""),
    frame(GOAWAY, 0, 0, bytes(8)),
    first=True,
)
