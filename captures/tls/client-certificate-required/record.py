"""Records a client that has no certificate, and an alert that says so: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    s_server(lab.server, identity, "-Verify", "1", "-verify_return_error", "-CAfile", str(authority.path))
    with lab.client.capture() as packets:
        s_client(lab.client, *keys.openssl)
    wanted = FULL_13.replace("S Certificate", "S CertificateRequest, S Certificate", 1)
    wanted = wanted.replace("C Finished", "C Certificate, C Finished")
    keep(packets, __file__, f"{wanted}, S certificate_required, …", keys=keys)
