"""Records a connection and rewrites its link headers to PPP."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from conversion import rewrite
from linking import PPP, ppp
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    four_way(lab)
rewrite(packets.path, link_type=PPP, packet=ppp)
packets.keep(__file__, FOUR_WAY)
