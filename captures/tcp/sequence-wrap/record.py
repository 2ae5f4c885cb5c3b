"""Records a connection whose sequence numbers pass 2**32."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, initial_sequence, long_text, say
from recording import Lab

with Lab() as lab, lab.client.capture() as packets:
    # The second data segment crosses the wrap.
    client, server = lab.connect(9, prepare_client=initial_sequence(2**32 - 2000))
    say(client, server, long_text("client"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, C DATA, …, C DATA, …, S ACK, {CLIENT_CLOSES}")
