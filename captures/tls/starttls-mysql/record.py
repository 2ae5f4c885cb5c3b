"""Records TLS that begins inside MySQL's protocol: openssl and MariaDB."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, s_client, slowly
from tls_servers import mariadb

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    mariadb(lab.server, identity)
    with lab.client.capture() as packets:
        s_client(lab.client, "-starttls", "mysql", *keys.openssl, port=3306, say=[])
    wanted = FULL_13.replace("S Certificate", "S CertificateRequest, S Certificate", 1)
    wanted = wanted.replace("C Finished", "C Certificate, C Finished")
    keep(packets, __file__, f"{wanted}, …", keys=keys)
