"""Records curl as it fetches one page from nginx and closes the connection."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, require

PAGE = b"<!doctype html><title>Flows</title><h1>Hello</h1>\n"

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"index.html": PAGE})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        assert curl(lab.client, f"http://{SERVER}/") == PAGE.decode()
require(packets, "C GET /, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S DATA, C ACK, C FIN, S FIN, C ACK")
