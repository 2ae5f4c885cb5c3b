"""Records a client that does not know who issued the certificate, TLS 1.2: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "ssl_protocols TLSv1.2;")
    with lab.client.capture() as packets:
        https(lab.client, keys, None, expect=60)
    wanted = "C ClientHello, S ServerHello, S Certificate, S ServerKeyExchange, S ServerHelloDone, C unknown_ca"
    keep(packets, __file__, wanted)
