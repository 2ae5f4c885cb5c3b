"""Records a connection inside seventeen headers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import MPLS, labelled, on_ethernet

with (
    Lab(mirror=on_ethernet(MPLS, labelled(*range(1000, 1017)))) as lab,
    lab.middle.capture(interface="monitor") as packets,
):
    four_way(lab)
packets.keep(__file__, FOUR_WAY)
