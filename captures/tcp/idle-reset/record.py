"""Records a connection over which nobody says anything, kept alive by probes and reset by its client."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import OPEN, probe_when_idle, reset
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, _server = lab.connect(7)
    probe_when_idle(client)
    settle(4.5)  # four probes
    reset(client)
packets.keep(__file__, f"{OPEN}, {'C ACK, S ACK, ' * 4}C RST-ACK")
