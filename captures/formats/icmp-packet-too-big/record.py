"""Records a connection that learns its path MTU from ICMP."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import drop, icmp_error
from recording import Lab


def forward(frame):
    """The way to the client leads through a link with an MTU of 600, and a router that says so."""
    if frame.sender == "server" and len(frame.data) > 14 + 600:
        router = "10.0.0.254"
        lab.forwarder.inject("server", icmp_error(frame.data, router, 3, 4, 600))
        return drop(frame)
    return None


with Lab(forward=forward) as lab, lab.server.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
