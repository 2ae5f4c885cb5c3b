"""Records TLS through a CONNECT tunnel: curl, tinyproxy and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import delay
from recording import SERVER, Lab
from servers import certificate, curl, discarding, tinyproxy

NGINX = "server {{ listen 443 ssl; root html; ssl_certificate {}; ssl_certificate_key {}; }}"


def forward(frame):
    """10 ms each way, so that curl's close_notify and its FIN are on their way before anybody answers them."""
    return delay(frame, 0.01)


with Lab(forward=forward) as lab:
    lab.server.nginx(NGINX.format(*certificate(lab.server, "example.test")), {"a.txt": b"a" * 3000})
    lab.server.wait_for_listener(443)
    tinyproxy(lab.server, 8888)
    with lab.client.capture() as packets:
        through = ["-x", f"http://{SERVER}:8888", "--insecure", "--connect-to", f"example.test:443:{SERVER}:443"]
        curl(lab.client, *through, *discarding("https://example.test/a.txt"))
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
