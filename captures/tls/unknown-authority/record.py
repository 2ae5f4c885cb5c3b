"""Records a client that does not know who issued the certificate: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import CERTIFICATE_13, FLIGHT_13, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity)
    with lab.client.capture() as packets:
        https(lab.client, keys, None, expect=60)
    wanted = f"C ClientHello, {FLIGHT_13}, {CERTIFICATE_13}, C ChangeCipherSpec?, C unknown_ca"
    keep(packets, __file__, wanted, keys=keys)
