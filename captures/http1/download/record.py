"""Records a download of four megabytes: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, require

LINE = b"4 MiB of lines like this one, of sixty-four bytes with its end.\n"

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"large.txt": LINE * (1 << 16)})
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        size = curl(lab.client, "-o", "/dev/null", "-w", "%{size_download}", f"http://{SERVER}/large.txt")
assert size == str(1 << 22)
require(packets, "C GET /large.txt, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
