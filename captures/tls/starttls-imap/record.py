"""Records TLS that begins inside IMAP: openssl and Dovecot."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, s_client, slowly
from tls_servers import dovecot

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    dovecot(lab.server, identity, "imap", 143)
    with lab.client.capture() as packets:
        s_client(lab.client, "-starttls", "imap", *keys.openssl, port=143, say=[b"a LOGOUT\r\n"])
    keep(packets, __file__, f"{FULL_13}, …", keys=keys)
