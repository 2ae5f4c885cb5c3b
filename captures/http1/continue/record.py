"""Records uploads that wait for 100 Continue: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import INCOMPLETE, curl, discarding, require

NGINX = """
server {
    listen 80;
    location /up { proxy_pass http://127.0.0.1:81; client_body_buffer_size 64k; }
    location /full { client_max_body_size 1k; proxy_pass http://127.0.0.1:81; }
}
server { listen 127.0.0.1:81; location / { return 204; } }
"""

with Lab() as lab:
    lab.server.nginx(NGINX)
    lab.server.wait_for_listener(80)
    body = lab.client.folder("body-") / "body"
    body.write_bytes(b"x" * 10000)
    upload = ["-H", "Expect: 100-continue", "-T", str(body), "--expect100-timeout", "10"]
    with lab.client.capture() as packets:
        curl(lab.client, *upload, f"http://{SERVER}/up")
        curl(lab.client, *upload, *discarding(f"http://{SERVER}/full"))
require(packets, "C PUT /up, S 100, S 204", "C PUT /full, S 413", options=INCOMPLETE)
packets.keep(
    __file__,
    "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK",
    "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK",
)
