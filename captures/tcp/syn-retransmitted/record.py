"""Records a SYN that is lost once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from forwarding import SYN, drop, nth
from recording import Lab

with Lab(forward=nth(1, lambda frame: frame.has(SYN), drop)) as lab, lab.client.capture() as packets:
    four_way(lab)
packets.keep(__file__, f"C SYN, {FOUR_WAY}")
