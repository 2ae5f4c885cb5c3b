"""Records RSA key exchange and its resumption and keeps only the server's key: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import PAGE_READ, RESUMED, RSA, Keys, https, keep, nginx, slowly

NGINX = """
ssl_protocols TLSv1.2; ssl_ciphers AES256-GCM-SHA384:AES128-SHA256; keepalive_timeout 0;
ssl_session_tickets off; ssl_session_cache shared:sessions:1m;
"""

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test", key="rsa")
    nginx(lab.server, identity, NGINX)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, names=["index.html"] * 2)
    wanted = (f"{RSA}, {PAGE_READ}", f"{RESUMED}, {PAGE_READ}")
    keep(packets, __file__, *wanted, keys=keys, give=False, server_key=identity)
