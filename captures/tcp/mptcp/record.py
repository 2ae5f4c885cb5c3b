"""Records a Multipath TCP connection with one subflow."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from recording import Lab

IPPROTO_MPTCP = 262

with Lab() as lab, lab.client.capture() as packets:
    four_way(lab, protocol=IPPROTO_MPTCP)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, …")
