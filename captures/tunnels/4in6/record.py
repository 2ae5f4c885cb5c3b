"""Records a connection inside IPv4 in IPv6."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import IPV6, in_ipv6, on_ethernet, packet

tag = on_ethernet(IPV6, in_ipv6(4, packet))
with Lab(mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
