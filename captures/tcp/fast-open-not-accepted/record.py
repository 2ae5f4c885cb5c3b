"""Records TCP Fast Open with a cookie that the server does not know any more."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, allow_fast_open, fast_open
from recording import Lab

KEYS = ("11111111-22222222-33333333-44444444", "55555555-66666666-77777777-88888888")

with Lab() as lab:
    allow_fast_open(lab)
    with lab.client.capture() as packets:
        for key in KEYS:
            # The second connection brings a cookie of the first key.
            lab.server.sysctl("net.ipv4.tcp_fastopen_key", key)
            fast_open(lab)
packets.keep(
    __file__,
    f"C SYN, S SYN-ACK, {HELLO}, {CLIENT_CLOSES}",
    f"C SYN-DATA, S SYN-ACK, {HELLO}, {CLIENT_CLOSES}",
)
