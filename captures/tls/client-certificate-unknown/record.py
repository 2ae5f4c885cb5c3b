"""Records a client whose certificate the server does not trust: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    client = Authority(lab.client, "Another Root").issue("client", extensions=())
    s_server(lab.server, identity, "-Verify", "1", "-verify_return_error", "-CAfile", str(authority.path))
    with lab.client.capture() as packets:
        s_client(lab.client, "-cert", str(client.cert), "-key", str(client.key), *keys.openssl)
    wanted = FULL_13.replace("S Certificate", "S CertificateRequest, S Certificate", 1)
    wanted = wanted.replace("C Finished", "C Certificate, C CertificateVerify, C Finished")
    keep(packets, __file__, f"{wanted}, S unknown_ca, …", keys=keys)
