"""Records RSA key exchange with a key beside it that is another server's: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import PAGE_READ, RSA, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    nginx(lab.server, identity, "ssl_protocols TLSv1.2; ssl_ciphers AES128-GCM-SHA256;")
    other = authority.issue("other.test", key="rsa")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority)
    keep(packets, __file__, f"{RSA}, {PAGE_READ}", keys=keys, give=False, server_key=other)
