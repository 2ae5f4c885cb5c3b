"""Records HTTP through a SOCKS 5 proxy that resolves the name: curl, microsocks and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding

FILES = {"a.txt": b"a" * 3000, "b.txt": b"b" * 700}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    lab.server.start("microsocks", "-i", SERVER, "-p", "1080", "-u", "user", "-P", "not-kept")
    lab.server.wait_for_listener(1080)
    with lab.client.capture() as packets:
        through = ["--socks5-hostname", f"{SERVER}:1080", "--proxy-user", "user:not-kept"]
        # The proxy's host knows no other name.
        curl(lab.client, *through, *discarding(*(f"http://localhost/{name}" for name in FILES)))
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, …, S FIN, C ACK")
