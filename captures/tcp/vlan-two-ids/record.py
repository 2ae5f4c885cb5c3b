"""Records a connection whose directions carry different VLAN ids."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import tagged
from recording import Lab, exchange, settle

with (
    Lab(mirror=lambda frame: tagged(frame.data, 100 if frame.sender == "client" else 200)) as lab,
    lab.middle.capture(interface="monitor") as packets,
):
    client, server = lab.connect(7)
    exchange(client, server)
    client.close()
    settle()
    server.close()
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, C ACK, C FIN, S ACK, S FIN, C ACK")
