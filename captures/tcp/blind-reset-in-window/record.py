"""Records a forged RST inside the window that is not at the sequence number expected next."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, OPEN, exchange, exchange_and_close
from forwarding import RST, forged, pass_on
from recording import Lab, settle

with Lab(forward=pass_on) as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    exchange(client, server)
    reply = lab.forwarder.last["server"]
    # Inside the window, yet not exactly what is expected.
    lab.forwarder.inject("client", forged(reply, RST, reply.next_sequence + 1000))
    settle()
    exchange_and_close(client, server)
packets.keep(__file__, f"{OPEN}, {HELLO}, S RST, C ACK, {HELLO}, {CLIENT_CLOSES}")
