"""Records an offer to upgrade to HTTP/2 that the server ignores: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, require

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"a.txt": b"a" * 3000})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        shown = curl(lab.client, "--http2", "-w", "%{http_version}\n", *discarding(f"http://{SERVER}/a.txt"))
assert shown == "1.1\n", shown
require(packets, "C GET /a.txt, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
