"""Records a client that reads neither of two downloads for a while: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => {
    response.end("a".repeat(50000));
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
const requests = ["/a", "/b"].map((path) => client.request({":path": path}));
setTimeout(() => requests.forEach((request) => request.resume()), 500);
let open = 2;
requests.forEach((request) => request.on("end", () => { if (!--open) client.close(); }));
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 1 GET /a END, C HEADERS 3 GET /b END, S DATA 1, S DATA 3, C WINDOW_UPDATE 0, S DATA 3 END",
)
