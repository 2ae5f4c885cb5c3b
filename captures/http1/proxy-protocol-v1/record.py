"""Records the PROXY protocol, version 1, before HTTP: curl, haproxy and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import Lab
from servers import curl, haproxy

NGINX = 'server { listen 80 proxy_protocol; location / { return 200 "$proxy_protocol_addr\\n"; } }'
# haproxy runs on the client's host and the capture shows what it sends to nginx; curl talks to it over lo.
HAPROXY = """
listen web
    mode tcp
    bind 192.0.2.1:8080
    server nginx 10.0.0.2:80 send-proxy
"""

with Lab() as lab:
    for address in ("192.0.2.1", "192.0.2.10"):
        lab.client.run("ip", "address", "add", f"{address}/32", "dev", "lo")
    lab.server.nginx(NGINX)
    lab.server.wait_for_listener(80)
    haproxy(lab.client, 8080, HAPROXY)
    with lab.client.capture() as packets:
        shown = curl(lab.client, "--interface", "192.0.2.10", "http://192.0.2.1:8080/a", "http://192.0.2.1:8080/b")
assert shown == 2 * "192.0.2.10\n"
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
