"""Records a SYN that is lost once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import SYN
from recording import Lab, exchange, settle

lost = []


def forward(frame):
    """The first SYN is lost."""
    if not lost and frame.has(SYN):
        lost.append(frame)
        return []
    return None


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
    settle()
packets.keep(
    __file__,
    "C SYN, C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK",
)
