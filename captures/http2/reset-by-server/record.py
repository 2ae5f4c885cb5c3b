"""Records a server that fails in the middle of a response: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
const http2 = require("http2");
http2.createServer((request, response) => {
    response.write("a".repeat(700));
    if (request.url === "/broken")
        setTimeout(() => response.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR), 100);
    else
        response.end();
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
const broken = client.request({":path": "/broken"}).resume();
broken.on("error", () => {});
broken.on("close", () => client.request({":path": "/whole"}).resume().on("end", () => client.close()));
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "S HEADERS 1 200, S DATA 1, S RST_STREAM 1 INTERNAL_ERROR, C HEADERS 3 GET /whole END, S DATA 3 END",
)
