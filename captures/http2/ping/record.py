"""Records PINGs of both sides between requests: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => {
    response.end("a".repeat(700));
}).on("session", (session) => {
    setTimeout(() => session.ping(Buffer.from("measured"), () => {}), 200);
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
client.request({":path": "/1"}).resume().on("end", () =>
    setTimeout(() => client.ping(Buffer.from("there???"), () =>
        client.request({":path": "/2"}).resume().on("end", () => client.close())), 400));
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "S DATA 1 END, S PING 0, C PING 0 ACK, C PING 0, S PING 0 ACK, C HEADERS 3 GET /2 END",
)
