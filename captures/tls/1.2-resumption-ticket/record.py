"""Records a TLS 1.2 session resumed by its ticket: openssl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, RESUMED, Keys, keep, nginx, s_client, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    tls = "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; ssl_session_cache off;"
    nginx(lab.server, identity, tls)
    with lab.client.capture() as packets:
        session = str(keys.folder / "session")
        s_client(lab.client, *keys.openssl, "-sess_out", session)
        s_client(lab.client, *keys.openssl, "-sess_in", session)
    keep(packets, __file__, f"{EPHEMERAL}, {PAGE_READ}", f"{RESUMED}, {PAGE_READ}", keys=keys)
