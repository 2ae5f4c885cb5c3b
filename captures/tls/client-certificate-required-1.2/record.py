"""Records a client that has no certificate, and an alert that says so, TLS 1.2: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    trust = ("-CAfile", str(authority.path))
    s_server(lab.server, identity, "-tls1_2", "-Verify", "1", "-verify_return_error", *trust)
    with lab.client.capture() as packets:
        s_client(lab.client, *keys.openssl, say=[])
    flight = "S ServerHello, S Certificate, S ServerKeyExchange, S CertificateRequest, S ServerHelloDone"
    wanted = f"C ClientHello, {flight}, C Certificate, C ClientKeyExchange, C ChangeCipherSpec, C Finished"
    keep(packets, __file__, f"{wanted}, S handshake_failure", keys=keys)
