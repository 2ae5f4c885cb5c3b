"""Records two connections, of which one and the other's secrets are kept: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity)
    others = Keys(lab.client)
    https(lab.client, others, authority)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority)
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys, give=False)
    others.keep(__file__)
