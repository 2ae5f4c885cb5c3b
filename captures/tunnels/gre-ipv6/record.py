"""Records a connection inside GRE over IPv6."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import IPV6, Gre, in_ipv6, on_ethernet, packet

tag = on_ethernet(IPV6, in_ipv6(47, Gre(IPV6, packet)))
with Lab(ipv6=True, mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab, family=socket.AF_INET6)
packets.keep(__file__, FOUR_WAY)
