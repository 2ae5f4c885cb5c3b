"""Records a client that finds the certificate expired and keeps no secrets: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import EXPIRED, Authority
from recording import Lab
from tls_recording import CERTIFICATE_13, FLIGHT_13, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", dates=EXPIRED)
    nginx(lab.server, identity)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, expect=60)
    wanted = f"C ClientHello, {FLIGHT_13}, {CERTIFICATE_13}, C ChangeCipherSpec?, C certificate_expired"
    keep(packets, __file__, wanted, keys=keys, give=False)
