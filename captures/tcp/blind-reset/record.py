"""Records a forged RST outside the window."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import RST, forged
from recording import Lab, exchange, settle

last = {}


def remember(frame):
    last[frame.sender] = frame


with Lab(forward=remember) as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    template = last["server"]  # the reply; what the client expects next follows it
    expected = template.sequence + len(template.payload)
    # Far outside the window of 64 KiB: an attacker who guesses.
    lab.forwarder.inject("client", forged(template, RST, expected + 2**30))
    settle()
    exchange(client, server)
    client.close()
    settle()
    server.close()
    settle()
HELLO = "C DATA, S ACK, S DATA, C ACK"
packets.keep(__file__, f"C SYN, S SYN-ACK, C ACK, {HELLO}, S RST, {HELLO}, C FIN, S ACK, S FIN, C ACK")
