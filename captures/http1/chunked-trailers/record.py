"""Records chunks with a trailer section behind them: curl and Node."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, node, require

PROGRAM = """
require("http").createServer((request, response) => {
    response.writeHead(200, {"Content-Type": "text/plain", "Trailer": "Checksum"});
    response.write("first chunk\\n");
    setTimeout(() => {
        response.write("second chunk\\n");
        response.addTrailers({"Checksum": "none"});
        response.end();
    }, 200);
}).listen(80, "10.0.0.2");
"""

with Lab() as lab:
    node(lab.server, 80, PROGRAM)
    with lab.client.capture() as packets:
        shown = curl(lab.client, *discarding(f"http://{SERVER}/a", f"http://{SERVER}/b"))
require(packets, "C GET /a, S 200, C GET /b, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
