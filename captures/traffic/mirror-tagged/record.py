"""Records both ports of a switch at once; one of them carries the VLAN's tag."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from forwarding import tagged
from recording import Lab

with (
    Lab(mirror=lambda frame: tagged(frame.data, 100)) as lab,
    lab.middle.capture("-i", "monitor", interface="to-client") as packets,
):
    four_way(lab, 13)
packets.edit("reordercap", "{in}", "{out}")
packets.keep(__file__, "C SYN, …, S FIN, S FIN, C ACK, C ACK")
