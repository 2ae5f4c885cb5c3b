"""The packet stage alone: reading, headers, connection lookup and TCP bookkeeping, without reports.

python bench/packet_stage.py FILE
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does
_AT_A_TIME = 8192  # connections, as the pipeline takes them


def packet_stage(path: str) -> int:
    """Reads `path` to its end and returns how many packets there were."""
    from analyzer.capture.source import open_capture
    from analyzer.dissector.tracker import Tracker
    from analyzer.flows import load_library

    library = load_library(())
    tracker = Tracker(library.automaton("tcp-open"), library.automaton("tcp-close"))
    capture = open_capture(path)
    packets = 0
    for frames in capture:
        packets += frames.count
        tracker.feed(frames)
        tracker.take_finished()
    tracker.finish()
    while len(tracker.take_finished(_AT_A_TIME).rows):
        pass
    capture.close()
    return packets


if __name__ == "__main__":
    print(packet_stage(sys.argv[1]))
