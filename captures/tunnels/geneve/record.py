"""Records a connection inside Geneve with an option."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import IPV4, geneve, in_ipv4, in_udp, on_ethernet

tag = on_ethernet(IPV4, in_ipv4(17, in_udp(6081, geneve(5000, b"\x01\x02\x80\x01\0\0\0\1"))))
with Lab(mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
