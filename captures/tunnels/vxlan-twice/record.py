"""Records a connection that a mirror port shows in two VXLAN networks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, doubled, four_way
from recording import Lab
from tunnelling import IPV4, in_ipv4, in_udp, on_ethernet, vxlan

one, other = (on_ethernet(IPV4, in_ipv4(17, in_udp(8472, vxlan(network)))) for network in (1, 2))
with Lab(mirror=lambda frame: [one(frame), other(frame)]) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, doubled(FOUR_WAY), decode="udp.port==8472,vxlan")
