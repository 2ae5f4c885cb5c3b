"""Records a receiver that stops reading, the probes of its full window, and its window opening again."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import socket

from recording import SERVER, Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    with lab.server.listen(9) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client = lab.client.new_socket()
        client.connect((SERVER, 9))
        server, _ = listener.accept()
    settle()
    client.setblocking(False)
    sent = client.send(b"x" * 12_000)
    settle(1)  # window probes after 0.2, 0.4, … seconds
    received = 0
    while received < sent:
        received += len(server.recv(65536))
    settle()
    client.close()
    settle()
    server.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, …, C FIN, S ACK, S FIN, C ACK")
