"""Records a connection whose directions carry different VLAN ids."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from forwarding import tagged
from recording import Lab

with (
    Lab(mirror=lambda frame: tagged(frame.data, 100 if frame.sender == "client" else 200)) as lab,
    lab.middle.capture(interface="monitor") as packets,
):
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
