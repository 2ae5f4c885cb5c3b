"""Records the close of connections that had been open before the capture began."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange, reset
from recording import Lab, settle

with Lab() as lab:
    one, two = lab.connect(7), lab.connect(9)
    exchange(*one)
    exchange(*two)
    with lab.client.capture() as packets:
        one[1].close()
        settle()
        one[0].close()
        settle()
        reset(two[1])
packets.keep(__file__, "S FIN, C ACK, C FIN, S ACK", "S RST-ACK")
