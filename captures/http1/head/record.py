"""Records HEAD before GET on one connection: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, require

TEXT = b"".join(b"line %04d of a text\n" % number for number in range(200))

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", {"text.txt": TEXT})
    lab.server.wait_for_listener(80)
    url = f"http://{SERVER}/text.txt"
    with lab.client.capture() as packets:
        curl(lab.client, "-I", url, "--next", "-sS", *discarding(url), "--next", "-sS", "-I", url)
require(packets, "C HEAD /text.txt, S 200, C GET /text.txt, S 200, C HEAD /text.txt, S 200")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
