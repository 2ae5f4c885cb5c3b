"""Records TLS 1.3 with AES-CCM: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    suite = ("-ciphersuites", "TLS_AES_128_CCM_SHA256")
    s_server(lab.server, identity, *suite)
    with lab.client.capture() as packets:
        s_client(lab.client, *suite, *keys.openssl)
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
