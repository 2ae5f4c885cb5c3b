"""Records 103 Early Hints before the response: curl and Node."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, node, require

PAGE = '<!doctype html><title>Flows</title><link rel="stylesheet" href="/style.css"><h1>Hello</h1>\n'
PROGRAM = f"""
require("http").createServer((request, response) => {{
    response.writeEarlyHints({{"link": "</style.css>; rel=preload; as=style"}});
    setTimeout(() => response.writeEarlyHints({{"link": "</code.js>; rel=preload; as=script"}}), 100);
    setTimeout(() => {{
        response.writeHead(200, {{"Content-Type": "text/html", "Content-Length": {len(PAGE)}}});
        response.end({PAGE!r});
    }}, 300);
}}).listen(80, "10.0.0.2");
"""

with Lab() as lab:
    node(lab.server, 80, PROGRAM)
    with lab.client.capture() as packets:
        assert curl(lab.client, f"http://{SERVER}/") == PAGE
require(packets, "C GET /, S 103, S 103, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
