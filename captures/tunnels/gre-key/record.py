"""Records a connection inside GRE with key, sequence number and checksum."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import ETHERNET, IPV4, Gre, in_ipv4, on_ethernet, whole

tag = on_ethernet(IPV4, in_ipv4(47, Gre(ETHERNET, whole, key=7, sequence=True, check=True)))
with Lab(mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
