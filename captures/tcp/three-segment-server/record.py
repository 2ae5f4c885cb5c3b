"""Records a close in three segments that the server begins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange
from recording import Lab

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    server.close()
    assert client.recv(1) == b""
    client.close()  # at once, while the acknowledgement of the server's FIN is still delayed
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, S FIN, C FIN, S ACK")
