"""Records HTTP/2 over TLS through a CONNECT tunnel: curl, tinyproxy and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import TRANSFER, curl, log_of, log_of_curl, nginx, trusted
from recording import SERVER, Lab
from servers import tinyproxy
from tls_recording import slowly

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700}

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, "", FILES)
    tinyproxy(lab.server, 8888)
    through = ("-x", f"http://{SERVER}:8888")
    with lab.client.capture() as packets:
        told = curl(lab.client, *through, "-w", TRANSFER, keys=keys, authority=authority, names=FILES)
    keep(
        packets,
        __file__,
        "C HEADERS 1 GET /a.txt END, S DATA 1 END, C HEADERS 3 GET /b.txt END, S DATA 3 END",
        keys=keys,
        logs={"server.log": log_of(log), "client.log": log_of_curl(told)},
    )
