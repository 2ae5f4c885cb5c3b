"""Records an upgrade to HTTP/2 on a plain connection: curl and Apache."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import apache, curl, discarding

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700}

with Lab() as lab:
    apache(lab.server, 80, "http2", "Protocols h2c http/1.1", FILES)
    with lab.client.capture() as packets:
        shown = curl(lab.client, "--http2", "-w", "%{http_version}\n", *discarding(f"http://{SERVER}/a.txt"))
assert shown == "2\n", shown
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S DATA, C RST")
