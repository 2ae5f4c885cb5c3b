"""Records on both sides of the middle host: every packet is there twice."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from forwarding import pass_on
from recording import Lab

with Lab(forward=pass_on) as lab, lab.middle.capture("-i", "to-server", interface="to-client") as packets:
    four_way(lab)
packets.keep(__file__, "C SYN, …, S FIN, C ACK, S FIN, C ACK")
