"""Records a segment that is damaged on the way, in a place that no link notices."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import OPEN, SERVER_CLOSES, close, long_text, say
from forwarding import has_data, nth
from recording import Lab


def damaged(frame):
    """One bit of the payload the other way round; the checksum stays as it was."""
    return [(0, frame.data[:-5] + bytes([frame.data[-5] ^ 4]) + frame.data[-4:])]


with Lab(forward=nth(2, has_data, damaged)) as lab, lab.client.capture() as packets:
    client, server = lab.connect(18)
    say(server, client, long_text("server"))
    close(server, client)
packets.keep(__file__, f"{OPEN}, …, {SERVER_CLOSES}")
