"""Records a reordered data segment that the sender took for lost."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import OPEN, SERVER_CLOSES, close, long_text, say
from forwarding import delay, has_data, nth
from recording import Lab

# The second data segment takes 20 ms longer: the third overtakes it, and the sender waits only a few ms.
with Lab(forward=nth(2, has_data, lambda frame: delay(frame, 0.02))) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(server, client)
packets.keep(__file__, f"{OPEN}, …, {SERVER_CLOSES}")
