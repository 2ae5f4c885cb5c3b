"""Records TLS that begins inside SMTP: openssl and Exim."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, s_client, slowly
from tls_servers import exim

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    exim(lab.server, identity)
    with lab.client.capture() as packets:
        s_client(lab.client, "-starttls", "smtp", *keys.openssl, port=25, say=[b"NOOP\r\n"])
    keep(packets, __file__, f"{FULL_13}, …", keys=keys)
