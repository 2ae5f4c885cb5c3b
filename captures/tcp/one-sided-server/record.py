"""Records only what the server sends."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

with Lab() as lab, lab.client.capture("-f", "src host 10.0.0.2") as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
packets.keep(__file__, "S SYN-ACK, S ACK, S DATA, S ACK, S FIN")
