"""Records fragments in reverse order."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import fragments
from recording import Lab


def forward(frame):
    """The fragments of a segment overtake one another on their way to the client."""
    if frame.sender == "server" and len(frame.data) > 14 + 580:
        return [(0, part) for part in reversed(fragments(frame.data, 288))]
    return None


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
