"""Records a page that the client still has: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, require

PAGE = b"<!doctype html><title>Flows</title><h1>Hello</h1>\n"

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"index.html": PAGE})
    lab.server.wait_for_listener(80)
    etag = str(lab.client.folder("etag-") / "etag")
    with lab.client.capture() as packets:
        first = ["--etag-save", etag, *discarding(f"http://{SERVER}/")]
        curl(lab.client, *first)
        tag = Path(etag).read_text().strip()
        again = ["-H", f"If-None-Match: {tag}", *discarding(f"http://{SERVER}/", f"http://{SERVER}/")]
        curl(lab.client, *again)
require(packets, "C GET /, S 200", "C GET /, S 304, C GET /, S 304")
closed = "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK"
packets.keep(__file__, closed, closed)
