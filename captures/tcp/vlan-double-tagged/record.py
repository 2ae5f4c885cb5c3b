"""Records a connection behind two VLAN tags (IEEE 802.1ad, QinQ)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from forwarding import tagged
from recording import Lab

with (
    Lab(mirror=lambda frame: tagged(tagged(frame.data, 100), 200, 0x88A8)) as lab,
    lab.middle.capture(interface="monitor") as packets,
):
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
