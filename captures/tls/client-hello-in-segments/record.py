"""Records a ClientHello in twelve segments: openssl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import SERVER, Lab
from tls_recording import FULL_13, PAGE_READ, Keys, keep, nginx, s_client, slowly

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity)
    # The server says that its segments must be this small, so the client's are.
    lab.server.run("ip", "route", "change", "10.0.0.0/24", "dev", "eth0", "src", SERVER, "advmss", "100")
    protocols = ",".join(["http/1.1", *(f"example-protocol-{number:02}" for number in range(30))])
    with lab.client.capture() as packets:
        s_client(lab.client, "-alpn", protocols, *keys.openssl)
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
