"""Records atomic fragments."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import fragments6
from recording import Lab


def small(listener):
    """There must be room for the header."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1300)


def forward(frame):
    """The server's data has a fragment header, but is whole."""
    if frame.sender == "server" and frame.payload:
        return [(0, fragments6(frame.data, 4096)[0])]
    return None


with Lab(ipv6=True, forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19, socket.AF_INET6, prepare_listener=small)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
