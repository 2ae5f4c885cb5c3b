"""Records a TLS 1.2 session resumed by its session id: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import EPHEMERAL, PAGE_READ, RESUMED, Keys, https, keep, nginx, slowly

NGINX = """
ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384; keepalive_timeout 0;
ssl_session_tickets off; ssl_session_cache shared:sessions:1m;
"""

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, NGINX)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, names=["index.html"] * 2)
    keep(packets, __file__, f"{EPHEMERAL}, {PAGE_READ}", f"{RESUMED}, {PAGE_READ}", keys=keys)
