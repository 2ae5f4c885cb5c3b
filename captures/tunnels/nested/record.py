"""Records a connection inside VXLAN in MPLS in GRE in IPv6."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import IPV6, MPLS, Gre, in_ipv4, in_ipv6, in_udp, labelled, on_ethernet, vxlan

tag = on_ethernet(
    IPV6, in_ipv6(4, in_ipv4(47, Gre(MPLS, labelled(400, payload=in_ipv4(17, in_udp(4789, vxlan(43)))), key=9)))
)
with Lab(mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
