"""Records a server that dies in the middle of two responses: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
let socket;
require("http2").createServer((request, response) => {
    response.write("a".repeat(700));
    if (request.url === "/b") setTimeout(() => socket.resetAndDestroy(), 200);
}).on("connection", (one) => { socket = one; }).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2").on("error", () => {});
["/a", "/b"].forEach((path) => client.request({":path": path}).resume().on("error", () => {}));
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 1 GET /a END, C HEADERS 3 GET /b END, S DATA 1, S DATA 3",
)
