"""Records a client that sends DATA on a stream it has ended: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import DATA, END_STREAM, PREFACE, SETTINGS, by_hand, frame, get

by_hand(
    __file__,
    "C HEADERS 1 GET /a.txt END, C DATA 0 END, S GOAWAY 0 PROTOCOL_ERROR last 1",
    PREFACE + frame(SETTINGS, 0, 0),
    get(1, "/a.txt") + frame(DATA, END_STREAM, 0, b"no"),
)
