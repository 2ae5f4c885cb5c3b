"""Records on both sides of the middle host and sorts by time: every packet is there twice in a row."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from forwarding import pass_on
from recording import Lab

with Lab(forward=pass_on) as lab, lab.middle.capture("-i", "to-server", interface="to-client") as packets:
    four_way(lab)
packets.edit("reordercap", "{in}", "{out}")
packets.keep(
    __file__,
    "C SYN, C SYN, S SYN-ACK, S SYN-ACK, C ACK, C ACK, …, C FIN, C FIN, S ACK, S ACK, S FIN, S FIN, C ACK, C ACK",
)
