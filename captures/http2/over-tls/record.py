"""Records three requests one after the other: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import TRANSFER, curl, log_of, log_of_curl, nginx, trusted
from recording import Lab
from tls_recording import slowly

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700, "c.txt": b"c" * 20000}

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, "", FILES)
    with lab.client.capture() as packets:
        told = curl(lab.client, "-w", TRANSFER, keys=keys, authority=authority, names=FILES)
    keep(
        packets,
        __file__,
        "C SETTINGS 0, C HEADERS 1 GET /a.txt END, S SETTINGS 0, S DATA 1 END, C HEADERS 3 GET /b.txt END, "
        "S DATA 5 END",
        keys=keys,
        logs={"server.log": log_of(log), "client.log": log_of_curl(told)},
    )
