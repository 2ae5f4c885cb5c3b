"""Records HTTP with a snapshot length that keeps the heads and cuts the bodies."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding

PAGE = b"".join(b"<p>paragraph %02d of the page</p>\n" % number for number in range(80))

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"a.html": PAGE, "b.html": PAGE[:20]})
    lab.server.wait_for_listener(80)
    with lab.client.capture("-s", "320") as packets:
        curl(lab.client, *discarding(*(f"http://{SERVER}/{name}" for name in ("a.html", "b.html"))))
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
