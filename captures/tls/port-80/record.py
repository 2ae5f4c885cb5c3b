"""Records TLS on the port of HTTP: curl and openssl."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import SERVER, Lab
from tls_recording import FULL_13, PAGE_READ, Keys, https, keep, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    s_server(lab.server, identity, port=80)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, at=f"{SERVER}:80")
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys, options=("-d", "tcp.port==80,tls"))
