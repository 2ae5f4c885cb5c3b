"""Records a connection that negotiates Explicit Congestion Notification."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab

with Lab() as lab:
    lab.client.sysctl("net.ipv4.tcp_ecn", 1)
    with lab.client.capture() as packets:
        four_way(lab)
packets.keep(__file__, FOUR_WAY)
