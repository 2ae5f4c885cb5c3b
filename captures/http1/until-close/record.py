"""Records a body that only the close ends: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl_into_slow_pipe, require

FILES = {"part.txt": b"part of a page\n" * 800, "page.html": b'<title>Flows</title><!--#include file="part.txt" -->\n'}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; ssi on; }", FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        # HTTP/1.0 knows no chunks, and nginx does not know the length beforehand.
        page = curl_into_slow_pipe(lab.client, "--http1.0", f"http://{SERVER}/page.html")
assert len(page) == 800 * 15 + 21
require(packets, "C GET /page.html, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, S FIN, C ACK, C ACK?, C FIN, S ACK")
