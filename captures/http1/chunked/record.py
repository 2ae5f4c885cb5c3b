"""Records responses in chunks: curl and nginx, which does not know their lengths beforehand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, require

FILES = {
    "part.txt": b"part of a page\n" * 300,
    "page.html": b'<title>Flows</title><!--#include file="part.txt" --><p>and<!--#include file="part.txt" -->\n',
    "empty.html": b'<!--#set var="nothing" value="" -->',
}
NGINX = "server { listen 80; root html; ssi on; }"

with Lab() as lab:
    lab.server.nginx(NGINX, FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        curl(lab.client, *discarding(*(f"http://{SERVER}/{name}.html" for name in ("page", "empty", "page"))))
require(packets, "C GET /page.html, S 200, C GET /empty.html, S 200, C GET /page.html, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
