"""Records HTTP/2 over TLS 1.2 and keeps no secrets: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import keep
from http2_servers import curl, nginx, trusted
from recording import Lab
from tls_recording import slowly

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700, "c.txt": b"c" * 20000}

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    nginx(lab.server, identity, "", FILES)
    with lab.client.capture() as packets:
        curl(lab.client, "--tls-max", "1.2", keys=keys, authority=authority, names=FILES)
    keep(packets, __file__, "S DATA 1 END, C HEADERS 3 GET /b.txt END, S DATA 5 END", keys=keys, give=False)
