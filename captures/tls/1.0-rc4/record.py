"""Records RC4, TLS 1.0: GnuTLS on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import RSA, Keys, keep, slowly
from tls_servers import gnutls_cli, gnutls_serv

PRIORITY = "NORMAL:-VERS-ALL:+VERS-TLS1.0:-CIPHER-ALL:+ARCFOUR-128:-KX-ALL:+RSA:%COMPAT"

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    gnutls_serv(lab.server, identity, "--disable-client-cert", "--priority", PRIORITY)
    with lab.client.capture() as packets:
        gnutls_cli(lab.client, keys, authority, "--priority", PRIORITY)
    keep(packets, __file__, f"{RSA}, …", keys=keys, server_key=identity)
