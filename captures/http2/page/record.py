"""Records a page with thirty resources: Chromium and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import frames, keep
from http2_servers import log_of, nginx, trusted
from recording import Lab
from tls_recording import slowly, tshark_keys
from tls_servers import browser

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="10" cy="10" r="{}"/></svg>\n'
PAGE = '<!doctype html><title>Flows</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">\n'
PAGE += "".join(f'<img src="/{number}.svg">\n' for number in range(28)) + '<script src="/code.js"></script>\n'
FILES = {
    "index.html": PAGE.encode(),
    "style.css": b"h1 { font-family: serif }\n" * 800,
    "code.js": b"document.title += ', loaded'\n",
    **{f"{number}.svg": (PICTURE.format(number) * 10).encode() for number in range(28)},
}
TYPES = "types { text/html html; text/css css; text/javascript js; image/svg+xml svg; }"

with Lab(forward=slowly) as lab:
    authority, identity, keys = trusted(lab)
    log = nginx(lab.server, identity, TYPES, FILES)
    with lab.client.capture() as packets:
        assert "Flows, loaded" in browser(lab.client, identity, keys)
    # Mostly Chromium opens a second connection, just in case, and needs it not.
    others = len(frames(packets.path, *tshark_keys(keys.path))) - 1
    wanted = ["C HEADERS 1 GET / END, S DATA 1 END"] + ["S SETTINGS 0"] * others
    keep(packets, __file__, *wanted, keys=keys, logs={"server.log": log_of(log)})
