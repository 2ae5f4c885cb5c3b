"""The packet stage alone: reading, headers, connection lookup and TCP bookkeeping, without reports.

python bench/packet_stage.py FILE
"""

from __future__ import annotations

import sys


def packet_stage(path: str) -> int:
    """Reads `path` to its end and returns how many packets there were."""
    from analyzer.capture.source import open_capture
    from analyzer.dissector.tracker import Tracker

    tracker = Tracker()
    packets = 0
    with open_capture(path) as source:
        for frames in source:
            packets += frames.count
            tracker.feed(frames)
    return packets


if __name__ == "__main__":
    print(packet_stage(sys.argv[1]))
