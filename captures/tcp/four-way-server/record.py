"""Records a close in four segments that the server begins."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    server.close()
    settle()  # longer than a delayed acknowledgement: the client's ACK goes out before its FIN
    client.close()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, S FIN, C ACK, C FIN, S ACK")
