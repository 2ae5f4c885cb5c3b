"""Records a pcap file and rewrites it with the longer record headers of Red Hat 6.1 (Kuznetzov's libpcap)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    four_way(lab)
packets.edit("editcap", "-F", "modpcap", "{in}", "{out}", suffix=".pcap")
packets.keep(__file__, FOUR_WAY)
