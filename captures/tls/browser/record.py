"""Records a browser's page: Chromium and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from certificates import Authority
from recording import Lab
from tls_recording import FULL_13, PAGE_READ, Keys, keep, nginx, slowly, spoken
from tls_servers import browser

TYPES = "types { text/html html; text/css css; text/javascript js; image/svg+xml svg; }"
FILES = {
    "index.html": b"""<!doctype html><title>Flows</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">
<h1>Hello</h1><img src="/1.svg"><script src="/code.js"></script>
""",
    "style.css": b"h1 { font-family: serif }\n" * 100,
    "code.js": b"document.title += ', loaded'\n",
    "1.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="10" cy="10" r="9"/></svg>\n',
}

with Lab(forward=slowly) as lab:
    authority, keys = Authority(lab.server), Keys(lab.client)
    identity = authority.issue("example.test")
    nginx(lab.server, identity, TYPES, FILES)
    with lab.client.capture() as packets:
        assert "Flows, loaded" in browser(lab.client, identity, keys)
    # How many connections it opens, and which asks for what, is its affair.
    others = len(spoken(packets.path)) - 1
    wanted = f"{FULL_13}, {PAGE_READ.replace('index.html', '')}"
    keep(packets, __file__, wanted, *["C ClientHello, …"] * others, keys=keys)
