"""Records 103 Early Hints and 100 Continue: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer((request, response) => {
    response.writeEarlyHints({"link": "</style.css>; rel=preload; as=style"});
    setTimeout(() => response.writeEarlyHints({"link": "</code.js>; rel=preload; as=script"}), 50);
    setTimeout(() => response.end("a".repeat(700)), 150);
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
client.request({":path": "/"}).resume().on("end", () => {
    const upload = client.request({":method": "POST", ":path": "/upload", "expect": "100-continue"});
    upload.on("continue", () => upload.end("b".repeat(300)));
    upload.resume().on("end", () => client.close());
});
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "S HEADERS 1 103, S HEADERS 1 103, S HEADERS 1 200, S DATA 1 END, C HEADERS 3 POST /upload, S HEADERS 3 100, "
    "C DATA 3 END, S HEADERS 3 103, S HEADERS 3 200, S DATA 3 END",
)
