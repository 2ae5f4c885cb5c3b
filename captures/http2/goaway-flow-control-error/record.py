"""Records a client that makes a window larger than one can be: frames by hand and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import PREFACE, SETTINGS, WINDOW_UPDATE, by_hand, frame, get

by_hand(
    __file__,
    "S DATA 1 END, C WINDOW_UPDATE 0, S GOAWAY 0 FLOW_CONTROL_ERROR last 1",
    PREFACE + frame(SETTINGS, 0, 0),
    get(1, "/a.txt"),
    frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
)
