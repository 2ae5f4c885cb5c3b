"""Records a TLS 1.3 session that is resumed: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, PSK_13, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "keepalive_timeout 0;")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, names=["index.html"] * 2)
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", f"{PSK_13}, {PAGE_READ}", keys=keys)
