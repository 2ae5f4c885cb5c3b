"""Records a renegotiation that the client asks for, between lines of text: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, Keys, keep, s_client, s_server, slowly, typed

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    server = s_server(lab.server, identity, "-tls1_2", "-client_renegotiation", www=False)
    with lab.client.capture() as packets:
        lines = [b"before\n", typed(server, b"before\n"), b"R\n", b"after\n", typed(server, b"after\n")]
        s_client(lab.client, *keys.openssl, say=lines)
    lines = "C Data, S Data"
    keep(packets, __file__, f"{EPHEMERAL}, {lines}, {EPHEMERAL}, {lines}, …", keys=keys)
