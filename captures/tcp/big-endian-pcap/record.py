"""Records a pcap file and rewrites it as a big-endian machine would have written it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from conversion import rewrite
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    four_way(lab)
rewrite(packets.path, byte_order=">")
packets.keep(__file__, FOUR_WAY)
