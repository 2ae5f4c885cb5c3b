"""Records a client that gives up in the middle of a body: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle
from servers import INCOMPLETE, curl, discarding, require

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; limit_rate 8k; }", {"large.txt": b"x" * 60000})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        # curl closes with what it has not read yet in its socket: the kernel answers that with RST.
        slowly = ["--max-time", "1.5", "--limit-rate", "2k"]
        curl(lab.client, *slowly, *discarding(f"http://{SERVER}/large.txt"), expect=28)
        settle(2)
require(packets, "C GET /large.txt, S 200", options=INCOMPLETE)
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C RST-ACK")
