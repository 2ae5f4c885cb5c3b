"""Records a host whose network card fills in the checksums, and cuts large segments, after they were captured."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from recording import Lab

with Lab() as lab:
    lab.client.run("ethtool", "-K", "eth0", "tx", "on", "gso", "on", "tso", "on")
    with lab.client.capture() as packets:
        client, server = lab.connect(9)
        say(client, server, 4 * long_text("client"))
        close(client, server)
packets.keep(__file__, f"{OPEN}, …, {CLIENT_CLOSES}")
