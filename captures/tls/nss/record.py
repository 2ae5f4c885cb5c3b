"""Records TLS 1.3 with NSS's client: NSS and openssl."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, keep, s_server, slowly
from tls_servers import nss_database, tstclnt

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    # NSS logs no secrets on Debian; the server does.
    s_server(lab.server, identity, *keys.openssl)
    with lab.client.capture() as packets:
        tstclnt(lab.client, nss_database(lab.client, None, authority))
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
