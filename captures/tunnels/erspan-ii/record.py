"""Records a connection inside ERSPAN, type II."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import IPV4, Gre, erspan_2, in_ipv4, on_ethernet

tag = on_ethernet(IPV4, in_ipv4(47, Gre(0x88BE, erspan_2(100), sequence=True)))
with Lab(mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
