"""Records a server that tells other places and names of its own: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => response.end("a".repeat(700))).on("session", (session) => {
    session.altsvc('h2=":8000"', "http://example.test");
    session.origin("https://example.test", "https://www.example.test");
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
client.request({":path": "/"}).resume().on("end", () => client.close());
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "S ALTSVC 0, S ORIGIN 0, S DATA 1 END",
)
