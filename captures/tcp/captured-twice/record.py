"""Records on both sides of the middle host: every packet is there twice."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

with Lab(forward=lambda frame: None) as lab, lab.middle.capture("-i", "to-server", interface="to-client") as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
packets.keep(__file__, "C SYN, …, S FIN, C ACK, S FIN, C ACK")
