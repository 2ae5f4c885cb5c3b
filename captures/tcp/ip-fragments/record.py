"""Records data segments that a router has cut into IP fragments."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import fragments
from recording import Lab

IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0


def forward(frame):
    """The way to the client leads through a link with an MTU of 580."""
    if frame.sender == "server" and len(frame.data) > 14 + 580:
        return [(0, part) for part in fragments(frame.data, 560)]
    return None


def allow_fragments(listener):
    """Without path MTU discovery the kernel leaves the don't-fragment bit off."""
    listener.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19, prepare_listener=allow_fragments)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
