"""Records a client that proves who it is, TLS 1.2: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    client = authority.issue("client", extensions=())
    tls = f"ssl_protocols TLSv1.2; ssl_client_certificate {authority.path}; ssl_verify_client on;"
    nginx(lab.server, identity, tls)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--cert", str(client.cert), "--key", str(client.key))
    wanted = EPHEMERAL.replace("S ServerHelloDone, ", "S CertificateRequest, S ServerHelloDone, C Certificate, ")
    wanted = wanted.replace("C ClientKeyExchange, ", "C ClientKeyExchange, C CertificateVerify, ")
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
