"""Records a connection and takes the FIN of the server out of the capture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from recording import Lab

with Lab() as lab, lab.client.capture() as packets:
    four_way(lab)
packets.edit("editcap", "{in}", "{out}", "10")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, C ACK")
