"""Records a pcap file with nanoseconds."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab

with Lab() as lab, lab.client.capture("--nano", program="tcpdump") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
