"""Records a tunnel of the kind that carries WebSocket: Node on both sides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_servers import between_nodes

SERVER_PROGRAM = """
require("http2").createServer({settings: {enableConnectProtocol: true}}).on("stream", (stream, headers) => {
    if (headers[":protocol"] !== "websocket") return stream.respond({":status": 404}, {endStream: true});
    stream.respond({":status": 200});
    stream.on("data", (data) => stream.write(data)).on("end", () => stream.end());
}).listen(80, "10.0.0.2");
"""
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
client.once("remoteSettings", () => {
    const headers = {":method": "CONNECT", ":protocol": "websocket", ":path": "/chat", "sec-websocket-version": "13"};
    const stream = client.request(headers, {endStream: false});
    // A masked text frame that says Hello (RFC 6455 section 5.7), which comes back as it is.
    stream.on("response", () => stream.write(Buffer.from("818537fa213d7f9f4d5158", "hex")));
    stream.once("data", () => stream.end());
    stream.resume().on("end", () => client.close());
});
"""

between_nodes(
    __file__,
    SERVER_PROGRAM,
    CLIENT_PROGRAM,
    "S SETTINGS 0, C HEADERS 1 CONNECT /chat, S HEADERS 1 200, C DATA 1, S DATA 1, C DATA 1 END, S DATA 1 END",
)
