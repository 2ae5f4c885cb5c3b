"""Records a connection whose tunnel packets are cut into fragments."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import fragments
from recording import Lab
from tunnelling import IPV4, in_ipv4, in_udp, on_ethernet, vxlan

tunnel = on_ethernet(IPV4, in_ipv4(17, in_udp(4789, vxlan(44))))


def mirror(frame):
    """The tunnel's packets are larger than its path allows: its end cuts them."""
    outer = tunnel(frame)
    return outer if len(outer) <= 14 + 1500 else fragments(outer, 1480)


with Lab(mirror=mirror) as lab, lab.middle.capture(interface="monitor") as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
