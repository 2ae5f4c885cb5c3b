"""Records an upload that is refused while it is under way: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import delay
from recording import SERVER, Lab, settle
from servers import INCOMPLETE, curl, discarding, require

NGINX = """
server {
    listen 80 rcvbuf=4k;
    client_max_body_size 1k;
    lingering_timeout 1s;
    location / { proxy_pass http://127.0.0.1:81; }
}
"""


def forward(frame):
    """10 ms each way, so that the upload is under way when nginx says no."""
    return delay(frame, 0.01)


with Lab(forward=forward) as lab:
    # Small buffers on both hosts, so that little of it is.
    lab.client.sysctl("net.ipv4.tcp_wmem", "4096 4608 4608")
    lab.server.nginx(NGINX)
    lab.server.wait_for_listener(80)
    body = lab.client.folder("body-") / "body"
    body.write_bytes(b"x" * 1000000)
    with lab.client.capture() as packets:
        curl(lab.client, "-T", str(body), "-H", "Expect:", *discarding(f"http://{SERVER}/up"))
        settle(2)
require(packets, "C PUT /up, S 413", options=INCOMPLETE)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, C DATA, …, S DATA, C ACK, …, S ACK, S FIN, C ACK")
