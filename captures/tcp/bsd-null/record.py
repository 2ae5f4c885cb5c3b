"""Records IPv4 and IPv6 and rewrites the link headers to those of a BSD loopback (NULL)."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from conversion import NULL, family_header, rewrite
from recording import Lab

with Lab(ipv6=True) as lab, lab.client.capture(program="tcpdump") as packets:
    for family in (socket.AF_INET, socket.AF_INET6):
        four_way(lab, family=family)
# The family is in the byte order of the machine that captured; 30 is IPv6 on macOS.
rewrite(packets.path, link_type=NULL, packet=family_header("<", 30))
packets.keep(__file__, FOUR_WAY, FOUR_WAY)
