"""Records a data segment that arrives after the one sent after it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import OPEN, SERVER_CLOSES, close, long_text, say
from forwarding import delay, has_data, nth
from recording import Lab

# The second data segment takes 1 ms longer than the others: the third overtakes it.
with Lab(forward=nth(2, has_data, lambda frame: delay(frame, 0.001))) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(server, client)
EACH = "S DATA, C ACK"
packets.keep(__file__, f"{OPEN}, {EACH}, {EACH}, {EACH}, {SERVER_CLOSES}")
