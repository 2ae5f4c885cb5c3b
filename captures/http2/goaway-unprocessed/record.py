"""Records requests that the server's GOAWAY says it will not answer: nghttp and Apache."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import nghttp
from recording import SERVER, Lab
from servers import apache

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700, "c.txt": b"c" * 9000}

with Lab() as lab:
    apache(lab.server, 80, "http2", "Protocols h2c http/1.1", FILES)
    with lab.client.capture() as packets:
        nghttp(lab.client, "-u", *(f"http://{SERVER}/{name}" for name in FILES), check=False)
    keep(packets, __file__, "S HEADERS 1 200, S DATA 1 END, C HEADERS 15 GET /c.txt END, S GOAWAY 0 NO_ERROR last 1")
