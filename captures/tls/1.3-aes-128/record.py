"""Records TLS 1.3 with AES-128-GCM and an RSA certificate: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    nginx(lab.server, identity)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--tls13-ciphers", "TLS_AES_128_GCM_SHA256")
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
