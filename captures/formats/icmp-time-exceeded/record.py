"""Records a connection of which a router drops one packet because of its age."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, OPEN, four_way
from forwarding import drop, has_data, icmp_error, nth
from recording import Lab


def exceeded(frame):
    """A routing loop that lasts for one packet."""
    lab.forwarder.inject("client", icmp_error(frame.data, "10.0.0.254", 11, 0))
    return drop(frame)


with Lab(forward=nth(1, has_data, exceeded)) as lab, lab.client.capture() as packets:
    four_way(lab)
packets.keep(__file__, f"{OPEN}, C DATA, S ICMP, {HELLO}, {CLIENT_CLOSES}")
