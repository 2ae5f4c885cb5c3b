"""Records TLS that begins inside PostgreSQL's protocol: openssl and PostgreSQL."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import CERTIFICATE_13, Keys, keep, s_client, slowly
from tls_servers import postgresql

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    postgresql(lab.server, identity)
    with lab.client.capture() as packets:
        s_client(lab.client, "-starttls", "postgres", *keys.openssl, port=5432, say=[])
    # The server insists on another group.
    retry = "C ClientHello, S HelloRetryRequest, S ChangeCipherSpec, C ChangeCipherSpec, C ClientHello"
    wanted = f"{retry}, S ServerHello, S EncryptedExtensions, {CERTIFICATE_13}, …"
    keep(packets, __file__, wanted, keys=keys)
