"""Records a server that has no version in common with the client: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "ssl_protocols TLSv1.3;")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--tls-max", "1.2", expect=35)
    keep(packets, __file__, "C ClientHello, S protocol_version")
