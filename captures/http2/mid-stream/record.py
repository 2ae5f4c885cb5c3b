"""Records eight requests of which the capture sees the last five: Node and nghttpd."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from http2_recording import CLEARTEXT, keep
from http2_servers import log_of_nghttpd, nghttpd, node
from recording import Lab, settle
from servers import packet_numbers

FILES = {f"{name}.txt": name.encode() * 700 for name in "abcdefgh"}
CLIENT_PROGRAM = """
const client = require("http2").connect("http://10.0.0.2");
function next([path, ...others]) {
    if (!path) return client.close();
    client.request({":path": path, "accept": "text/plain"}).resume().on("end", () => setTimeout(next, 60, others));
}
next(["/a.txt", "/b.txt", "/c.txt", "/d.txt", "/e.txt", "/f.txt", "/g.txt", "/h.txt"]);
"""

with Lab() as lab:
    verbose = nghttpd(lab.server, FILES)
    with lab.client.capture() as packets:
        assert node(lab.client, CLIENT_PROGRAM).wait(20) == 0
        settle()
    first = packet_numbers(packets, "tcp.dstport == 80 && http2.streamid == 7")[0]
    print("from packet", first)
    packets.edit("editcap", "-r", "{in}", "{out}", f"{first}-9999")
    keep(
        packets,
        __file__,
        "C HEADERS 7 GET /d.txt END, S HEADERS 7 200, S DATA 7 END, C HEADERS 15 GET /h.txt END",
        logs={"server.log": log_of_nghttpd(verbose)},
        agree=False,
        tcp=["C DATA, …"],
        options=CLEARTEXT,
    )
