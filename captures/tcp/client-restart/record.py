"""Records a client that has forgotten its connection and opens it anew from the same port."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import CLIENT, SERVER, TCP_REPAIR, Lab, exchange, settle

with Lab() as lab, lab.server.listen(7) as listener, lab.client.capture() as packets:
    for forget in (True, False):
        client = lab.client.new_socket()
        client.bind((CLIENT, 40000))
        client.connect((SERVER, 7))
        server, _ = listener.accept()
        settle()
        exchange(client, server)
        if forget:
            # Closing in repair mode sends nothing: as if the client's machine had lost its power.
            client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        client.close()
        settle()
        if not forget:
            server.close()
            settle()
OPEN, HELLO = "S SYN-ACK, C ACK", "C DATA, S ACK, S DATA, C ACK"
packets.keep(
    __file__,
    f"C SYN, {OPEN}, {HELLO}",
    f"C SYN, S ACK, C RST, C SYN, {OPEN}, {HELLO}, C FIN, S ACK, S FIN, C ACK",
)
