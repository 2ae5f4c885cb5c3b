"""Records a connection and rewrites its link headers to IEEE 802.11 between access points."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from conversion import rewrite
from linking import PPI, ppi, wireless
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    four_way(lab)
rewrite(packets.path, link_type=PPI, packet=ppi(wireless(bridged=True)))
packets.keep(__file__, FOUR_WAY)
