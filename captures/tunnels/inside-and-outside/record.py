"""Records a connection on both sides of a tunnel's end."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, doubled, four_way
from recording import Lab
from tunnelling import IPV4, Gre, in_ipv4, on_ethernet, packet

tunnel = on_ethernet(IPV4, in_ipv4(47, Gre(IPV4, packet)))
with Lab(mirror=lambda frame: [frame.data, tunnel(frame)]) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, doubled(FOUR_WAY))
