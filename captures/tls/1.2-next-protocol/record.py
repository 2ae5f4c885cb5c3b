"""Records the next protocol negotiation that came before ALPN: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    s_server(lab.server, identity, "-tls1_2", "-nextprotoneg", "http/1.1")
    with lab.client.capture() as packets:
        s_client(lab.client, "-tls1_2", "-nextprotoneg", "http/1.1", *keys.openssl)
    wanted = EPHEMERAL.replace("C Finished", "C NextProtocol, C Finished")
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
