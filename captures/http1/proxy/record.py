"""Records requests to a proxy, with absolute targets: curl, tinyproxy and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl_into_slow_pipe, require, tinyproxy

FILES = {"a.txt": b"a" * 12000}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    tinyproxy(lab.server, 8888)
    with lab.client.capture() as packets:
        curl_into_slow_pipe(lab.client, "-x", f"http://{SERVER}:8888", f"http://{SERVER}/a.txt")
require(packets, f"C GET http://{SERVER}/a.txt, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, C ACK, C ACK?, C FIN, S ACK")
