"""Records a connection inside IPv6 in IPv4."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import IPV4, in_ipv4, on_ethernet, packet

tag = on_ethernet(IPV4, in_ipv4(41, packet))
with Lab(ipv6=True, mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab, family=socket.AF_INET6)
packets.keep(__file__, FOUR_WAY)
