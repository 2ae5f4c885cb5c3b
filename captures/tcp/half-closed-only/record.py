"""Records a client that closes its direction, and a server that never closes."""

import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange
from recording import SERVER, Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.shutdown(socket.SHUT_WR)
    settle(3)  # long enough to call it silence, which the next connection (port 81 is closed) makes visible
    lab.client.run("nc", SERVER, "81", check=False)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK", "C SYN, S RST-ACK")
