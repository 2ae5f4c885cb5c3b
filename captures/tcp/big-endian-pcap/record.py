"""Records a pcap file and rewrites it as a big-endian machine would have written it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversion import rewrite
from recording import Lab, exchange, settle

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
rewrite(packets.path, byte_order=">")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK")
