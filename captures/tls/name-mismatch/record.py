"""Records a client that finds another name in the certificate: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("other.test")
    nginx(lab.server, identity)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, expect=60)
    keep(packets, __file__, f"{FULL_13}, C close_notify, S NewSessionTicket?", keys=keys)
