"""Records a connection inside GTP-U with an extension header."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import IPV4, gtp_u, in_ipv4, in_udp, on_ethernet

tag = on_ethernet(IPV4, in_ipv4(17, in_udp(2152, gtp_u((0x1001, 0x2002), b"\x85\1\x10\5\0"), 2152)))
with Lab(mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
