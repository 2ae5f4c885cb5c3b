"""Records a SYN-ACK that is lost once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import four_way
from forwarding import ACK, SYN
from recording import Lab

seen = []


def forward(frame):
    """The first SYN-ACK is lost, and so is the client's second SYN: the server's own timer sends SYN-ACK again."""
    if not frame.has(SYN):
        return None
    seen.append((frame.sender, frame.has(ACK)))
    lost = seen.count(seen[-1]) == (1 if frame.has(ACK) else 2)
    return [] if lost else None


with Lab(forward=forward) as lab, lab.server.capture() as packets:
    four_way(lab)
packets.keep(__file__, "C SYN, S SYN-ACK, S SYN-ACK, C ACK+, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK")
