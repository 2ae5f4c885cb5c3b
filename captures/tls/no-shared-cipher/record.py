"""Records a handshake in which no cipher suite suits both: openssl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import Keys, keep, nginx, s_client, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;")
    with lab.client.capture() as packets:
        s_client(lab.client, "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305", "-tls1_2", say=[])
    keep(packets, __file__, "C ClientHello, S handshake_failure")
