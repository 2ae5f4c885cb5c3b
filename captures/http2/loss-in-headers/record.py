"""Records eight requests and takes the HEADERS of one out of the capture: Node and nghttpd."""

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
    // What is new in the third request is in the table from then on.
    const headers = {":path": path, "accept": "text/plain", ...(path > "/c" ? {"x-later": "from the third on"} : {})};
    client.request(headers).resume().on("end", () => setTimeout(next, 60, others));
}
next(["/a.txt", "/b.txt", "/c.txt", "/d.txt", "/e.txt", "/f.txt", "/g.txt", "/h.txt"]);
"""

with Lab() as lab:
    verbose = nghttpd(lab.server, FILES)
    with lab.client.capture() as packets:
        assert node(lab.client, CLIENT_PROGRAM).wait(20) == 0
        settle()
    # The third request puts a header into the dynamic table that those after it refer to.
    lost = packet_numbers(packets, "tcp.dstport == 80 && http2.streamid == 5")[:1]
    print("without packets", *lost)
    packets.edit("editcap", "{in}", "{out}", *lost)
    keep(
        packets,
        __file__,
        "C HEADERS 1 GET /a.txt END, C HEADERS 3 GET /b.txt END",
        logs={"server.log": log_of_nghttpd(verbose)},
        agree=False,
        options=CLEARTEXT,
    )
