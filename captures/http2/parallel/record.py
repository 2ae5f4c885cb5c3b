"""Records six downloads at once on one connection: curl and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import TRANSFER, curl, log_of_curl, log_of_nghttpd, nghttpd, trusted
from recording import Lab
from tls_recording import slowly

FILES = {f"{name}.txt": name.encode() * 40000 for name in "abcdef"}

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    verbose = nghttpd(lab.server, FILES, identity=identity)
    with lab.client.capture() as packets:
        told = curl(lab.client, "-Z", "-w", TRANSFER, keys=keys, authority=authority, names=FILES)
    keep(
        packets,
        __file__,
        "C HEADERS 1 GET /a.txt END, C HEADERS 11 GET /f.txt END, S DATA 3, S DATA 5, S DATA 3",
        keys=keys,
        logs={"server.log": log_of_nghttpd(verbose), "client.log": log_of_curl(told)},
    )
