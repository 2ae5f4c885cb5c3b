"""Records a client that has no certificate, and an answer that says so: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, f"ssl_client_certificate {authority.path}; ssl_verify_client on;")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority)
    wanted = FULL_13.replace("S Certificate", "S CertificateRequest, S Certificate", 1)
    wanted = wanted.replace("C Finished", "C Certificate, C Finished")
    keep(packets, __file__, f"{wanted}, {PAGE_READ.replace('200', '400')}", keys=keys)
