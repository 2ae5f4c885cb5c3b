"""Records keep-alive probes that nobody answers, until the prober gives up."""

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
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    exchange(client, server)
    lab.server.firewall("tcp dport 7 drop")  # as if the server had lost its network
    settle(5)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C ACK, C ACK, C ACK, C RST-ACK")
