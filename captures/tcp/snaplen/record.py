"""Records only the first 60 bytes of every packet."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab

with Lab() as lab, lab.client.capture("-s", "60") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
