"""Records requests with priorities as HTTP/2 first had them: nghttp and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttp, nghttpd
from recording import SERVER, Lab

FILES = {
    "index.html": b"""<!doctype html><title>Flows</title><link rel="stylesheet" href="/style.css">
<script src="/code.js"></script><h1>Hello</h1><img src="/1.svg">
""",
    "style.css": b"h1 { font-family: serif }\n" * 40,
    "code.js": b"document.title += ', loaded'\n",
    "1.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="10" cy="10" r="9"/></svg>\n',
}

with Lab() as lab:
    verbose = nghttpd(lab.server, FILES)
    with lab.client.capture() as packets:
        nghttp(lab.client, "-a", f"http://{SERVER}/")  # the page and what it names
    keep(
        packets,
        __file__,
        "C PRIORITY 3, C PRIORITY 11, C HEADERS 13 GET / END, C HEADERS 15 GET /style.css END, "
        "C GOAWAY 0 NO_ERROR last 0",
        logs={"server.log": log_of_nghttpd(verbose)},
        options=CLEARTEXT,
    )
