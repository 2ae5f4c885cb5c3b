"""Records only what the client sends."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from recording import Lab

with Lab() as lab, lab.client.capture("-f", "src host 10.0.0.1") as packets:
    four_way(lab)
packets.keep(__file__, "C SYN, C ACK, C DATA, C ACK, C FIN, C ACK")
