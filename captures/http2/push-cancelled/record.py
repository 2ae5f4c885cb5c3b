"""Records a push of what the client has already asked for: nghttp and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttp, nghttpd
from recording import SERVER, Lab

FILES = {"index.html": b"<h1>Hello</h1>\n" * 60, "style.css": b"h1 { font-family: serif }\n" * 20}

with Lab() as lab:
    verbose = nghttpd(lab.server, FILES, "--push=/=/style.css")
    with lab.client.capture() as packets:
        nghttp(lab.client, f"http://{SERVER}/", f"http://{SERVER}/style.css")
    keep(
        packets,
        __file__,
        "C HEADERS 13 GET / END, C HEADERS 15 GET /style.css END, S PUSH_PROMISE 13 GET /style.css promises 2, "
        "C RST_STREAM 2 CANCEL",
        logs={"server.log": log_of_nghttpd(verbose)},
        options=CLEARTEXT,
    )
