"""Records a connection and puts all packets of the client before all of the server."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from recording import Lab

with Lab() as lab, lab.client.capture() as packets:
    four_way(lab, 13)
# A tap has an output for each direction; the two recordings are joined one after the other, not by time.
split = "tshark -r {in} -Y 'ip.src == 10.0.0.%d' -w {in}.%d 2> /dev/null"
packets.edit("sh", "-c", f"{split % (1, 1)} && {split % (2, 2)} && mergecap -a -w {{out}} {{in}}.1 {{in}}.2")
packets.keep(__file__, "C SYN, C ACK, C DATA, C ACK, C FIN, C ACK, S SYN-ACK, S ACK, S DATA, S ACK, S FIN")
