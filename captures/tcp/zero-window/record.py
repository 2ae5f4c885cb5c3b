"""Records a receiver that stops reading, the probes of its full window, and its window opening again."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    lab.server.sysctl("net.ipv4.tcp_invalid_ratelimit", 0)  # answer every probe
    with lab.server.listen(9) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client = lab.client.new_socket()
        client.connect((SERVER, 9))
        server, _ = listener.accept()
    settle()
    client.setblocking(False)
    sent = client.send(b"x" * 12_000)
    settle(0.5)  # the window closes after 0.05 seconds, the probes follow 0.2 and 0.6 seconds later
    received = 0
    while received < sent:
        received += len(server.recv(65536))
    settle()
    client.close()
    settle()
    server.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, …, C FIN, S ACK, S FIN, C ACK")
