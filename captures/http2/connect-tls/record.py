"""Records TLS and HTTP/1.1 through a CONNECT tunnel on a stream: a Node client, a Node proxy, and nginx behind it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import nginx, node, trusted
from recording import Lab, settle

PROXY_PROGRAM = """
const net = require("net");
const server = require("http2").createServer();
server.on("stream", (stream) => {
    const socket = net.connect(443, "10.0.0.2", () => {
        stream.respond({":status": 200});
        socket.pipe(stream).pipe(socket);
    });
});
server.listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const fs = require("fs");
const client = require("http2").connect("http://10.0.0.2");
const tunnel = client.request({":method": "CONNECT", ":authority": "example.test:443"}, {endStream: false});
tunnel.on("response", () => {
    const ca = fs.readFileSync("%s");
    const options = {socket: tunnel, servername: "example.test", ca, ALPNProtocols: ["http/1.1"]};
    const secured = require("tls").connect(options, () => secured.write(
        "GET /a.txt HTTP/1.1\\r\\nHost: example.test\\r\\nConnection: close\\r\\n\\r\\n"
    ));
    secured.on("keylog", (line) => fs.appendFileSync("%s", line));
    secured.resume().on("end", () => {
        secured.end();
        tunnel.end();
        setTimeout(() => process.exit(), 500);
    });
});
"""

with Lab() as lab:
    authority, identity, keys = trusted(lab)
    nginx(lab.server, identity, files={"a.txt": b"a" * 20000}, listen="")
    node(lab.server, PROXY_PROGRAM, port=80)
    with lab.client.capture() as packets:
        assert node(lab.client, CLIENT_PROGRAM % (authority.path, keys.path)).wait(20) == 0
        settle()
    keep(
        packets,
        __file__,
        "C HEADERS 1 CONNECT, S HEADERS 1 200, C DATA 1, S DATA 1",
        keys=keys,
        options=CLEARTEXT,
    )
