"""Records a server that answers the client's FIN with RST."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange, reset
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    reset(server)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S RST-ACK")
