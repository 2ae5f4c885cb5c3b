"""Records sixty requests, twenty at once, on one connection: h2load and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import h2load, log_of_nghttpd, nghttpd, trusted
from recording import SERVER, Lab

FILES = {"a.txt": b"a" * 2000, "b.txt": b"b" * 300}

with Lab() as lab:
    authority, identity, keys = trusted(lab)
    verbose = nghttpd(lab.server, FILES, identity=identity)
    urls = [f"https://{SERVER}/{name}" for name in FILES]
    with lab.client.capture() as packets:
        told = h2load(lab.client, "-n60", "-m20", *urls, env=keys.environment)
    keep(
        packets,
        __file__,
        "C HEADERS 1 GET /a.txt END, C HEADERS 39 GET /b.txt END, S DATA 1 END, C HEADERS 119 GET /b.txt END",
        keys=keys,
        logs={"server.log": log_of_nghttpd(verbose), "client.log": told},
    )
