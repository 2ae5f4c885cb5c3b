"""Records a connection to a port where nothing listens."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab

with Lab() as lab, lab.client.capture() as packets:
    assert lab.client.run("nc", "-v", SERVER, "81", check=False).returncode == 1
packets.keep(__file__, "C SYN, S RST-ACK")
