"""Records a connection inside Ethernet in MPLS with control word."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from recording import Lab
from tunnelling import MPLS, labelled, on_ethernet, whole

tag = on_ethernet(MPLS, labelled(300, payload=whole, control_word=True))
with Lab(mirror=tag) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY, decode="mpls.label==300,pwethcw")
