"""Records uploads of known and unknown length: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => {
    let length = 0;
    request.on("data", (data) => { length += data.length; });
    request.on("end", () => { response.writeHead(201); response.end(`${length} bytes`); });
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
function post(path, headers, parts, then) {
    const request = client.request({":method": "POST", ":path": path, ...headers});
    parts.forEach((part) => request.write(part));
    request.end();
    request.resume().on("end", then);
}
post("/a", {"content-length": "5000"}, ["a".repeat(5000)], () =>
    post("/b", {}, ["b".repeat(700), "b".repeat(300)], () => client.close()));
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 1 POST /a, C DATA 1 END, S HEADERS 1 201, C HEADERS 3 POST /b, C DATA 3, C DATA 3 END, S DATA 3 END",
)
