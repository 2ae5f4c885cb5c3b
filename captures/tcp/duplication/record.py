"""Records a data segment that the network delivers twice."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import OPEN, SERVER_CLOSES, close, long_text, say
from forwarding import has_data, nth
from recording import Lab


def twice(frame):
    """A millisecond apart."""
    return [(0, frame.data), (0.001, frame.data)]


with Lab(forward=nth(2, has_data, twice)) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(server, client)
packets.keep(__file__, f"{OPEN}, …, {SERVER_CLOSES}")
