"""Records a CONNECT tunnel on a stream beside other requests: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
const net = require("net");
net.createServer((socket) => socket.on("data", (data) => socket.end(data))).listen(7, "127.0.0.1");
const server = require("http2").createServer((request, response) => response.end("a".repeat(700)));
server.on("connect", (request, response) => {
    const socket = net.connect(7, "127.0.0.1", () => {
        response.writeHead(200);
        socket.pipe(response.stream).pipe(socket);
    });
});
server.listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
const tunnel = client.request({":method": "CONNECT", ":authority": "127.0.0.1:7"}, {endStream: false});
tunnel.on("response", () => {
    client.request({":path": "/beside"}).resume().on("end", () => tunnel.end("hello"));
});
tunnel.resume().on("end", () => client.close());
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "C HEADERS 1 CONNECT, S HEADERS 1 200, C HEADERS 3 GET /beside END, S DATA 3 END, C DATA 1 END, S DATA 1",
)
