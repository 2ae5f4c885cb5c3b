"""Records a body that the server breaks off with RST: curl and Node."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import INCOMPLETE, curl, discarding, node, require

PROGRAM = """
require("http").createServer((request, response) => {
    response.writeHead(200, {"Content-Type": "text/plain", "Content-Length": 20000});
    response.write("x".repeat(10000));
    setTimeout(() => response.socket.resetAndDestroy(), 500);
}).listen(80, "10.0.0.2");
"""

with Lab() as lab:
    node(lab.server, 80, PROGRAM)
    with lab.client.capture() as packets:
        curl(lab.client, *discarding(f"http://{SERVER}/half"), expect=56)
require(packets, "C GET /half, S 200", options=INCOMPLETE)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C ACK, S RST-ACK")
