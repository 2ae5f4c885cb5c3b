"""Records a server that closes, and a reset after that: by the client, then in another connection by the server."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    # Port 7: the client leaves unread what the server said last, and its kernel tells so with RST.
    client, server = lab.connect(7)
    exchange(client, server)
    server.sendall(b"one more thing\n")
    settle()
    server.close()
    settle()
    client.close()
    settle()
    # Port 8: the client sends nevertheless, to a server that has nobody left to read it.
    client, server = lab.connect(8)
    exchange(client, server)
    server.close()
    settle()
    client.sendall(b"one more thing\n")
    settle()
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, S DATA, C ACK, S FIN, C ACK, C RST-ACK",
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, S FIN, C ACK, C DATA, S RST",
)
