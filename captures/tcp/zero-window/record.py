"""Records a receiver that stops reading, the probes of its full window, and its window opening again."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, hear
from recording import Lab, settle


def little_room(listener):
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


with Lab() as lab, lab.client.capture() as packets:
    lab.server.sysctl("net.ipv4.tcp_invalid_ratelimit", 0)  # answer every probe
    client, server = lab.connect(9, prepare_listener=little_room)
    client.setblocking(False)
    sent = client.send(b"x" * 12_000)
    settle(0.5)  # the window closes after 0.05 seconds, the probes follow 0.2 and 0.6 seconds later
    hear(server, b"x" * sent)
    close(client, server)
packets.keep(__file__, f"{OPEN}, …, {CLIENT_CLOSES}")
