"""Records a stapled OCSP response, TLS 1.2: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    between = Authority(lab.server, "Example Intermediate", issuer=authority)
    identity = between.issue("example.test")
    status = between.status(identity)
    nginx(lab.server, identity, f"ssl_protocols TLSv1.2; ssl_stapling on; ssl_stapling_file {status};")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--cert-status")
    wanted = EPHEMERAL.replace("CertificateStatus?", "CertificateStatus")
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
