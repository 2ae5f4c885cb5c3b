"""Records a connection that had been open before the capture began."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from conversations import exchange, exchange_and_close
from recording import Lab

with Lab() as lab:
    client, server = lab.connect(7)
    exchange(client, server)
    with lab.client.capture() as packets:
        exchange_and_close(client, server)
packets.keep(__file__, "C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK")
