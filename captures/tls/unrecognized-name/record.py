"""Records a warning that does not end the handshake, TLS 1.2: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    other = ("-servername", "other.test", "-cert2", str(identity.cert), "-key2", str(identity.key))
    s_server(lab.server, identity, "-tls1_2", *other)
    with lab.client.capture() as packets:
        s_client(lab.client, *keys.openssl)
    wanted = EPHEMERAL.replace("S ServerHello, ", "S unrecognized_name, S ServerHello, ")
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
