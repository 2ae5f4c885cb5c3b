"""Records a FIN that carries the last data."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(17)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # hold small data back until there is more, or the end
    server.sendall(b"quote of the day\n")
    server.close()
    assert client.recv(100) == b"quote of the day\n"
    settle()
    client.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, S DATA-FIN, C ACK, C FIN, S ACK")
