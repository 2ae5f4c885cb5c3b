"""Records a cipher suite that does not encrypt: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import PAGE_READ, RSA, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    s_server(lab.server, identity, "-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0")
    with lab.client.capture() as packets:
        s_client(lab.client, "-cipher", "NULL-SHA256:@SECLEVEL=0", *keys.openssl)
    keep(packets, __file__, f"{RSA}, {PAGE_READ}", keys=keys)
