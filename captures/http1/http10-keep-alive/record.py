"""Records HTTP/1.0 requests on one connection: ab and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle
from servers import require

PAGE = b"<!doctype html><title>Flows</title><h1>Hello</h1>\n"

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"index.html": PAGE})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        lab.client.run("ab", "-k", "-n", "3", f"http://{SERVER}/")
        settle()
require(packets, "C GET /, S 200, C GET /, S 200, C GET /, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
