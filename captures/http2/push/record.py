"""Records a page with which the server pushes what belongs to it: nghttp and Apache."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import access_log, log_of, nghttp
from recording import SERVER, Lab
from servers import apache

PUSH = """Protocols h2c http/1.1
<Location /index.html>
H2PushResource add /style.css
H2PushResource add /code.js
</Location>"""
FILES = {
    "index.html": b'<!doctype html><link rel="stylesheet" href="/style.css"><script src="/code.js"></script>\n' * 20,
    "style.css": b"h1 { font-family: serif }\n" * 200,
    "code.js": b"document.title += ', loaded'\n" * 10,
}

with Lab() as lab:
    folder = apache(lab.server, 80, "http2", f"{PUSH}\n{access_log('access.log')}", FILES)
    with lab.client.capture() as packets:
        nghttp(lab.client, f"http://{SERVER}/index.html")
    keep(
        packets,
        __file__,
        "C HEADERS 13 GET /index.html END, S PUSH_PROMISE 13 GET /style.css promises 2, "
        "S PUSH_PROMISE 13 GET /code.js promises 4, S HEADERS 13 200",
        logs={"server.log": log_of(folder / "access.log")},
        options=CLEARTEXT,
    )
