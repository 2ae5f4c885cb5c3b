"""Records on all interfaces, with link type LINUX_SLL2."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

with Lab() as lab, lab.client.capture("-y", "LINUX_SLL2", interface="any", program="tcpdump") as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK")
