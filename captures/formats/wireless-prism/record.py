"""Records a connection and rewrites its link headers to IEEE 802.11 with a Prism header."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from conversion import rewrite
from linking import PRISM, prism, wireless
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    four_way(lab)
rewrite(packets.path, link_type=PRISM, packet=prism(wireless(quality=True)))
packets.keep(__file__, FOUR_WAY)
