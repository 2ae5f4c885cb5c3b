"""Records only what the server sends."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from recording import Lab

with Lab() as lab, lab.client.capture("-f", "src host 10.0.0.2") as packets:
    four_way(lab)
packets.keep(__file__, "S SYN-ACK, S ACK, S DATA, S ACK, S FIN")
