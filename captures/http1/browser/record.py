"""Records a page with what belongs to it: Chromium and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from forwarding import delay
from recording import SERVER, Lab
from servers import chromium, require

PAGE = b"""<!doctype html><title>Flows</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">
<h1>Hello</h1><img src="/1.svg"><img src="/2.svg">
<script src="/code.js"></script>
"""
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="10" cy="10" r="9"/></svg>\n'
FILES = {
    "index.html": PAGE,
    # Takes one round trip longer than a new connection: no other request waits for this one's connection.
    "style.css": b"h1 { font-family: serif }\n" * 800,
    "code.js": b"document.title += ', loaded'\n",
    "1.svg": PICTURE,
    "2.svg": PICTURE,
}
TYPES = "text/html html; text/css css; text/javascript js; image/svg+xml svg;"
NGINX = f"server {{ listen 80; root html; types {{ {TYPES} }} }}"


def forward(frame):
    """10 ms each way, so that the browser asks for everything before it has anything."""
    return delay(frame, 0.01)


with Lab(forward=forward) as lab:
    lab.server.nginx(NGINX, FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        assert "Flows, loaded" in chromium(lab.client, f"http://{SERVER}/")
require(
    packets,
    "C GET /, S 200, C GET /style.css, S 200",
    *(f"C GET /{name}, S 200" for name in ("1.svg", "2.svg", "code.js")),
)
packets.keep(__file__, *["C SYN, S SYN-ACK, C ACK, C DATA, …"] * 4)
