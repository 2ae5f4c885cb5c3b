"""Records TCP Fast Open: a connection that asks for a cookie, and one that sends data in its SYN."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, allow_fast_open, fast_open
from recording import Lab

with Lab() as lab:
    allow_fast_open(lab)
    with lab.client.capture() as packets:
        fast_open(lab)
        fast_open(lab)
packets.keep(
    __file__,
    f"C SYN, S SYN-ACK, {HELLO}, {CLIENT_CLOSES}",
    f"C SYN-DATA, S SYN-ACK, C ACK, S DATA, C ACK, {CLIENT_CLOSES}",
)
