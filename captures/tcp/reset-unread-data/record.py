"""Records the RST of a server that closes before it has read what was sent to it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab, settle

with Lab() as lab, lab.client.capture() as packets:
    client, server = lab.connect(7)
    client.sendall(b"nobody reads this\n")
    settle()
    server.close()  # an ordinary close(), yet RFC 1122 wants a RST here
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S RST-ACK")
