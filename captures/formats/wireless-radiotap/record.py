"""Records a connection and rewrites its link headers to IEEE 802.11 with radiotap."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from conversion import rewrite
from linking import RADIOTAP, radiotap, wireless
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    four_way(lab)
rewrite(packets.path, link_type=RADIOTAP, packet=radiotap(wireless(quality=True)))
packets.keep(__file__, FOUR_WAY)
