"""Records the keep-alive probes of an idle connection."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import CLIENT_CLOSES, HELLO, OPEN, close, exchange, probe_when_idle
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    probe_when_idle(client)
    exchange(client, server)
    settle(2.5)  # two probes
    close(client, server)
packets.keep(__file__, f"{OPEN}, {HELLO}, C ACK, S ACK, C ACK, S ACK, {CLIENT_CLOSES}")
