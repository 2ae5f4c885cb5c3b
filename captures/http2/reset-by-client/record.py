"""Records a client that has had enough of a download and goes on with another: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => {
    response.end("a".repeat(request.url === "/long" ? 300000 : 700));
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const http2 = require("http2");
const client = http2.connect("http://10.0.0.2");
const long = client.request({":path": "/long"});
long.once("data", () => long.close(http2.constants.NGHTTP2_CANCEL));
long.on("close", () => client.request({":path": "/short"}).resume().on("end", () => client.close()));
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 1 GET /long END, S HEADERS 1 200, S DATA 1, C RST_STREAM 1 CANCEL, C HEADERS 3 GET /short END, "
    "S DATA 3 END",
)
