"""Records a CONNECT that the proxy cannot fulfil: a Python socket and tinyproxy."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import talk, tinyproxy

with Lab() as lab:
    tinyproxy(lab.server, 8888)
    with lab.client.capture() as packets:
        # Nothing listens on port 81.
        answer = talk(lab.client, SERVER, 8888, b"CONNECT 10.0.0.2:81 HTTP/1.1\r\nHost: 10.0.0.2:81\r\n\r\n")
assert answer.startswith(b"HTTP/1.1 500 ")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK, S DATA, …, S FIN, C ACK, C FIN, S ACK")
