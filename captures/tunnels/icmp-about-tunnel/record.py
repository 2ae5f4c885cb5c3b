"""Records a connection whose tunnel is told to send smaller packets."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import FOUR_WAY, four_way
from forwarding import icmp_error
from recording import Lab
from tunnelling import IPV4, in_ipv4, in_udp, on_ethernet, vxlan

tunnel = on_ethernet(IPV4, in_ipv4(17, in_udp(4789, vxlan(45))))


def mirror(frame):
    """A router on the tunnel's path answers to the client's data."""
    outer = tunnel(frame)
    if frame.sender == "client" and frame.payload:
        return [outer, icmp_error(outer, "198.51.100.1", 3, 4, 1400)]
    return outer


with Lab(mirror=mirror) as lab, lab.middle.capture(interface="monitor") as packets:
    four_way(lab)
packets.keep(__file__, FOUR_WAY.replace("C DATA", "C DATA, S ICMP"))
