"""Records HTTP on a port of its own: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, require

PAGE = b"<!doctype html><title>Flows</title><h1>Hello</h1>\n"

with Lab() as lab:
    lab.server.nginx("server { listen 31337; root html; }", {"index.html": PAGE})
    lab.server.wait_for_listener(31337)
    with lab.client.capture() as packets:
        assert curl(lab.client, f"http://{SERVER}:31337/") == PAGE.decode()
require(packets, "C GET /, S 200", options=("-d", "tcp.port==31337,http"))
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S DATA, C ACK, C FIN, S FIN, C ACK")
