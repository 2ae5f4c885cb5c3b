"""Records an upgrade to HTTP/2 and what follows it on the same connection: nghttp and nghttpx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import nghttp, nghttpx
from recording import SERVER, Lab

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700, "c.txt": b"c" * 9000}

with Lab() as lab:
    nghttpx(lab.server, FILES)
    with lab.client.capture() as packets:
        nghttp(lab.client, "-u", *(f"http://{SERVER}/{name}" for name in FILES))
    # The first request is not in frames: tshark shows it as HTTP/1.1.
    keep(packets, __file__, "C HEADERS 13 GET /b.txt END, C HEADERS 15 GET /c.txt END, S DATA 15 END")
