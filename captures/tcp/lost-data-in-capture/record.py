"""Records a connection and takes a data segment out of the capture."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
# As a capture program that falls behind would: the reply is not there, its acknowledgement is.
packets.edit("editcap", "{in}", "{out}", "6")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, C ACK, C FIN, S ACK, S FIN, C ACK")
