"""Records TLS 1.3 without ChangeCipherSpec: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    s_server(lab.server, identity, "-no_middlebox")
    with lab.client.capture() as packets:
        s_client(lab.client, "-no_middlebox", *keys.openssl)
    wanted = FULL_13.replace("S ChangeCipherSpec?, ", "").replace("C ChangeCipherSpec?, ", "")
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
