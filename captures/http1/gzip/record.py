"""Records compressed bodies, one of known length, one in chunks: curl and nginx."""

import gzip
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, require

PAGE = b"<!doctype html><title>Flows</title><h1>Hello</h1>\n" * 100
FILES = {"page.html": PAGE, "page.html.gz": gzip.compress(PAGE, mtime=0), "other.html": PAGE}
NGINX = "server { listen 80; root html; gzip on; gzip_static on; }"

with Lab() as lab:
    lab.server.nginx(NGINX, FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        pages = curl(lab.client, "--compressed", f"http://{SERVER}/page.html", f"http://{SERVER}/other.html")
assert pages == 2 * PAGE.decode()
require(packets, "C GET /page.html, S 200, C GET /other.html, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
