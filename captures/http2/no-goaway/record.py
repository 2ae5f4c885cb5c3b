"""Records a server that closes without GOAWAY: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
let socket;
require("http2").createServer((request, response) => {
    response.end("a".repeat(700));
    response.on("close", () => setTimeout(() => socket.end(), 100));
}).on("connection", (one) => { socket = one; }).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
client.request({":path": "/"}).resume();
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 1 GET / END, S DATA 1 END",
)
