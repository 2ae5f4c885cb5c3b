"""Records a stapled OCSP response, TLS 1.3: openssl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, keep, nginx, s_client, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    status = authority.status(identity)
    nginx(lab.server, identity, f"ssl_stapling on; ssl_stapling_file {status};")
    with lab.client.capture() as packets:
        s_client(lab.client, "-status", *keys.openssl)
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
