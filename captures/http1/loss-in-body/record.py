"""Records three exchanges and takes a segment of the first body out of the capture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FETCHED, fetched
from servers import packet_numbers

packets = fetched({"a.txt": b"a" * 9000, "b.txt": b"b" * 100, "c.txt": b"c" * 5000})
# As a capture program that falls behind would: the third segment of the body is not there, its acknowledgement is.
lost = packet_numbers(packets, "tcp.srcport == 80 && tcp.len == 1448")[2]
print("without packet", lost)
packets.edit("editcap", "{in}", "{out}", lost)
packets.keep(__file__, FETCHED)
