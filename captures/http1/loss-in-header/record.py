"""Records three exchanges and takes the header of the second response out of the capture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FETCHED, fetched
from servers import packet_numbers

packets = fetched({"a.txt": b"a" * 3000, "b.txt": b"b" * 5000, "c.txt": b"c" * 3000})
# As a capture program that falls behind would: the segment is not there, its acknowledgement is.
lost = packet_numbers(packets, 'tcp.payload contains "Content-Length: 5000"')[0]
print("without packet", lost)
packets.edit("editcap", "{in}", "{out}", lost)
packets.keep(__file__, FETCHED)
