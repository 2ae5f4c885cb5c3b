"""Records requests above the server's limit of streams: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer({settings: {maxConcurrentStreams: 2}}, (request, response) => {
    setTimeout(() => response.end("a".repeat(700)), 100);
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
let open = 5;
// All are sent before the server's SETTINGS are there.
for (let number = 0; number < 5; number++) {
    const request = client.request({":path": `/${number}`}).resume();
    request.on("error", () => {});
    request.on("close", () => { if (!--open) client.close(); });
}
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 9 GET /4 END, S RST_STREAM 9 REFUSED_STREAM, S HEADERS 1 200, S DATA 3 END",
)
