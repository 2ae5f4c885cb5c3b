"""Records a server that wants no more requests on a connection: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import TRANSFER, curl, log_of, log_of_curl, nginx, trusted
from recording import Lab
from tls_recording import slowly

FILES = {f"{name}.txt": name.encode() * 3000 for name in "abcd"}

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, "keepalive_requests 3;", FILES)
    with lab.client.capture() as packets:
        told = curl(lab.client, "-w", TRANSFER, keys=keys, authority=authority, names=FILES)
    keep(
        packets,
        __file__,
        "C HEADERS 5 GET /c.txt END, S GOAWAY 0 NO_ERROR last 5, S DATA 5 END",
        "C HEADERS 1 GET /d.txt END, S DATA 1 END",
        keys=keys,
        logs={"server.log": log_of(log), "client.log": log_of_curl(told)},
    )
