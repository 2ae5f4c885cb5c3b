"""Records a transfer and rewrites it to IEEE 802.11 frames with several packets each."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, OPEN, close, long_text, say
from conversion import rewrite
from linking import RADIOTAP, aggregates, radiotap
from recording import Lab

with Lab() as lab, lab.client.capture(program="tcpdump") as packets:
    client, server = lab.connect(19)
    server.sendall(long_text("server"))
    say(client, server)
    assert len(client.recv(10_000)) == 4200
    close(client, server)
rewrite(packets.path, link_type=RADIOTAP, packet=radiotap(aggregates(packets.path)))
packets.keep(__file__, f"{OPEN}, …, {CLIENT_CLOSES}")
