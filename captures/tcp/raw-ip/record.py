"""Records on a tun device, whose packets have no link header."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab

with Lab(tun=True) as lab, lab.client.capture(interface="tun0") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
