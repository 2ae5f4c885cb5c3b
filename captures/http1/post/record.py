"""Records forms that are sent: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, require

NGINX = """
server {
    listen 80;
    location / { proxy_pass http://127.0.0.1:81; }
}
server { listen 127.0.0.1:81; location / { return 200 "thank you\\n"; } }
"""

with Lab() as lab:
    lab.server.nginx(NGINX)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        short, long = ["-d", "name=value"], ["-H", "Expect:", "-d", f"text={'x' * 6000}"]
        then = ["--next", "-sS"]
        form = [f"http://{SERVER}/form?step={step}" for step in (1, 2, 3)]
        shown = curl(lab.client, *short, form[0], *then, *long, form[1], *then, "-d", "", form[2])
assert shown == 3 * "thank you\n"
require(packets, "C POST /form?step=1, S 200, C POST /form?step=2, S 200, C POST /form?step=3, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
