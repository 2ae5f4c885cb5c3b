"""Records a request that is never answered: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => {
    if (request.url === "/soon") response.end("a".repeat(700));
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
client.request({":path": "/never"}).on("error", () => {});
client.request({":path": "/soon"}).resume().on("end", () => setTimeout(() => process.exit(0), 300));
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 1 GET /never END, C HEADERS 3 GET /soon END, S DATA 3 END",
)
