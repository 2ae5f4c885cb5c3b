"""Records iPv6 fragments."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import fragments6
from recording import Lab


def forward(frame):
    """The sender cuts its packets (the forwarder stands in for it: Linux never does that to TCP)."""
    if frame.sender == "server" and len(frame.data) > 14 + 580:
        return [(0, part) for part in fragments6(frame.data, 560, frame.sequence)]
    return None


with Lab(ipv6=True, forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19, socket.AF_INET6)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
