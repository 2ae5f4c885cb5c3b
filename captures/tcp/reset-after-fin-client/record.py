"""Records a client that has closed and resets when data still comes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()  # not shutdown(): nobody is left to read what the server has to say
    settle()
    server.sendall(b"one more thing\n")
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S DATA, C RST")
