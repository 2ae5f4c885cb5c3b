"""Records HTTP through a CONNECT tunnel: curl, tinyproxy and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, tinyproxy

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    tinyproxy(lab.server, 8888)
    with lab.client.capture() as packets:
        urls = discarding(*(f"http://{SERVER}/{name}" for name in FILES))
        curl(lab.client, "-p", "-x", f"http://{SERVER}:8888", *urls)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
