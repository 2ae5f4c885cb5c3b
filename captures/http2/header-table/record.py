"""Records a server that allows no dynamic table and a client that complies: nghttp and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttp, nghttpd
from recording import SERVER, Lab
from tls_recording import slowly

FILES = {
    "index.html": b'<!doctype html><link rel="stylesheet" href="/style.css"><script src="/code.js"></script>\n',
    "style.css": b"h1 { font-family: serif }\n" * 20,
    "code.js": b"document.title += ', loaded'\n",
}

with Lab(forward=slowly) as lab:
    verbose = nghttpd(lab.server, FILES, "--header-table-size=0", "--encoder-header-table-size=256")
    with lab.client.capture() as packets:
        nghttp(lab.client, "--header-table-size=128", "-a", f"http://{SERVER}/")
    keep(
        packets,
        __file__,
        "C HEADERS 13 GET / END, S HEADERS 13, C HEADERS 15 GET /style.css END, S DATA 15 END",
        logs={"server.log": log_of_nghttpd(verbose)},
        agree=False,  # tshark cannot read what nghttpd sends with a table of 128 bytes
        options=CLEARTEXT,
    )
