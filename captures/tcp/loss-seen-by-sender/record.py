"""Records a lost data segment where it was sent."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import OPEN, SERVER_CLOSES, close, long_text, say
from forwarding import drop, has_data, nth
from recording import Lab

# The second data segment is lost, once.
with Lab(forward=nth(2, has_data, drop)) as lab, lab.server.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(server, client)
packets.keep(__file__, f"{OPEN}, …, {SERVER_CLOSES}")
