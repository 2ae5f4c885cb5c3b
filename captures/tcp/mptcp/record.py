"""Records a Multipath TCP connection with one subflow."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, exchange, settle

IPPROTO_MPTCP = 262

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7, protocol=IPPROTO_MPTCP)
    exchange(client, server)
    client.close()
    settle()
    server.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, …")
