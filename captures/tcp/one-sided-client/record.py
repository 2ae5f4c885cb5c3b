"""Records only what the client sends."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

with Lab() as lab, lab.client.capture("-f", "src host 10.0.0.1") as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
packets.keep(__file__, "C SYN, C ACK, C DATA, C ACK, C FIN, C ACK")
