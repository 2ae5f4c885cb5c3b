"""Records a server that asks for another key share: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, https, keep, nginx, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, "ssl_ecdh_curve secp384r1;")
    with lab.client.capture() as packets:
        https(lab.client, keys, authority)
    again = FULL_13.replace("S ChangeCipherSpec?, ", "").replace("C ChangeCipherSpec?, ", "")
    wanted = f"C ClientHello, S HelloRetryRequest, S ChangeCipherSpec, C ChangeCipherSpec, {again}"
    keep(packets, __file__, f"{wanted}, {PAGE_READ}", keys=keys)
