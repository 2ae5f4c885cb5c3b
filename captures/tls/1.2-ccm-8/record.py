"""Records AES-CCM with short tags, TLS 1.2: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    s_server(lab.server, identity, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-CCM8@SECLEVEL=0")
    with lab.client.capture() as packets:
        s_client(lab.client, "-cipher", "ECDHE-ECDSA-AES256-CCM8@SECLEVEL=0", *keys.openssl)
    keep(packets, __file__, f"{EPHEMERAL}, {PAGE_READ}", keys=keys)
