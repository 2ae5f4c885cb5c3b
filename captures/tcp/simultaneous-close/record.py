"""Records a close in which both FINs are on the way at the same time."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange
from forwarding import delay
from recording import Lab, settle

# A slow network: whatever one side sends reaches the other 50 ms later, long after the other has closed, too.
with Lab(forward=lambda frame: delay(frame, 0.05)) as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    server.close()
    settle()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S FIN, C ACK, S ACK")
