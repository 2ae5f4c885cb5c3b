"""Records two sides without an application protocol in common: openssl on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import Keys, keep, s_client, s_server, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    s_server(lab.server, identity, "-alpn", "h2")
    with lab.client.capture() as packets:
        s_client(lab.client, "-alpn", "http/1.1", say=[])
    keep(packets, __file__, "C ClientHello, S no_application_protocol")
