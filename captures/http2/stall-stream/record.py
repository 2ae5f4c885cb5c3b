"""Records a client that does not read for a while what it has asked for: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => {
    response.end("a".repeat(40000));
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2", {settings: {initialWindowSize: 10000}});
const request = client.request({":path": "/slow"});
request.on("response", () => setTimeout(() => request.resume(), 500));
client.request({":path": "/fast"}).resume();
request.on("end", () => client.close());
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C SETTINGS 0, C HEADERS 1 GET /slow END, C HEADERS 3 GET /fast END, S DATA 1, S DATA 3 END, "
    "C WINDOW_UPDATE 1, S DATA 1 END",
)
