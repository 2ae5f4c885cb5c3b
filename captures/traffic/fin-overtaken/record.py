"""Records a simultaneous close in which an acknowledgement overtakes the FIN that was sent before it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import HELLO, OPEN, exchange
from forwarding import FIN, delay
from recording import Lab, settle


def late(frame):
    """The server's FIN takes a detour."""
    return delay(frame, 0.05) if frame.sender == "server" and frame.has(FIN) else None


with Lab(forward=late) as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    server.close()
    client.close()
    settle()
packets.keep(__file__, f"{OPEN}, {HELLO}, C FIN, S ACK, S FIN, C ACK")
