"""Records TLS 1.2 with finite-field Diffie-Hellman: curl and openssl."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, https, keep, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    s_server(lab.server, identity, "-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority)
    keep(packets, __file__, f"{EPHEMERAL}, {PAGE_READ}", keys=keys)
