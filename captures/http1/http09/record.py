"""Records HTTP/0.9: a Python socket and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import talk

PAGE = b"<!doctype html><title>Flows</title><h1>Hello</h1>\n"

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"index.html": PAGE})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        assert talk(lab.client, SERVER, 80, b"GET /\r\n") == PAGE
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, S ACK?, S DATA, …, S FIN, C ACK, C FIN, S ACK")
