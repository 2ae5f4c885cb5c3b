"""Records a connection and cuts the file in the middle of a packet."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    four_way(lab)
# As if the disk had been full: half of the last packet, the client's ACK of the server's FIN, is missing.
data = packets.path.read_bytes()
packets.path.write_bytes(data[:-33])
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN")
