"""Records the PROXY protocol, version 2, before TLS: curl, haproxy and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from servers import haproxy
from tls_recording import FULL_13, PAGE, PAGE_READ, Keys, https, keep, slowly

# haproxy runs on the client's host and the capture shows what it sends to nginx; curl talks to it over lo.
HAPROXY = """
listen web
    mode tcp
    bind 192.0.2.1:8443
    server nginx 10.0.0.2:443 send-proxy-v2
"""

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    for address in ("192.0.2.1", "192.0.2.10"):
        lab.client.run("ip", "address", "add", f"{address}/32", "dev", "lo")
    tls = f"ssl_protocols TLSv1.3; ssl_certificate {identity.chain}; ssl_certificate_key {identity.key};"
    lab.server.nginx(f"server {{ listen 443 ssl proxy_protocol; root html; {tls} }}", {"index.html": PAGE})
    lab.server.wait_for_listener(443)
    haproxy(lab.client, 8443, HAPROXY)
    with lab.client.capture() as packets:
        https(lab.client, keys, authority, "--interface", "192.0.2.10", at="192.0.2.1:8443")
    keep(packets, __file__, f"{FULL_13}, {PAGE_READ}", keys=keys)
