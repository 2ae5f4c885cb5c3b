"""Records TLS 1.0, which programs speak only if they are told to: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    old = ("-tls1", "-cipher", "ECDHE-RSA-AES128-SHA@SECLEVEL=0")
    s_server(lab.server, identity, *old)
    with lab.client.capture() as packets:
        s_client(lab.client, *old, *keys.openssl)
    keep(packets, __file__, f"{EPHEMERAL}, {PAGE_READ}", keys=keys)
