"""Records connections that open and close exactly at 2**32."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, initial_sequence, say
from recording import Lab

# The SYN takes the last number before the wrap; or a FIN does.
FIRST = {9: 2**32 - 1, 10: 2**32 - 8}

with Lab() as lab, lab.client.capture() as packets:
    for port, first in FIRST.items():
        client, server = lab.connect(port, prepare_client=initial_sequence(first))
        say(client, server)
        close(client, server)
packets.keep(__file__, *[f"{OPEN}, C DATA, S ACK, {CLIENT_CLOSES}"] * 2)
