"""Records a client whose PING is too short: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import PING, PREFACE, SETTINGS, by_hand, frame, get

by_hand(
    __file__,
    "S DATA 1 END, C PING 0, S GOAWAY 0 FRAME_SIZE_ERROR last 1",
    PREFACE + frame(SETTINGS, 0, 0),
    get(1, "/a.txt"),
    frame(PING, 0, 0, b"short"),
)
