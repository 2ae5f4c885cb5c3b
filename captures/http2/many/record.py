"""Records two hundred requests on one connection, ten at once: h2load and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import h2load, log_of, nginx
from recording import SERVER, Lab

FILES = {"a.txt": b"a" * 300, "b.txt": b"b" * 40}

with Lab() as lab:
    log = nginx(lab.server, None, "", FILES)
    with lab.client.capture() as packets:
        told = h2load(lab.client, "-n200", "-m10", *(f"http://{SERVER}/{name}" for name in FILES))
    keep(
        packets,
        __file__,
        "C HEADERS 1 GET /a.txt END, C HEADERS 399 GET /b.txt END",
        logs={"server.log": log_of(log), "client.log": told},
        options=CLEARTEXT,
    )
