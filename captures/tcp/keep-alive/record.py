"""Records the keep-alive probes of an idle connection."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    exchange(client, server)
    settle(2.5)  # two probes
    client.close()
    settle()
    server.close()
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C ACK, S ACK, C ACK, S ACK, C FIN, S ACK, S FIN, C ACK",
)
