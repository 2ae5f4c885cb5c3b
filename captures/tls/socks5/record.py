"""Records TLS through a SOCKS 5 proxy: curl, microsocks and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import SERVER, Lab
from tls_recording import FULL_13, PAGE_READ, Keys, https, keep, nginx, slowly
from tls_servers import microsocks

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity)
    microsocks(lab.server)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--proxy", f"socks5://{SERVER}:1080")
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
