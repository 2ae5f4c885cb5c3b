"""Records a connection and takes a data segment out of the capture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from recording import Lab

with Lab() as lab, lab.client.capture() as packets:
    four_way(lab)
# As a capture program that falls behind would: the reply is not there, its acknowledgement is.
packets.edit("editcap", "{in}", "{out}", "6")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, C ACK, C FIN, S ACK, S FIN, C ACK")
