"""Records requests whose priorities are changed as RFC 9218 has it: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import GOAWAY, PREFACE, PRIORITY_UPDATE, SETTINGS, by_hand, frame, get

by_hand(
    __file__,
    "C PRIORITY_UPDATE 0, C HEADERS 3 GET /a.txt END, S DATA 3 END, C PRIORITY_UPDATE 0, S DATA 5 END",
    PREFACE + frame(SETTINGS, 0, 0, b"\0\x09\0\0\0\1"),
    frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\3u=1") + get(1, "/a.txt") + get(3, "/a.txt"),
    frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\5u=7, i"),
    get(5, "/a.txt"),
    frame(GOAWAY, 0, 0, bytes(8)),
    first=True,
)
