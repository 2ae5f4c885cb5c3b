"""Records keep-alive probes that nobody answers, until the prober gives up."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import HELLO, OPEN, exchange, probe_when_idle
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    probe_when_idle(client)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    exchange(client, server)
    lab.server.firewall("tcp dport 7 drop")  # as if the server had lost its network
    settle(5)
packets.keep(__file__, f"{OPEN}, {HELLO}, C ACK, C ACK, C ACK, C RST-ACK")
