"""Records a client that offers HTTP/2 and a server that chooses HTTP/1.1: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import TRANSFER, curl, log_of, log_of_curl, nginx, trusted
from recording import Lab
from tls_recording import slowly

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700}

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, "", FILES, listen="")
    with lab.client.capture() as packets:
        told = curl(lab.client, "--http2", "-w", TRANSFER, keys=keys, authority=authority, names=FILES)
    logs = {"server.log": log_of(log), "client.log": log_of_curl(told)}
    keep(packets, __file__, keys=keys, logs=logs, agree=False, tcp=["C SYN, S SYN-ACK, C ACK, …, C FIN, S FIN, C ACK"])
