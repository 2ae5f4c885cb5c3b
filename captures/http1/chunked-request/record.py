"""Records an upload whose length is not known beforehand: curl and nginx."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from recording import SERVER, Lab, settle
from servers import require

NGINX = """
server { listen 80; location / { proxy_pass http://127.0.0.1:81; } }
server { listen 127.0.0.1:81; location / { return 201; } }
"""

with Lab() as lab:
    lab.server.nginx(NGINX)
    lab.server.wait_for_listener(80)
    with lab.client.capture() as packets:
        upload = f"(echo one; sleep 0.5; echo two; sleep 0.5; echo three) | curl -sS -T - -H Expect: http://{SERVER}/up"
        lab.client.run("sh", "-c", upload)
        settle()
require(packets, "C PUT /up, S 201")
packets.keep(__file__, "C SYN, S SYN-ACK, C ACK, C DATA, …, C FIN, S FIN, C ACK")
