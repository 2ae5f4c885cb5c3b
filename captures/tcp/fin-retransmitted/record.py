"""Records a FIN that is lost once."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, OPEN, close, exchange
from forwarding import FIN, drop, nth
from recording import Lab

with Lab(forward=nth(1, lambda frame: frame.has(FIN), drop)) as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    close(client, server, wait=1)  # long enough for the second FIN
packets.keep(__file__, f"{OPEN}, {HELLO}, C FIN, {CLIENT_CLOSES}")
