"""Records TLS that begins inside LDAP: openssl and OpenLDAP."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, keep, s_client, slowly
from tls_servers import slapd

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    slapd(lab.server, identity, authority)
    with lab.client.capture() as packets:
        s_client(lab.client, "-starttls", "ldap", *keys.openssl, port=389, say=[])
    keep(packets, __file__, f"{FULL_13}, …", keys=keys)
    Path(__file__).with_name("ca.pem").write_bytes(authority.path.read_bytes())
