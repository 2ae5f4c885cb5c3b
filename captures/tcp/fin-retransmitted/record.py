"""Records a FIN that is lost once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import FIN
from recording import Lab, exchange, settle

lost = []


def forward(frame):
    """The first FIN is lost."""
    if not lost and frame.has(FIN):
        lost.append(frame)
        return []
    return None


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle(1)
    server.close()
    settle(1)
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, C FIN, S ACK, S FIN, C ACK",
)
