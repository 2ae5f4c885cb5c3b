"""Records lost fragment."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import fragments, has_data, nth
from recording import Lab


def cut(frame):
    """The second of three fragments is lost."""
    first, _, last = fragments(frame.data, 560)
    return [(0, first), (0, last)]


def for_client(frame):
    return frame.sender == "server" and has_data(frame)


forward = nth(1, for_client, cut)


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
