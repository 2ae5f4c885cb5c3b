"""Records a client that asks for records of 600 bytes: GnuTLS on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import CERTIFICATE_13, PAGE_READ, Keys, keep, slowly
from tls_servers import gnutls_cli, gnutls_serv

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    gnutls_serv(lab.server, identity, "--disable-client-cert")
    with lab.client.capture() as packets:
        gnutls_cli(lab.client, keys, authority, "--recordsize", "600")
    # GnuTLS sends ChangeCipherSpec and its tickets when it may, and not when it has to.
    wanted = f"C ClientHello, S ServerHello, …, {CERTIFICATE_13}, …, C Finished, …, {PAGE_READ}"
    keep(packets, __file__, wanted, keys=keys)
