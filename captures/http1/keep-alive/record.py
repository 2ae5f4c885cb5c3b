"""Records five exchanges on one connection, one after the other: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab
from servers import curl, discarding, require

FILES = {f"{name}.txt": name.encode() * size for name, size in zip("abcde", (0, 1, 700, 5120, 20000), strict=True)}

with Lab() as lab:
    lab.server.nginx("server { listen 80; root html; }", FILES)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        curl(lab.client, *discarding(*(f"http://{SERVER}/{name}" for name in FILES)))
require(packets, ", ".join(f"C GET /{name}, S 200" for name in FILES))
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
