"""Records a client that asks for records of 512 bytes: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    s_server(lab.server, identity)
    with lab.client.capture() as packets:
        s_client(lab.client, "-maxfraglen", "512", *keys.openssl)
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
