"""Records fragments that contradict one another."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from forwarding import checksum, fragments, has_data, nth
from recording import Lab


def overlapping(frame):
    """A forged fragment comes before the last one: it claims eight bytes that are there already to be others."""
    parts = fragments(frame.data, 560)
    forged = bytearray(parts[1])
    forged[20:22] = (1 << 13 | (560 - 8) // 8).to_bytes(2, "big")
    forged[24:26] = bytes(2)
    forged[24:26] = checksum(forged[14:34])
    return [(0, part) for part in (parts[0], bytes(forged), *parts[1:])]


def for_client(frame):
    return frame.sender == "server" and has_data(frame)


forward = nth(1, for_client, overlapping)


with Lab(forward=forward) as lab, lab.client.capture() as packets:
    client, server = lab.connect(19)
    say(server, client, long_text("server"))
    close(client, server)
packets.keep(__file__, f"{OPEN}, S DATA, …, {CLIENT_CLOSES}")
